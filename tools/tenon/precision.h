// What each step of a plan computes in: `tenon inspect --precision`.
#pragma once
#include "engine/file.h"

namespace tenon::cli {

struct StepPrecision {
  std::string step, kind, device;
  std::string operands, sums, results;  // element types; sums: what products and sums are kept in
  std::string why;
};

/// Of every step but transfers, bodies of control flow included; `portable`, the plan as the model is, says what was narrowed.
std::vector<StepPrecision> precision_of(const engine::Plan& plan, const engine::Plan* portable);
std::string precision_text(const std::vector<StepPrecision>& rows);

}  // namespace tenon::cli
