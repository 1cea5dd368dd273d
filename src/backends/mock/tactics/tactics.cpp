#include "backends/mock/tactics/tactics.h"

namespace tenon::mock {

const tune::Backend& backend() {
  static constexpr auto takes = [](const engine::Problem& problem, const engine::DeviceFacts&) {
    if (problem.as<engine::ReferenceProblem>()) return engine::no("operators that run by name stay on the host");
    return engine::Verdict{};
  };
  static const tune::Tactic rows[] = {{
      .name = "reference_mock",
      .supports = takes,
      .build = [](const engine::Problem&, const tune::BuildCtx&) -> Result<engine::Kernel> {
        return engine::Kernel{.launches = {{.code = {.name = "reference_mock"}}}};
      },
  }};
  static const tune::Backend self = {.name = "mock", .caps = takes, .tactics = rows};
  return self;
}

}  // namespace tenon::mock
