// Resize: x, roi?, scales?, sizes?: interpolation as ONNX Resize-19 defines it. Scales or sizes are those of `axes`, or of all dims.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

using engine::CoordinateTransform;
using engine::NearestMode;
using engine::ResizeMode;
enum class AspectPolicy : uint8_t { stretch, not_larger, not_smaller };
constexpr auto enum_names(AspectPolicy) { return std::array<std::string_view, 3>{"stretch", "not_larger", "not_smaller"}; }

struct Resize {
  ResizeMode mode = ResizeMode::nearest;
  CoordinateTransform coordinate_transform = CoordinateTransform::half_pixel;
  NearestMode nearest_mode = NearestMode::round_prefer_floor;
  AspectPolicy aspect_policy = AspectPolicy::stretch;
  bool antialias = false;
  bool exclude_outside = false;
  double cubic_coeff_a = -0.75;
  double extrapolation_value = 0;
  std::vector<int64_t> axes;
  static constexpr std::string_view kName = "Resize";
  static constexpr auto kFields = Fields{Field{1, "mode", &Resize::mode},
                                         Field{2, "coordinate_transform", &Resize::coordinate_transform},
                                         Field{3, "nearest_mode", &Resize::nearest_mode},
                                         Field{4, "aspect_policy", &Resize::aspect_policy},
                                         Field{5, "antialias", &Resize::antialias},
                                         Field{6, "exclude_outside", &Resize::exclude_outside},
                                         Field{7, "cubic_coeff_a", &Resize::cubic_coeff_a},
                                         Field{8, "extrapolation_value", &Resize::extrapolation_value},
                                         Field{9, "axes", &Resize::axes}};
};
Result<Facts> infer(const Resize& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Resize& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Resize& op, std::span<const HostValue> in, std::span<HostValue> out);
/// What both come to: with sizes that may be symbols, and once every size is a number.
Result<engine::ResizeProblem> resize_problem(const Resize& op, std::span<const Fact> in, const Fact& out);
Result<void> resize(const engine::ResizeProblem& p, const Tensor& x, HostValue& out);

}  // namespace tenon::ops
