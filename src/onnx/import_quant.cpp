// Quantised operators: exact integer products, and Q/DQ as they stand.
#include <algorithm>

#include "onnx/import_attrs.h"
#include "onnx/import_quant.h"
#include "ops/conv.h"
#include "ops/mat_mul.h"
#include "ops/pointwise.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/reshape.h"

namespace tenon::onnx {

ValueId spread_parameter(NodeImport& n, ValueId parameter, int64_t behind) {
  if (parameter == ValueId::none || behind == 0 || n.rank(parameter) != 1) return parameter;
  Dims axes;
  for (int64_t i = 1; i <= behind; ++i) axes.push_back(i);
  return n.emit(ops::Unsqueeze{.axes = axes}, {parameter});
}

ValueId centred(NodeImport& n, ValueId x, ValueId zero, int64_t behind) {
  const auto known = n.ints(zero);
  const bool nothing = zero == ValueId::none || (known && std::ranges::all_of(*known, [](int64_t value) { return value == 0; }));
  if (nothing) return n.cast(x, DType::i32);
  return n.pointwise({x, spread_parameter(n, zero, behind)},
                     [](const std::vector<Term>& t) { return t[0].cast(DType::i32) - t[1].cast(DType::i32); });
}

ValueId requantized(NodeImport& n, ValueId sum, ValueId a_scale, ValueId b_scale, ValueId y_scale, ValueId y_zero) {
  const DType type = n.dtype(y_zero);
  return n.pointwise({sum, a_scale, b_scale, y_scale, y_zero}, [&](const std::vector<Term>& t) {
    const Term factor = t[1].cast(DType::f32) * t[2].cast(DType::f32) / t[3].cast(DType::f32);
    const Term y = apply(Fn::round, t[0].cast(DType::f32) * factor) + t[4].cast(DType::f32);
    return Term{y.expr, y.expr->add_cast(y.node, type, true)};
  });
}

Result<Values> import_quantize_linear(NodeImport& n) {
  const ops::QuantizeLinear quantize{.axis = n.int_attr("axis", 1),
                                     .block_size = n.int_attr("block_size", 0),
                                     .saturate = n.int_attr("saturate", 1) != 0,
                                     .dtype = n.int_attr("output_dtype", 0) != 0 ? n.dtype_attr("output_dtype", DType::none) : DType::none,
                                     .precision = n.int_attr("precision", 0) != 0 ? n.dtype_attr("precision", DType::none) : DType::none};
  return Values{n.emit(quantize, {n.required(0, "x"), n.required(1, "y_scale"), n.input(2)})};
}
Result<Values> import_dequantize_linear(NodeImport& n) {
  const ops::DequantizeLinear dequantize{
      .axis = n.int_attr("axis", 1),
      .block_size = n.int_attr("block_size", 0),
      .dtype = n.int_attr("output_dtype", 0) != 0 ? n.dtype_attr("output_dtype", DType::none) : DType::none};
  return Values{n.emit(dequantize, {n.required(0, "x"), n.required(1, "x_scale"), n.input(2)})};
}

Values dynamically_quantized(NodeImport& n, ValueId x) {
  const ValueId least = n.emit(ops::Reduce{.kind = engine::ReduceKind::min, .keepdims = false}, {x});
  const ValueId most = n.emit(ops::Reduce{.kind = engine::ReduceKind::max, .keepdims = false}, {x});
  const ValueId scale = n.pointwise(
      {least, most}, [](const std::vector<Term>& t) { return (max(t[1], t[1].constant(0)) - min(t[0], t[0].constant(0))) / 255; });
  const ValueId zero = n.pointwise({least, scale}, [](const std::vector<Term>& t) {
    // All zeros have no range: any scale serves, and the zero point is 0.
    const Term none = Term{t[1].expr, t[1].expr->add(Fn::equal, t[1].node, t[1].constant(0).node)};
    const Term at = where(none, t[1].constant(0), -min(t[0], t[0].constant(0)) / t[1]);
    const Term rounded = apply(Fn::round, max(min(at, at.constant(255)), at.constant(0)));
    return rounded.cast(DType::u8);
  });
  return {n.emit(ops::QuantizeLinear{}, {x, scale, zero}), scale, zero};
}

Result<Values> import_dynamic_quantize_linear(NodeImport& n) { return dynamically_quantized(n, n.required(0, "x")); }

Result<Values> import_matmul_integer(NodeImport& n) {
  const ValueId a = centred(n, n.required(0, "A"), n.input(2), 1), b = centred(n, n.required(1, "B"), n.input(3), 0);
  return Values{n.emit(ops::MatMul{}, {a, b})};
}
Result<Values> import_qlinear_matmul(NodeImport& n) {
  const ValueId a = centred(n, n.required(0, "a"), n.required(2, "a_zero_point"), 1);
  const ValueId b = centred(n, n.required(3, "b"), n.required(5, "b_zero_point"), 0);
  const ValueId sum = n.emit(ops::MatMul{}, {a, b});
  return Values{requantized(n, sum, spread_parameter(n, n.required(1, "a_scale"), 1), n.required(4, "b_scale"),
                            spread_parameter(n, n.required(6, "y_scale"), 1), spread_parameter(n, n.required(7, "y_zero_point"), 1))};
}

Result<Values> import_conv_integer(NodeImport& n) {
  const ValueId x = n.required(0, "x"), w = n.required(1, "w");
  const int64_t behind = n.has_input(3) ? n.rank(w) - 1 : 0;
  return Values{n.emit(conv_of(n), {centred(n, x, n.input(2), 0), centred(n, w, n.input(3), behind)})};
}
Result<Values> import_qlinear_conv(NodeImport& n) {
  const ValueId x = centred(n, n.required(0, "x"), n.required(2, "x_zero_point"), 0);
  const ValueId weights = n.required(3, "w");
  const int64_t rank = n.rank(weights);
  const ValueId w = centred(n, weights, n.required(5, "w_zero_point"), rank - 1);
  Values in{x, w};
  if (n.has_input(8)) in.push_back(n.input(8));
  const ValueId sum = n.emit(conv_of(n), std::move(in));
  return Values{requantized(n, sum, n.required(1, "x_scale"), spread_parameter(n, n.required(4, "w_scale"), rank - 2),
                            n.required(6, "y_scale"), n.required(7, "y_zero_point"))};
}

}  // namespace tenon::onnx
