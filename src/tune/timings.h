// Timings: what kernels took on a device, measured by one build and used by the next. As text a line a row, sorted, to be kept in a file.
#pragma once
#include <map>

#include "base/fields.h"
#include "base/result.h"

namespace tenon::tune {

struct Timing {
  std::string device;                   // the card, or DeviceFacts::name
  std::string kernel;                   // of its text, launch and operands' sizes
  double us = 0;                        // microseconds a launch, in a chain of them
  std::string tactic, config, problem;  // what it is, for people
  static constexpr std::string_view kName = "Timing";
  static constexpr auto kFields =
      Fields{Field{1, "device", &Timing::device}, Field{2, "kernel", &Timing::kernel}, Field{3, "us", &Timing::us},
             Field{4, "tactic", &Timing::tactic}, Field{5, "config", &Timing::config}, Field{6, "problem", &Timing::problem}};
};

class Timings {
 public:
  /// Errors: a line that is no timing, with its number.
  static Result<Timings> parse(std::string_view text);
  std::string text() const;
  /// Null: not measured.
  const Timing* find(std::string_view device, std::string_view kernel) const;
  void add(Timing timing);
  size_t size() const { return rows_.size(); }

 private:
  std::map<std::pair<std::string, std::string>, Timing, std::less<>> rows_;  // by device and kernel
};

}  // namespace tenon::tune
