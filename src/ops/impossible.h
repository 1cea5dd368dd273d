// Impossible: stands in a branch or body for a node that the sizes of its inputs forbid. A run that gets there fails with the reason.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Impossible {
  std::string why;
  std::vector<ValueType> types;  // of the outputs
  static constexpr std::string_view kName = "Impossible";
  static constexpr OpTraits kTraits{.impure = true, .operands = 0};
  static constexpr auto kFields = Fields{Field{1, "why", &Impossible::why}, Field{2, "types", &Impossible::types}};
};
Result<Facts> infer(const Impossible& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Impossible& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
