// ConstantOfShape: dims and a value of one element, repeated.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct ConstantOfShape {
  static constexpr std::string_view kName = "ConstantOfShape";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const ConstantOfShape& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const ConstantOfShape& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const ConstantOfShape& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
