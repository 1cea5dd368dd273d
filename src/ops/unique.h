// Unique: the distinct elements (no axis) or slices along `axis`; outputs y, and i64 first indices, inverse indices, counts.
// Sorted ascending, or in order of first appearance.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Unique {
  std::optional<int64_t> axis;
  bool sorted = true;
  static constexpr std::string_view kName = "Unique";
  static constexpr auto kFields = Fields{Field{1, "axis", &Unique::axis}, Field{2, "sorted", &Unique::sorted}};
};
Result<Facts> infer(const Unique& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Unique& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
