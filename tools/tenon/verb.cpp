#include "verb.h"

#include <CLI/CLI.hpp>

namespace tenon::cli {

Verb::Verb(CLI::App& app, Outcome& outcome, const char* name, const char* help, const char* example, std::function<Result<int>()> run)
    : verb_(app.add_subcommand(name, help)) {
  verb_->add_flag("--json", outcome.json, "print one JSON document on standard output");
  verb_->footer(std::string("example:\n  ") + example);
  verb_->callback([run = std::move(run), &outcome] { outcome.status = run(); });
}

void Verb::option(const char* names, To to, const char* help, const Rules& rules) {
  const auto add = [&](auto* target) -> CLI::Option* {
    using T = std::remove_pointer_t<decltype(target)>;
    if constexpr (std::is_same_v<T, bool>) {
      return verb_->add_flag(names, *target, help);
    } else {
      CLI::Option* out = verb_->add_option(names, *target, help);
      if constexpr (std::is_arithmetic_v<T>) {
        out->capture_default_str();
        if (rules.least < rules.most) out->check(CLI::Range(static_cast<T>(rules.least), static_cast<T>(rules.most)));
      }
      if constexpr (std::is_same_v<T, std::vector<std::string>>)
        if (names[0] == '-') out->allow_extra_args(false);
      return out;
    }
  };
  CLI::Option* option = std::visit(add, to);
  option->required(rules.required);
  if (rules.commas) option->delimiter(',');
}

std::optional<int> parse(int argc, char** argv, Outcome& outcome, std::string& usage_error) {
  CLI::App app("Tenon: from an ONNX model to an optimised engine, and running it.\nExit codes: 0 done, 1 the job failed, 2 wrong usage.",
               "tenon");
  app.footer("example:\n  tenon build model.onnx -o model.engine && tenon run model.engine\n`tenon VERB --help` shows a verb's options.");
  app.set_version_flag("--version", "tenon " TENON_VERSION);
  app.require_subcommand(1);
  for (const auto add : {add_build, add_check, add_run, add_bench, add_test, add_inspect, add_env, add_doctor}) add(app, outcome);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    usage_error = error.what();
    return kUsage;
  }
  return std::nullopt;
}

}  // namespace tenon::cli
