// Images: resizing, boxes.
#include <algorithm>

#include "onnx/import_attrs.h"
#include "ops/col2im.h"
#include "ops/concat.h"
#include "ops/constant_of_shape.h"
#include "ops/deform_conv.h"
#include "ops/gather.h"
#include "ops/grid_sample.h"
#include "ops/image_decode.h"
#include "ops/max_roi_pool.h"
#include "ops/non_max_suppression.h"
#include "ops/pad.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/resize.h"
#include "ops/roi_align.h"
#include "ops/scatter.h"
#include "ops/shape_of.h"
#include "ops/slice.h"

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

Result<Values> import_grid_sample(NodeImport& n) {
  ops::GridSample sample{.align_corners = n.int_attr("align_corners", 0) != 0};
  sample.padding = n.enum_attr("padding_mode", sample.padding);
  const std::string mode = n.string_attr("mode", "linear");
  if (mode == "nearest") sample.mode = ops::GridMode::nearest;
  if (mode == "cubic" || mode == "bicubic") sample.mode = ops::GridMode::cubic;  // opset 16 names the 2D kinds
  if (mode != "nearest" && mode != "cubic" && mode != "bicubic" && mode != "linear" && mode != "bilinear")
    n.refuse("attribute 'mode' is '{}', wanted nearest, linear or cubic", mode);
  return Values{n.emit(sample, {n.required(0, "X"), n.required(1, "grid")})};
}

/// The grid of an affine map: theta [N, r, r + 1] times the homogeneous coordinates of every element, the last dim first.
Result<Values> import_affine_grid(NodeImport& n) {
  const bool align = n.int_attr("align_corners", 0) != 0;
  const ValueId theta = n.required(0, "theta"), size = n.required(1, "size");
  auto count = n.fact(size).has_rank() && n.fact(size).rank() == 1 ? n.size(size, 0) : std::nullopt;
  if (const Fact& map = n.fact(theta); !count && map.has_rank() && map.rank() == 3)  // r is 2 or 3, and size has r + 2 elements
    if (const auto rows = map.shape()[1].constant()) count = *rows + 2;
  if (!count && n.fact(size).has_rank() && n.fact(size).rank() == 1)
    n.unsupported("the number of dims must be known: give theta or size its shape");
  if (!count || (*count != 4 && *count != 5)) n.refuse("size must have 4 or 5 elements, got {}", to_string(n.fact(size).shape()));
  if (n.failed()) return Values{};
  const int64_t spatial = *count - 2, rank = spatial + 2;  // of [N, spatial..., 1]
  Values in;
  for (int64_t d = 0; d < spatial; ++d) {  // coordinates along dim d, and the size they depend on
    const ValueId length = n.emit(ops::Gather{}, {size, n.int_list({d + 2})});
    const ValueId ones = n.emit(ops::ConstantOfShape{}, {length, n.scalar(DType::f32, 0)});
    in.push_back(n.indices_of(ones, 0, d + 1, rank));
    in.push_back(length);
  }
  const DType type = n.dtype(theta);
  Values coordinates;
  for (int64_t d = spatial; d-- > 0;)
    coordinates.push_back(
        n.pointwise({in[static_cast<size_t>(2 * d)], in[static_cast<size_t>(2 * d + 1)]}, [&](const std::vector<Term>& t) {
          const Term i = t[0].cast(DType::f32), length = t[1].cast(DType::f32);
          return (align ? i * 2 / (length - 1) - 1 : (i * 2 + 1) / length - 1).cast(type);
        }));
  Values rows;
  for (int64_t row = 0; row < spatial; ++row) {
    Values parts = coordinates;
    for (int64_t k = 0; k <= spatial; ++k) {  // theta[:, row, k] as [N, 1, …, 1]
      const ValueId one = cut(n, cut(n, theta, 1, row, row + 1), 2, k, k + 1);
      Dims axes;
      for (int64_t a = 3; a < rank; ++a) axes.push_back(a);
      parts.push_back(axes.empty() ? one : n.emit(ops::Unsqueeze{.axes = axes}, {one}));
    }
    rows.push_back(n.pointwise(parts, [&](const std::vector<Term>& t) {
      const auto r = static_cast<size_t>(spatial);
      Term sum = t[2 * r];
      for (size_t k = 0; k < r; ++k) sum = sum + t[k] * t[r + k];
      return sum;
    }));
  }
  return Values{n.emit(ops::Concat{.axis = -1}, rows)};
}

Result<Values> import_roi_align(NodeImport& n) {
  ops::RoiAlign align{.output_height = n.int_attr("output_height", 1), .output_width = n.int_attr("output_width", 1)};
  align.sampling_ratio = n.int_attr("sampling_ratio", 0);
  align.spatial_scale = n.float_attr("spatial_scale", 1);
  const std::string mode = n.string_attr("mode", "avg");
  align.maximum = mode == "max";
  align.half_pixel = n.opset() >= 16 && n.string_attr("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  if (mode != "avg" && mode != "max") n.refuse("attribute 'mode' is '{}', wanted avg or max", mode);
  return Values{n.emit(align, {n.required(0, "X"), n.required(1, "rois"), n.required(2, "batch_indices")})};
}

Result<Values> import_image_decoder(NodeImport& n) {
  const ops::ImageDecode op{.pixel_format = n.enum_attr("pixel_format", ops::PixelFormat::rgb)};
  return Values{n.emit(op, {n.required(0, "encoded_stream")})};
}

Result<Values> import_max_roi_pool(NodeImport& n) {
  const Dims pooled = n.ints_attr("pooled_shape");
  if (pooled.size() != 2) n.refuse("attribute 'pooled_shape' wants a height and a width, got {}", tenon::to_string(pooled));
  if (n.failed()) return Values{};
  const ops::MaxRoiPool op{.pooled_height = pooled[0], .pooled_width = pooled[1], .spatial_scale = n.float_attr("spatial_scale", 1)};
  return Values{n.emit(op, {n.required(0, "X"), n.required(1, "rois")})};
}

Result<Values> import_col2im(NodeImport& n) {
  const ops::Col2Im op{.dilations = n.ints_attr("dilations"), .pads = n.ints_attr("pads"), .strides = n.ints_attr("strides")};
  return Values{n.emit(op, {n.required(0, "input"), n.required(1, "image_shape"), n.required(2, "block_shape")})};
}

Result<Values> import_deform_conv(NodeImport& n) {
  const ops::DeformConv conv{.strides = n.ints_attr("strides"),
                             .dilations = n.ints_attr("dilations"),
                             .pads = n.ints_attr("pads"),
                             .groups = n.int_attr("group", 1),
                             .offset_groups = n.int_attr("offset_group", 1)};
  return Values{n.emit(conv, {n.required(0, "X"), n.required(1, "W"), n.required(2, "offset"), n.input(3), n.input(4)})};
}

/// Crops and pads each axis to its wanted size, the middle in the middle.
Result<Values> import_center_crop_pad(NodeImport& n) {
  ValueId x = n.required(0, "input_data");
  const ValueId wanted = n.cast(n.required(1, "shape"), DType::i64);
  const int64_t rank = n.rank(x);
  Dims axes = n.ints_attr("axes");
  if (!n.has_attr("axes"))
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  for (size_t i = 0; i < axes.size() && !n.failed(); ++i) {
    const int64_t axis = n.axis(axes[i], rank);
    const ValueId size = n.emit(ops::ShapeOf{.start = axis, .end = axis + 1}, {x});
    const Values in{size, n.emit(ops::Gather{}, {wanted, n.int_list({static_cast<int64_t>(i)})})};
    const auto pointwise = [&](Term (*formula)(Term size, Term want)) {
      return n.pointwise(in, [&](const std::vector<Term>& t) { return formula(t[0], t[1]); });
    };
    const ValueId first = pointwise([](Term size, Term want) { return max(size - want, size.constant(0)) / 2; });
    const ValueId last = pointwise([](Term size, Term want) { return max(size - want, size.constant(0)) / 2 + min(size, want); });
    const ValueId before = pointwise([](Term size, Term want) { return max(want - size, size.constant(0)) / 2; });
    const ValueId after =
        pointwise([](Term size, Term want) { return max(want - size, size.constant(0)) - max(want - size, size.constant(0)) / 2; });
    x = n.emit(ops::Slice{}, {x, first, last, n.int_list({axis})});
    x = n.emit(ops::Pad{}, {x, n.emit(ops::Concat{.axis = 0}, {before, after}), ValueId::none, n.int_list({axis})});
  }
  return Values{x};
}

/// Puts each maximum back where it was: indices count in the tensor that MaxPool had, and output_shape may be larger than that.
Result<Values> import_max_unpool(NodeImport& n) {
  const ValueId x = n.required(0, "X"), indices = n.required(1, "I");
  const int64_t rank = n.rank(x);
  const Dims kernel = n.ints_attr("kernel_shape"), strides = n.ints_attr("strides", Dims(kernel.size(), 1)),
             pads = n.ints_attr("pads", Dims(2 * kernel.size(), 0));
  if (rank != static_cast<int64_t>(kernel.size()) + 2 || strides.size() != kernel.size() || pads.size() != 2 * kernel.size())
    n.refuse("kernel_shape, strides and pads do not fit an input of rank {}", rank);
  if (n.failed()) return Values{};
  Values sizes{n.emit(ops::ShapeOf{.start = 0, .end = 2}, {x})};
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int64_t axis = static_cast<int64_t>(i) + 2;
    sizes.push_back(n.pointwise({n.emit(ops::ShapeOf{.start = axis, .end = axis + 1}, {x})}, [&](const std::vector<Term>& t) {
      return (t[0] - 1) * static_cast<double>(strides[i]) + static_cast<double>(kernel[i] - pads[i] - pads[i + kernel.size()]);
    }));
  }
  const ValueId shape = n.emit(ops::Concat{.axis = 0}, sizes);
  const ValueId count = n.emit(ops::Reduce{.kind = engine::ReduceKind::prod, .axes = {0}}, {shape});
  const ValueId zeros = n.emit(ops::ConstantOfShape{}, {count, n.scalar(n.dtype(x), 0)});
  const auto flat = [&](ValueId value) { return n.emit(ops::Reshape{}, {value, n.int_list({-1})}); };
  ValueId y = n.emit(ops::ScatterElements{}, {zeros, flat(indices), flat(x)});
  y = n.emit(ops::Reshape{.allowzero = true}, {y, shape});
  if (!n.has_input(2)) return Values{y};
  const ValueId behind = n.pointwise({n.input(2), shape}, [](const std::vector<Term>& t) { return t[0] - t[1]; });
  const ValueId nothing = n.int_list(Dims(static_cast<size_t>(rank), 0));
  return Values{n.emit(ops::Pad{}, {y, n.emit(ops::Concat{.axis = 0}, {nothing, behind})})};
}

}  // namespace tenon::onnx
