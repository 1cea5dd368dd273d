// Kernel texts, embedded at build time from the .cuh files of this folder (cmake/embed_texts.cmake).
#pragma once
#include <string_view>

namespace tenon::cuda {

extern const std::string_view kPrelude;  // prelude.cuh

}  // namespace tenon::cuda
