// MaxRoiPool: x [N, C, H, W], rois [count, 5] (batch, x and y of two corners) → [count, C, pooled_height, pooled_width]: the largest
// element of each bin of a box whose corners are rounded to pixels, 0 where a bin has none.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct MaxRoiPool {
  int64_t pooled_height = 1;
  int64_t pooled_width = 1;
  double spatial_scale = 1;
  static constexpr std::string_view kName = "MaxRoiPool";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields =
      Fields{Field{1, "pooled_height", &MaxRoiPool::pooled_height}, Field{2, "pooled_width", &MaxRoiPool::pooled_width},
             Field{3, "spatial_scale", &MaxRoiPool::spatial_scale}};
};
Result<Facts> infer(const MaxRoiPool& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const MaxRoiPool& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
