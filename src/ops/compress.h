// Compress: x, condition (bools, rank 1): the slices along `axis` whose condition holds; no axis: of the flattened input.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Compress {
  std::optional<int64_t> axis;
  static constexpr std::string_view kName = "Compress";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &Compress::axis}};
};
Result<Facts> infer(const Compress& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Compress& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
