// strf("{} of {}", a, b): {fmt} behind one compiled function, so that headers stay cheap.
#pragma once
#include <fmt/core.h>

#include <string>
#include <string_view>

namespace tenon {

std::string format_args(fmt::string_view text, fmt::format_args args);

template <class... Args>
std::string strf(fmt::format_string<Args...> text, Args&&... args) {
  return format_args(text, fmt::make_format_args(args...));
}

}  // namespace tenon
