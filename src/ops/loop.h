// Loop: trip count?, condition?, carried values, captures → final carried values, scan outputs (stacked along a new dim 0).
// The body: iteration (i64 scalar), condition (bool scalar), carried, captures → condition, carried, scan outputs.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Loop {
  int64_t captures = 0;  // count of trailing inputs
  static constexpr std::string_view kName = "Loop";
  static constexpr OpTraits kTraits{.has_regions = true};
  static constexpr auto kFields = Fields{Field{1, "captures", &Loop::captures}};
};
Result<Facts> infer(const Loop& op, std::span<const Fact> in, InferCtx& ctx);

}  // namespace tenon::ops
