// Verb: a subcommand of `tenon` and its options. The parser (CLI11) is seen by verb.cpp alone: including it costs seconds.
#pragma once
#include <functional>
#include <optional>
#include <variant>

#include "command.h"

namespace CLI {
class App;
}

namespace tenon::cli {

/// The outcome of the verb that ran; main() turns it into the last line and the exit code.
struct Outcome {
  bool json = false;
  Result<int> status = int{kOk};
};

class Verb {
 public:
  /// A subcommand with --json and an example in its help; `run` is what it does.
  Verb(CLI::App& app, Outcome& outcome, const char* name, const char* help, const char* example, std::function<Result<int>()> run);

  /// Where the word goes. Numbers show their default in the help, lists take an option again and again.
  using To = std::variant<bool*, std::string*, std::vector<std::string>*, int64_t*, uint64_t*, double*, std::optional<double>*>;
  struct Rules {
    bool required = false, commas = false;  // commas: one word may hold several elements of a list
    double least = 0, most = 0;             // of a number, where they differ
  };
  /// `names`: "-o,--output", or "file" for a word without a name. bool: a flag.
  void option(const char* names, To to, const char* help, const Rules& rules);
  void option(const char* names, To to, const char* help) { option(names, to, help, {}); }

 private:
  CLI::App* verb_;
};

void add_build(CLI::App& app, Outcome& outcome);
void add_run(CLI::App& app, Outcome& outcome);
void add_bench(CLI::App& app, Outcome& outcome);
void add_test(CLI::App& app, Outcome& outcome);
void add_inspect(CLI::App& app, Outcome& outcome);
void add_env(CLI::App& app, Outcome& outcome);
void add_doctor(CLI::App& app, Outcome& outcome);
void add_check(CLI::App& app, Outcome& outcome);

/// Reads the command line and runs the verb that it names. An exit code if there is none: after --help, or with an error of usage.
std::optional<int> parse(int argc, char** argv, Outcome& outcome, std::string& usage_error);

}  // namespace tenon::cli
