// Range: start, limit, delta (scalars of one type) → start, start + delta, … below limit.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Range {
  static constexpr std::string_view kName = "Range";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Range& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Range& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Range& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
