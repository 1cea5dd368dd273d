// RoiAlign: x [N, C, H, W], rois [count, 4] (x, y of two corners), batch_indices [count] → [count, C, output_height, output_width].
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct RoiAlign {
  bool maximum = false;  // of the samples of a bin, instead of their mean
  int64_t output_height = 1;
  int64_t output_width = 1;
  int64_t sampling_ratio = 0;  // samples per bin and axis; 0: as many as pixels
  double spatial_scale = 1;
  bool half_pixel = true;  // shifts by half a pixel, and lets boxes be smaller than one
  static constexpr std::string_view kName = "RoiAlign";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "maximum", &RoiAlign::maximum},
                                         Field{2, "output_height", &RoiAlign::output_height},
                                         Field{3, "output_width", &RoiAlign::output_width},
                                         Field{4, "sampling_ratio", &RoiAlign::sampling_ratio},
                                         Field{5, "spatial_scale", &RoiAlign::spatial_scale},
                                         Field{6, "half_pixel", &RoiAlign::half_pixel}};
};
Result<Facts> infer(const RoiAlign& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const RoiAlign& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
