#include "base/log.h"

#include <cstdio>
#include <regex>

#include "base/env.h"

namespace tenon {

bool Log::wants(int level, std::string_view subject) {
  static const int64_t wanted = knob_int("log");
  if (level > wanted) return false;
  if (level < 2 || subject.empty() || knob("filter").empty()) return true;
  static const std::regex filter = [] {
    try {
      return std::regex(knob("filter"));
    } catch (const std::regex_error&) {
      std::fprintf(stderr, "tenon: TENON_FILTER is no regular expression, everything is shown\n");
      return std::regex();
    }
  }();
  return std::regex_search(subject.begin(), subject.end(), filter);
}

void Log::write(Severity severity, const std::string& text) const {
  if (sink_) return sink_(severity, text);
  static constexpr const char* kNames[] = {"internal error", "error", "warning", "info", "verbose"};
  std::fprintf(stderr, "tenon: %s: %s\n", kNames[static_cast<int>(severity)], text.c_str());
}

void Log::write_detail(int level, const std::string& text) { std::fprintf(stderr, "[%d] %s\n", level, text.c_str()); }

}  // namespace tenon
