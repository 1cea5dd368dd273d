// Tactic: one way to compute one kind of problem on one kind of device. Backends list theirs; choose() gives each step of a plan one.
#pragma once
#include "base/log.h"
#include "engine/device.h"
#include "engine/plan.h"

namespace tenon::tune {

struct Tactic {
  std::string_view name;
  engine::Verdict (*supports)(const engine::Problem& problem);
  /// Microseconds for the problem instantiated at a point of its dims.
  double (*estimate_us)(const engine::Problem& problem);
  Result<engine::Kernel> (*build)(const engine::Problem& problem);
};

/// The build half of a backend: what it can do, and its tactics, best first.
struct Backend {
  std::string_view name;
  engine::Verdict (*caps)(const engine::Problem& problem);
  std::span<const Tactic> tactics;
};

/// The backends of this build, by the names that plans use; null if there is none.
const Backend* find_backend(std::string_view name);

/// Gives every step of the plan its kernels. Errors: a step that no tactic of its device takes, with all refusals.
Result<void> choose(engine::Plan& plan, const Log& log);

}  // namespace tenon::tune
