#include "backends/cpu/tactics/tactics.h"
#include "backends/mock/tactics/tactics.h"
#include "tune/tactic.h"

namespace tenon::tune {
namespace {

Result<void> choose_step(const engine::Plan& plan, engine::Step& step, const Log& log) {
  if (step.problem.as<engine::TransferProblem>()) {
    step.variants = {{.kernel = {.launches = {{.code = {.name = "copy"}}}}}};
    return {};
  }
  const Backend* backend = find_backend(plan.devices[static_cast<size_t>(step.device)]);
  if (!backend) return fail("this build has no backend '{}'", plan.devices[static_cast<size_t>(step.device)]);
  std::string refusals;
  for (const Tactic& tactic : backend->tactics) {
    const engine::Verdict verdict = tactic.supports(step.problem);
    if (!verdict.ok) {
      refusals += strf("\n  {}: {}", tactic.name, verdict.why);
      continue;
    }
    TENON_TRY(kernel, tactic.build(step.problem));
    step.variants = {{.kernel = std::move(kernel)}};
    log.detail(3, step.name, "{}: {} by {}{}", step.name, engine::to_string(step.problem), tactic.name, refusals);
    return {};
  }
  return fail(ErrorKind::unsupported, "no tactic of '{}' takes {}{}", backend->name, engine::to_string(step.problem), refusals);
}

Result<void> choose_body(const engine::Plan& plan, engine::Body& body, const Log& log) {
  for (engine::Segment& segment : body.segments) {
    for (engine::Step& step : segment.steps) {
      auto done = choose_step(plan, step, log);
      if (!done.ok()) return std::move(done.error()).within(strf("choosing a kernel for '{}'", step.name));
    }
    for (engine::Region& region : segment.region)
      for (engine::Body& inner : region.bodies) TENON_OK(choose_body(plan, inner, log));
  }
  return {};
}

}  // namespace

const Backend* find_backend(std::string_view name) {
  for (const Backend* backend : {&cpu::backend(), &mock::backend()})
    if (backend->name == name) return backend;
  return nullptr;
}

Result<void> choose(engine::Plan& plan, const Log& log) { return choose_body(plan, plan.main, log); }

}  // namespace tenon::tune
