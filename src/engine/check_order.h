// Proof that a plan's steps run as if one after another, although devices have queues of their own and kernels may begin before the one
// ahead has ended (docs/gpu.md, "Rules for every text").
#pragma once
#include <span>

#include "engine/device_facts.h"
#include "engine/plan.h"

namespace tenon::engine {

/// For a plan that is valid. Errors name the step:
/// - it and a step before it touch the same bytes on different queues, one of them writes, and nothing makes it wait. Bytes are the same
///   in one buffer, in an alias set, and in buffers whose lifetimes do not meet: a solver may give those one place;
/// - it touches memory of another device, or is told that an operand is constant that is not;
/// - a launch is dependent and its kernel does not wait, or is cooperative, or has more blocks than kDependentBlocksPerUnit, or may have in
///   a run;
/// - a launch's code or arguments do not fit the plan.
/// `facts`: of each device of the plan; empty: the number of blocks is not checked.
Result<void> check_order(const Plan& plan, std::span<const DeviceFacts> facts = {});

}  // namespace tenon::engine
