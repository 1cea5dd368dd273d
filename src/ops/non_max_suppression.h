// NonMaxSuppression: boxes [batch, n, 4], scores [batch, class, n], max_output_boxes_per_class?, iou_threshold?, score_threshold? →
// i64 [selected, 3]: batch, class, box.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct NonMaxSuppression {
  bool center_point_box = false;  // x, y, width, height instead of two corners y, x
  static constexpr std::string_view kName = "NonMaxSuppression";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "center_point_box", &NonMaxSuppression::center_point_box}};
};
Result<Facts> infer(const NonMaxSuppression& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const NonMaxSuppression& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
