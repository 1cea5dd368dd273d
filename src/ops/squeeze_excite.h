// SqueezeExcite: a gate of channels. x [n, spatial…, c], w1 [m, c], w2 [c, m], b1 [m], b2 [c] → w2 · inner(w1 · mean(x) + b1) + b2,
// [n, 1…, c].
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct SqueezeExcite {
  Expr inner;  // of an element of x's type; empty: none
  static constexpr std::string_view kName = "SqueezeExcite";
  static constexpr auto kFields = Fields{Field{1, "inner", &SqueezeExcite::inner}};
  static constexpr OpTraits kTraits = {.anchor = true, .operands = 5};
};
Result<Facts> infer(const SqueezeExcite& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const SqueezeExcite& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
