// What the verbs of `tenon` share: output, exit codes, words of the command line.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "tensor/shape.h"

namespace tenon::cli {

using Json = nlohmann::ordered_json;

enum Exit { kOk = 0, kFailed = 1, kUsage = 2 };

/// Prints to standard output. Texts that are no UTF-8 come out with replacement characters.
void print_json(const Json& document);
template <class... Args>
void say(fmt::format_string<Args...> text, Args&&... args) {
  const std::string line = strf(text, std::forward<Args>(args)...);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);  // whoever reads a pipe sees each line as it comes, also where a later one crashes
}
/// A remark on standard error, so that standard output stays clean.
template <class... Args>
void note(fmt::format_string<Args...> text, Args&&... args) {
  const std::string line = "tenon: " + strf(text, std::forward<Args>(args)...) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

using Shapes = std::map<std::string, Dims, std::less<>>;
/// "input=1x3x224x224"; "x=" is a scalar.
Result<Shapes> parse_shapes(const std::vector<std::string>& texts, std::string_view option = "--shape");
Json dims_json(const Dims& dims);

/// Stage and percent on one line of a terminal; nothing where standard error is none.
class Progress {
 public:
  explicit Progress(bool wanted = true);
  ~Progress();
  void show(std::string_view stage, double share);
  void clear();

 private:
  bool shown_ = false;
  bool active_ = false;
};

/// While it lives, Ctrl-C sets a flag instead of ending the process; a second one ends it.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  bool seen() const;
};

}  // namespace tenon::cli
