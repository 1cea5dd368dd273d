// Reduce: sum, mean, maximum … along axes; arg_max and arg_min give the index along their one axis.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Reduce {
  engine::ReduceKind kind = engine::ReduceKind::sum;
  std::vector<int64_t> axes;  // empty: all
  bool keepdims = true;
  bool last_index = false;  // arg_*: of equal values, the last
  static constexpr std::string_view kName = "Reduce";
  static constexpr auto kFields = Fields{Field{1, "kind", &Reduce::kind}, Field{2, "axes", &Reduce::axes},
                                         Field{3, "keepdims", &Reduce::keepdims}, Field{4, "last_index", &Reduce::last_index}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const Reduce& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Reduce& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
