#include "base/log.h"

#include <regex.h>

#include <cstdio>
#include <optional>

#include "base/env.h"

namespace tenon {
namespace {

std::optional<regex_t> compiled(const std::string& text) {
  regex_t out;
  if (::regcomp(&out, text.c_str(), REG_EXTENDED | REG_NOSUB) == 0) return out;
  std::fprintf(stderr, "tenon: TENON_FILTER is no extended regular expression, everything is shown\n");
  return std::nullopt;
}

}  // namespace

bool Log::wants(int level, std::string_view subject) {
  static const int64_t wanted = knob_int("log");
  if (level > wanted) return false;
  if (level < 2 || subject.empty() || knob("filter").empty()) return true;
  static const std::optional<regex_t> filter = compiled(knob("filter"));
  return !filter || ::regexec(&*filter, std::string(subject).c_str(), 0, nullptr, 0) == 0;
}

void Log::write(Severity severity, const std::string& text) const {
  if (sink_) return sink_(severity, text);
  static constexpr const char* kNames[] = {"internal error", "error", "warning", "info", "verbose"};
  std::fprintf(stderr, "tenon: %s: %s\n", kNames[static_cast<int>(severity)], text.c_str());
}

void Log::write_detail(int level, const std::string& text) { std::fprintf(stderr, "[%d] %s\n", level, text.c_str()); }

}  // namespace tenon
