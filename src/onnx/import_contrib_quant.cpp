// com.microsoft's quantised operators on elements and windows (QLinear…): what they do to the numbers that the bytes stand for.
#include "onnx/import_attrs.h"
#include "onnx/import_quant.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// One quantised operand: input i, its scale i + 1 and its zero point i + 2.
ValueId dequantized(NodeImport& n, size_t i) {
  Values in{n.required(i, "a quantised value"), n.required(i + 1, "its scale")};
  if (n.has_input(i + 2)) in.push_back(n.input(i + 2));
  return n.emit(ops::DequantizeLinear{}, std::move(in));
}
/// y by the scale at input `scale` and the zero point behind it; without one y has the type of input `like`.
ValueId quantized(NodeImport& n, ValueId y, size_t scale, size_t like) {
  Values in{y, n.required(scale, "y_scale")};
  if (n.has_input(scale + 1)) in.push_back(n.input(scale + 1));
  return n.emit(ops::QuantizeLinear{.dtype = n.has_input(scale + 1) ? DType::none : n.dtype(n.input(like))}, std::move(in));
}

}  // namespace

/// a and b in units of y_scale, summed and rounded together with all zero points: ties fall as in onnxruntime, not as in QuantizeLinear,
/// which rounds before it adds the zero point.
Result<Values> import_qlinear_add(NodeImport& n) {
  const DType type = n.dtype(n.required(0, "A"));
  const auto zero = [&](size_t i) { return n.has_input(i) ? n.input(i) : n.scalar(type, 0); };
  const Values in{n.input(0), n.required(1, "A_scale"), zero(2), n.required(3, "B"), n.required(4, "B_scale"),
                  zero(5),    n.required(6, "C_scale"), zero(7)};
  return Values{n.pointwise(in, [&](const std::vector<Term>& t) {
    const auto real = [&](size_t i) { return t[i].cast(DType::f32); };
    const Term a = t[1] / t[6], b = t[4] / t[6];
    const Term rounded = apply(Fn::round, real(7) - (a * real(2) + b * real(5)) + real(0) * a + real(3) * b);
    return Term{rounded.expr, rounded.expr->add_cast(rounded.node, type, true)};
  })};
}
Result<Values> import_qlinear_mul(NodeImport& n) {
  const ValueId y = n.pointwise({dequantized(n, 0), dequantized(n, 3)}, [](const std::vector<Term>& t) { return t[0] * t[1]; });
  return Values{quantized(n, y, 6, 0)};
}
Result<Values> import_qlinear_sigmoid(NodeImport& n) {
  const ValueId y = n.pointwise({dequantized(n, 0)}, [](const std::vector<Term>& t) { return apply(Fn::sigmoid, t[0]); });
  return Values{quantized(n, y, 3, 0)};
}
Result<Values> import_qlinear_leaky_relu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0.01f);
  const ValueId y = n.pointwise({dequantized(n, 0)}, [&](const std::vector<Term>& t) { return where(t[0] < 0, t[0] * alpha, t[0]); });
  return Values{quantized(n, y, 3, 0)};
}

/// Of the operator's own attribute: before opset 13 softmax sees a matrix, the dims before `axis` by all the others.
Result<Values> import_qlinear_softmax(NodeImport& n) {
  const ValueId x = dequantized(n, 0);
  const int64_t opset = n.required_int("opset"), rank = n.rank(x), axis = n.axis(n.int_attr("axis", -1), rank);
  ValueId y = ValueId::none;
  if (opset >= 13 || axis == rank - 1) {
    y = n.emit(ops::Softmax{.axis = axis}, {x});
  } else {
    y = n.emit(ops::Softmax{.axis = -1}, {n.emit(ops::Flatten{.axis = axis}, {x})});
    y = n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {x})});
  }
  return Values{quantized(n, y, 3, 0)};
}

Result<Values> import_qlinear_where(NodeImport& n) {
  const ValueId y = n.pointwise({n.required(0, "condition"), dequantized(n, 1), dequantized(n, 4)},
                                [](const std::vector<Term>& t) { return where(t[0], t[1], t[2]); });
  return Values{quantized(n, y, 7, 1)};
}

Result<Values> import_qlinear_concat(NodeImport& n) {
  Values parts;
  for (size_t i = 2; i + 2 < n.input_count(); i += 3) {
    const ValueId x = n.required(i, "an input");
    parts.push_back(is_float(n.dtype(x)) ? x : dequantized(n, i));
  }
  if (parts.empty()) n.refuse("no inputs");
  const ValueId y = n.emit(ops::Concat{.axis = n.required_int("axis")}, std::move(parts));
  return Values{quantized(n, y, 0, 2)};
}

Result<Values> import_qlinear_reduce_mean(NodeImport& n) {
  const ops::Reduce mean{.kind = engine::ReduceKind::mean, .axes = n.ints_attr("axes"), .keepdims = n.int_attr("keepdims", 1) != 0};
  return Values{quantized(n, n.emit(mean, {dequantized(n, 0)}), 3, 0)};
}
Result<Values> import_qlinear_global_average_pool(NodeImport& n) {
  const ValueId x = dequantized(n, 0);
  return Values{quantized(n, over_spatial(n, engine::ReduceKind::mean, x, n.int_attr("channels_last", 0) != 0), 3, 0)};
}
Result<Values> import_qlinear_average_pool(NodeImport& n) {
  ops::Pool pool = pool_of(n, engine::PoolKind::average);
  pool.count_include_pad = n.int_attr("count_include_pad", 0) != 0;
  pool.channels_last = n.int_attr("channels_last", 0) != 0;
  return Values{quantized(n, n.emit(std::move(pool), {dequantized(n, 0)}), 3, 0)};
}

Result<Values> import_nhwc_max_pool(NodeImport& n) {
  ops::Pool pool = pool_of(n, engine::PoolKind::max);
  pool.channels_last = true;
  return Values{n.emit(std::move(pool), {n.required(0, "x")})};
}

/// ONNX's QLinearConv, and with channels_last: x and y [N, spatial..., C], w as ever.
Result<Values> import_ms_qlinear_conv(NodeImport& n) {
  const bool channels_last = n.int_attr("channels_last", 0) != 0;
  const ValueId x = centred(n, n.required(0, "x"), n.required(2, "x_zero_point"), 0);
  const ValueId weights = n.required(3, "w");
  const int64_t rank = n.rank(weights);
  ValueId w = centred(n, weights, n.required(5, "w_zero_point"), rank - 1);
  ops::Conv conv = conv_of(n);
  conv.channels_last = channels_last;
  if (channels_last) w = channels_behind(n, w);
  Values in{x, w};
  if (n.has_input(8)) in.push_back(n.input(8));
  const ValueId sum = n.emit(std::move(conv), std::move(in));
  const ValueId scale = channels_last ? n.required(4, "w_scale") : spread_parameter(n, n.required(4, "w_scale"), rank - 2);
  return Values{requantized(n, sum, n.required(1, "x_scale"), scale, n.required(6, "y_scale"), n.required(7, "y_zero_point"))};
}

}  // namespace tenon::onnx
