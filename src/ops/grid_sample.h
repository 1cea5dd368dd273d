// GridSample: x [N, C, spatial...], grid [N, out spatial..., rank of spatial] of normalised coordinates, the last dim first → x sampled
// there.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

using engine::GridMode;
using engine::GridPadding;

struct GridSample {
  GridMode mode = GridMode::linear;
  GridPadding padding = GridPadding::zeros;
  bool align_corners = false;  // -1 and 1 are the centres of the outer elements, not their far edges
  static constexpr std::string_view kName = "GridSample";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "mode", &GridSample::mode}, Field{2, "padding", &GridSample::padding},
                                         Field{3, "align_corners", &GridSample::align_corners}};
};
Result<Facts> infer(const GridSample& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const GridSample& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const GridSample& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
