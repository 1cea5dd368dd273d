// Log: severity messages for users (a callback) and numbered detail for developers (TENON_LOG, TENON_FILTER).
#pragma once
#include <functional>
#include <string_view>

#include "base/format.h"

namespace tenon {

enum class Severity : uint8_t { internal_error, error, warning, info, verbose };

class Log {
 public:
  using Sink = std::function<void(Severity, std::string_view)>;
  /// No sink: warnings and worse go to standard error.
  explicit Log(Sink sink = {}, Severity least = Severity::warning) : sink_(std::move(sink)), least_(least) {}

  template <class... Args>
  void operator()(Severity severity, fmt::format_string<Args...> text, Args&&... args) const {
    if (severity <= least_ || sink_) write(severity, strf(text, std::forward<Args>(args)...));
  }
  /// Developer detail at level 1..6 (design: docs/debugging.md); `subject` is what TENON_FILTER matches.
  template <class... Args>
  void detail(int level, std::string_view subject, fmt::format_string<Args...> text, Args&&... args) const {
    if (wants(level, subject)) write_detail(level, strf(text, std::forward<Args>(args)...));
  }
  static bool wants(int level, std::string_view subject);

 private:
  void write(Severity severity, const std::string& text) const;
  static void write_detail(int level, const std::string& text);
  Sink sink_;
  Severity least_;
};

}  // namespace tenon
