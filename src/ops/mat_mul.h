// MatMul: NumPy's matmul of a and b, either of them with its last two dims swapped first. row_norm: of a, whose last dim is normalised;
// with `layer` a third input holds the sums over k of b, f32 [n] (engine/problem.h has the formula).
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct MatMul {
  bool trans_a = false, trans_b = false;
  engine::RowNorm row_norm = engine::RowNorm::none;
  double epsilon = 0;
  static constexpr std::string_view kName = "MatMul";
  static constexpr auto kFields = Fields{Field{1, "trans_a", &MatMul::trans_a}, Field{2, "trans_b", &MatMul::trans_b},
                                         Field{3, "row_norm", &MatMul::row_norm}, Field{4, "epsilon", &MatMul::epsilon}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const MatMul& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const MatMul& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
