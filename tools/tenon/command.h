// What the verbs of `tenon` share: options, output, exit codes. A verb is a function that adds its subcommand to the parser.
#pragma once
#include <CLI/CLI.hpp>
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

/// The outcome of the verb that ran; main() turns it into the last line and the exit code.
struct Outcome {
  bool json = false;
  Result<int> status = int{kOk};
};

void add_build(CLI::App& app, Outcome& outcome);
void add_run(CLI::App& app, Outcome& outcome);
void add_bench(CLI::App& app, Outcome& outcome);
void add_test(CLI::App& app, Outcome& outcome);
void add_inspect(CLI::App& app, Outcome& outcome);
void add_env(CLI::App& app, Outcome& outcome);
void add_doctor(CLI::App& app, Outcome& outcome);

/// A subcommand with --json, an example in its help, and `run` as what it does.
template <class Run>
CLI::App* add_verb(CLI::App& app, Outcome& outcome, const char* name, const char* help, const char* example, Run run) {
  CLI::App* verb = app.add_subcommand(name, help);
  verb->add_flag("--json", outcome.json, "print one JSON document on standard output");
  verb->footer(std::string("example:\n  ") + example);
  verb->callback([run = std::move(run), &outcome] { outcome.status = run(); });
  return verb;
}

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
Result<Shapes> parse_shapes(const std::vector<std::string>& texts);
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
