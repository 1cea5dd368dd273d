// Operators of files from before the opset was settled, and of the converters of that time.
#include <algorithm>

#include "onnx/import_attrs.h"
#include "ops/mat_mul.h"
#include "ops/pad.h"
#include "ops/reshape.h"

namespace tenon::onnx {

namespace {
bool are_counts(const Dims& list) {
  return std::ranges::all_of(list, [](int64_t x) { return x >= -NodeImport::kMostCount && x <= NodeImport::kMostCount; });
}
}  // namespace

/// scale · x + bias of the channel.
Result<Values> import_image_scaler(NodeImport& n) {
  const double scale = n.float_attr("scale", 1);
  const std::vector<double> bias = n.floats_attr("bias");
  const std::vector<float> narrow(bias.begin(), bias.end());
  const ValueId channels = n.constant(make_tensor<float>(DType::f32, {static_cast<int64_t>(narrow.size()), 1, 1}, narrow));
  return Values{
      n.pointwise({n.required(0, "input"), channels}, [&](const std::vector<Term>& t) { return t[0] * scale + t[1].cast(t[0].type()); })};
}

/// [N, C, H, W] without `border` (left, top, right, bottom); with `scale` (height, width) from the left top corner on.
Result<Values> import_crop(NodeImport& n) {
  const Dims border = n.ints_attr("border"), scale = n.ints_attr("scale");
  ValueId x = n.required(0, "input");
  if (border.size() != 4 || (!scale.empty() && scale.size() != 2)) n.refuse("border wants 4 entries, scale none or 2");
  if (!are_counts(border) || !are_counts(scale)) n.refuse("border or scale is too large");
  if (n.failed()) return Values{};
  const auto end = [](int64_t amount) { return amount == 0 ? INT64_MAX : -amount; };
  x = cut(n, x, 2, border[1], scale.empty() ? end(border[3]) : border[1] + scale[0]);
  return Values{cut(n, x, 3, border[0], scale.empty() ? end(border[2]) : border[0] + scale[1])};
}

Result<Values> import_affine(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1), beta = n.float_attr("beta", 0);
  return Values{n.pointwise({n.required(0, "X")}, [&](const std::vector<Term>& t) { return t[0] * alpha + beta; })};
}
Result<Values> import_scaled_tanh(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1), beta = n.float_attr("beta", 1);
  return Values{n.pointwise({n.required(0, "input")}, [&](const std::vector<Term>& t) { return apply(Fn::tanh, t[0] * beta) * alpha; })};
}
Result<Values> import_parametric_softplus(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1), beta = n.float_attr("beta", 1);
  return Values{n.pointwise({n.required(0, "X")}, [&](const std::vector<Term>& t) { return apply(Fn::softplus, t[0] * beta) * alpha; })};
}

/// Caffe2's fully connected layer: X as a matrix (split at `axis`) times the transpose of W, plus b.
Result<Values> import_fc(NodeImport& n) {
  const ValueId x = n.emit(ops::Flatten{.axis = n.int_attr("axis", 1)}, {n.required(0, "X")});
  const ValueId w = n.emit(ops::Flatten{.axis = n.int_attr("axis_w", 1)}, {n.required(1, "W")});
  const ValueId y = n.emit(ops::MatMul{.trans_b = true}, {x, w});
  return Values{n.pointwise({y, n.required(2, "b")}, [](const std::vector<Term>& t) { return t[0] + t[1]; })};
}

/// What Caffe's rounding up needs behind the input: padding so that the last window fits. Wants known sizes.
Result<Values> import_legacy_padding(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const int64_t rank = n.rank(x);
  const Dims kernel = n.ints_attr("kernel_shape"), strides = n.ints_attr("strides"), pads = n.ints_attr("pads", Dims(kernel.size(), 0));
  if (rank != static_cast<int64_t>(kernel.size()) + 2 || strides.size() != kernel.size() || pads.size() < kernel.size())
    n.refuse("kernel_shape, strides and pads do not fit an input of rank {}", rank);
  if (!are_counts(kernel) || !are_counts(strides) || !are_counts(pads)) n.refuse("kernel_shape, strides or pads are too large");
  Dims amounts(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < kernel.size() && !n.failed(); ++i) {
    const auto size = n.size(x, static_cast<int64_t>(i) + 2);
    if (!size || strides[i] < 1) n.unsupported("sizes must be known when the model is imported");
    if (n.failed()) break;
    const int64_t reach = *size + 2 * pads[i] - kernel[i];
    int64_t steps = (reach + strides[i] - 1) / strides[i];
    if (steps * strides[i] >= *size + pads[i]) --steps;  // no window starts behind the input
    amounts[i + 2] = pads[i];
    amounts[i + 2 + static_cast<size_t>(rank)] = std::max(steps * strides[i] + kernel[i] - *size - pads[i], pads[i]);
  }
  return Values{n.emit(ops::Pad{}, {x, n.int_list(amounts), n.scalar(n.dtype(x), n.float_attr("value", 0))})};
}

}  // namespace tenon::onnx
