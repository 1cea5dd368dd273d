// CumSum and CumProd: x, axis (a scalar) → running sums or products.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct CumSum {
  bool exclusive = false;  // without the element itself
  bool reverse = false;    // from the end
  bool product = false;
  static constexpr std::string_view kName = "CumSum";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields =
      Fields{Field{1, "exclusive", &CumSum::exclusive}, Field{2, "reverse", &CumSum::reverse}, Field{3, "product", &CumSum::product}};
};
Result<Facts> infer(const CumSum& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const CumSum& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
