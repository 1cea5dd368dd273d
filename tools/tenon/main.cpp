// tenon: builds, runs, measures, tests and shows engines. One file per verb.
#include <cstdio>
#include <new>

#include "command.h"

namespace {

using namespace tenon;
using namespace tenon::cli;

/// Detail first, what went wrong in the last line.
void print_error(std::string_view message) {
  const size_t end = message.find('\n');
  if (end != std::string_view::npos) std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size() - end - 1), message.data() + end + 1);
  const std::string_view first = message.substr(0, end);
  std::fprintf(stderr, "tenon: error: %.*s\n", static_cast<int>(first.size()), first.data());
}

int run(int argc, char** argv) {
  CLI::App app("Tenon: from an ONNX model to an optimised engine, and running it.\nExit codes: 0 done, 1 the job failed, 2 wrong usage.",
               "tenon");
  app.footer("example:\n  tenon build model.onnx -o model.engine && tenon run model.engine\n`tenon VERB --help` shows a verb's options.");
  app.set_version_flag("--version", "tenon " TENON_VERSION);
  app.require_subcommand(1);
  Outcome outcome;
  for (const auto add : {add_build, add_run, add_bench, add_test, add_inspect, add_env, add_doctor}) add(app, outcome);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    print_error(error.what() + std::string(" (see tenon --help)"));
    return kUsage;
  }
  if (outcome.status.ok()) return *outcome.status;
  const Error& error = outcome.status.error();
  std::fflush(stdout);
  if (outcome.json) print_json({{"error", {{"kind", to_string(error.kind)}, {"message", error.message}}}});
  print_error(error.message);
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
  } catch (const std::exception& error) {  // of the libraries that the tools use; Tenon's own functions throw nothing
    print_error(error.what());
  }
  return kFailed;
}
