// TopK: x, k → the k largest or smallest along `axis` and their i64 indices. Of equal values the one with the lower index comes first.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct TopK {
  int64_t axis = -1;
  bool largest = true;
  bool sorted = true;
  static constexpr std::string_view kName = "TopK";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields =
      Fields{Field{1, "axis", &TopK::axis}, Field{2, "largest", &TopK::largest}, Field{3, "sorted", &TopK::sorted}};
};
Result<Facts> infer(const TopK& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const TopK& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
