// Steps of a plan for a device that run on the host all the same: what they are, what they move and why.
#pragma once
#include "tune/tactic.h"

namespace tenon::tune {

struct HostStep {
  std::string name, kind;    // the ONNX nodes it computes; "reference Range", "recurrent", "loop"
  std::optional<Dim> bytes;  // of operands and results; none where data decide
  std::string why;
};

/// Of bodies of control flow too. Copies of results into the caller's memory are not among them. `facts`: of each device of the plan.
std::vector<HostStep> host_steps(const engine::Plan& plan, std::span<const engine::DeviceFacts> facts);

/// A warning that counts them, a line for each at level 1. `strict`: an error instead, which names them all.
Result<void> report_host_steps(const engine::Plan& plan, std::span<const engine::DeviceFacts> facts, bool strict, const Log& log);

}  // namespace tenon::tune
