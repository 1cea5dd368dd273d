// DeformConv: x [N, C, H, W], w [M, C / groups, kH, kW], offset [N, offset_groups · kH · kW · 2, oH, oW], bias?, mask?: a convolution whose
// taps are moved by offsets and weighted by the mask.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct DeformConv {
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // begins, then ends
  int64_t groups = 1;
  int64_t offset_groups = 1;
  static constexpr std::string_view kName = "DeformConv";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields =
      Fields{Field{1, "strides", &DeformConv::strides}, Field{2, "dilations", &DeformConv::dilations}, Field{3, "pads", &DeformConv::pads},
             Field{4, "groups", &DeformConv::groups}, Field{5, "offset_groups", &DeformConv::offset_groups}};
};
Result<Facts> infer(const DeformConv& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const DeformConv& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
