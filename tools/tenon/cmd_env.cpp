// tenon env: every knob.
#include "base/env.h"
#include "verb.h"

namespace tenon::cli {
namespace {

Result<int> run_env(bool json) {
  Json out = Json::array();
  for (const Knob& knob : knobs()) {
    if (json) {
      out.push_back(
          {{"variable", knob.variable}, {"value", knob.value}, {"default", knob.fallback}, {"set", knob.set}, {"help", knob.help}});
      continue;
    }
    say("{:<22} {}{}\n", knob.variable, knob.help, knob.fallback.empty() ? "" : strf(" (default {})", knob.fallback));
    if (knob.set) say("{:<22}   set to '{}'\n", "", knob.value);
  }
  if (json) print_json(out);
  return kOk;
}

}  // namespace

void add_env(CLI::App& app, Outcome& outcome) {
  Verb(app, outcome, "env", "list the environment variables that Tenon reads, with their values", "TENON_LOG=2 tenon env",
       [&outcome] { return run_env(outcome.json); });
}

}  // namespace tenon::cli
