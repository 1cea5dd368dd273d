// Images: resizing, boxes.
#include <algorithm>

#include "onnx/node_import.h"
#include "ops/non_max_suppression.h"
#include "ops/resize.h"

namespace tenon::onnx {
namespace {

/// An operand that shape inference reads; an empty tensor, which Resize-11 has for an absent one, becomes none.
ValueId operand(NodeImport& n, size_t i) {
  const ValueId id = n.input(i);
  const Fact& fact = n.fact(id);
  if (fact.has_rank() && fact.rank() == 1 && fact.shape()[0] == Dim(0)) return ValueId::none;
  return n.frozen(id);
}

/// Opsets before 11 know one rule: out x reads in x / scale, rounded down.
ops::Resize asymmetric(NodeImport& n) {
  const std::string mode = n.string_attr("mode", "nearest");
  ops::Resize resize{.mode = mode == "linear" || mode == "bilinear" ? ops::ResizeMode::linear : ops::ResizeMode::nearest,
                     .coordinate_transform = ops::CoordinateTransform::asymmetric,
                     .nearest_mode = ops::NearestMode::floor};
  if (mode != "nearest" && resize.mode == ops::ResizeMode::nearest) n.refuse("attribute 'mode' is '{}', wanted nearest or linear", mode);
  return resize;
}

ValueId floats(NodeImport& n, const std::vector<double>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  return n.constant(make_tensor<float>(DType::f32, {static_cast<int64_t>(narrow.size())}, narrow));
}

}  // namespace

Result<Values> import_resize(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  if (n.opset() < 11) return Values{n.emit(asymmetric(n), {x, ValueId::none, n.frozen(n.required(1, "scales"))})};
  ops::Resize resize;
  resize.mode = n.enum_attr("mode", resize.mode);
  // tf_half_pixel_for_nn exists in opset 11 alone.
  resize.coordinate_transform = n.enum_attr("coordinate_transformation_mode", resize.coordinate_transform);
  resize.nearest_mode = n.enum_attr("nearest_mode", resize.nearest_mode);
  resize.aspect_policy = n.enum_attr("keep_aspect_ratio_policy", resize.aspect_policy);
  resize.antialias = n.int_attr("antialias", 0) != 0;
  resize.exclude_outside = n.int_attr("exclude_outside", 0) != 0;
  resize.cubic_coeff_a = n.float_attr("cubic_coeff_a", -0.75);
  resize.extrapolation_value = n.float_attr("extrapolation_value", 0);
  resize.axes = n.ints_attr("axes");
  const bool crops = resize.coordinate_transform == ops::CoordinateTransform::tf_crop_and_resize;
  const ValueId sizes = operand(n, 3);
  return Values{
      n.emit(std::move(resize), {x, crops ? operand(n, 1) : ValueId::none, sizes == ValueId::none ? operand(n, 2) : ValueId::none, sizes})};
}

Result<Values> import_upsample(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const ops::Resize resize = asymmetric(n);
  ValueId scales = ValueId::none;
  if (n.opset() >= 9) {
    scales = n.frozen(n.required(1, "scales"));
  } else if (n.opset() >= 7) {
    scales = floats(n, n.floats_attr("scales"));
  } else {
    scales = floats(n, {1, 1, n.float_attr("height_scale", 1), n.float_attr("width_scale", 1)});
  }
  return Values{n.emit(resize, {x, ValueId::none, scales})};
}

Result<Values> import_non_max_suppression(NodeImport& n) {
  Values in{n.required(0, "boxes"), n.required(1, "scores")};
  for (size_t i = 2; i < 5; ++i) in.push_back(n.frozen(n.input(i)));
  return Values{n.emit(ops::NonMaxSuppression{.center_point_box = n.int_attr("center_point_box", 0) != 0}, std::move(in))};
}

}  // namespace tenon::onnx
