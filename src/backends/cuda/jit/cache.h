// The cache of compiled kernels on disk: one file per text and compiler, written whole or not at all. It never decides a result: a file
// that is missing or damaged is compiled again.
#pragma once
#include <optional>

#include "tune/code_store.h"

namespace tenon::cuda {

std::optional<tune::CompiledKernel> cached(std::string_view text, std::string_view compiler);
void keep(std::string_view text, std::string_view compiler, const tune::CompiledKernel& kernel);

}  // namespace tenon::cuda
