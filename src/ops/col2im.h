// Col2Im: columns [N, C · block, positions], image_shape, block_shape → [N, C, image_shape...]: overlapping blocks add up.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Col2Im {
  std::vector<int64_t> dilations;  // empty: ones
  std::vector<int64_t> pads;       // begins, then ends; empty: zeros
  std::vector<int64_t> strides;
  static constexpr std::string_view kName = "Col2Im";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields =
      Fields{Field{1, "dilations", &Col2Im::dilations}, Field{2, "pads", &Col2Im::pads}, Field{3, "strides", &Col2Im::strides}};
};
Result<Facts> infer(const Col2Im& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Col2Im& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
