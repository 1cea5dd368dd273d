#include "backends/cpu/tactics/tactics.h"

namespace tenon::cpu {
namespace {

/// Any problem, by the plain evaluators of the reference library.
tune::Tactic reference_tactic() {
  return {
      .name = "reference",
      .supports = [](const engine::Problem&, const engine::DeviceFacts&) { return engine::Verdict{}; },
      .build = [](const engine::Problem&, const tune::BuildCtx&) -> Result<engine::Kernel> {
        return engine::Kernel{.launches = {{.code = {.name = "reference"}}}};
      },
  };
}

}  // namespace

const tune::Backend& backend() {
  static const tune::Tactic rows[] = {
#define TENON_CPU_TACTIC(name) name(),
#include "backends/cpu/tactics/tactics.def"
#undef TENON_CPU_TACTIC
  };
  static const tune::Backend self = {
      .name = "cpu", .caps = [](const engine::Problem&, const engine::DeviceFacts&) { return engine::Verdict{}; }, .tactics = rows};
  return self;
}

}  // namespace tenon::cpu
