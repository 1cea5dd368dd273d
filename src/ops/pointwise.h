// Pointwise: an expression on inputs that broadcast together; one output per result. All elementwise ONNX operators become this.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Pointwise {
  Expr expr;
  static constexpr std::string_view kName = "Pointwise";
  static constexpr auto kFields = Fields{Field{1, "expr", &Pointwise::expr}};
};
Result<Facts> infer(const Pointwise& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Pointwise& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
