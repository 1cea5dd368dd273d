// com.microsoft's products of quantised matrices.
#include "onnx/import_attrs.h"
#include "onnx/import_quant.h"
#include "ops/mat_mul.h"
#include "ops/recurrent.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/transpose.h"

namespace tenon::onnx {

ValueId integer_product(NodeImport& n, ValueId a, ValueId a_scale, ValueId a_zero, ValueId b, ValueId b_scale, ValueId b_zero) {
  const ValueId sum = n.emit(ops::MatMul{}, {centred(n, a, a_zero, 1), centred(n, b, b_zero, 0)});
  return n.pointwise({sum, a_scale, b_scale},
                     [](const std::vector<Term>& t) { return t[0].cast(DType::f32) * (t[1].cast(DType::f32) * t[2].cast(DType::f32)); });
}

namespace {

ValueId with_bias(NodeImport& n, ValueId y, size_t bias) {
  if (!n.has_input(bias)) return y;
  return n.pointwise({y, n.input(bias)}, [](const std::vector<Term>& t) { return t[0].cast(t[1].type()) + t[1]; });
}

}  // namespace

Result<Values> import_dynamic_quantize_matmul(NodeImport& n) {
  const Values a = dynamically_quantized(n, n.required(0, "A"));
  const ValueId y = integer_product(n, a[0], a[1], a[2], n.required(1, "B"), n.required(2, "b_scale"), n.input(3));
  return Values{with_bias(n, y, 4)};
}

Result<Values> import_matmul_integer_to_float(NodeImport& n) {
  const ValueId scale = n.required(2, "a_scale");
  const ValueId y = integer_product(n, n.required(0, "A"), scale, n.input(4), n.required(1, "B"), n.required(3, "b_scale"), n.input(5));
  return Values{n.cast(with_bias(n, y, 6), n.dtype(scale))};
}

Result<Values> import_matmul_integer16(NodeImport& n) {
  const ValueId a = n.required(0, "A"), b = n.required(1, "B");
  const bool is_unsigned = n.dtype(a) == DType::u16 && n.dtype(b) == DType::u16;
  const ValueId y = n.emit(ops::MatMul{}, {n.cast(a, DType::i32), n.cast(b, DType::i32)});
  return Values{is_unsigned ? n.cast(y, DType::u32) : y};
}

/// alpha · (a_scale · b_scale) · (A' · B' + C): C counts in the product's own units. Without y_scale the result is a float.
Result<Values> import_q_gemm(NodeImport& n) {
  const ops::MatMul product{.trans_a = n.int_attr("transA", 0) != 0, .trans_b = n.int_attr("transB", 0) != 0};
  const ValueId a = centred(n, n.required(0, "A"), n.required(2, "a_zero_point"), 0);
  const ValueId b = centred(n, n.required(3, "B"), n.required(5, "b_zero_point"), product.trans_b ? 1 : 0);
  const double alpha = n.float_attr("alpha", 1);
  ValueId sum = n.emit(product, {a, b});
  if (n.has_input(6)) sum = n.pointwise({sum, n.input(6)}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  const ValueId a_scale = n.pointwise({n.required(1, "a_scale")}, [&](const std::vector<Term>& t) { return t[0] * alpha; });
  const ValueId b_scale = n.required(4, "b_scale");
  if (n.has_input(7)) {
    const ValueId zero = n.has_input(8) ? n.input(8) : n.scalar(n.dtype(n.input(0)), 0);
    return Values{requantized(n, sum, a_scale, b_scale, n.input(7), zero)};
  }
  return Values{n.pointwise({sum, a_scale, b_scale}, [](const std::vector<Term>& t) { return t[0].cast(DType::f32) * (t[1] * t[2]); })};
}

Result<Values> import_mul_integer(NodeImport& n) {
  const ValueId a = centred(n, n.required(0, "A"), n.input(1), 0), b = centred(n, n.required(2, "B"), n.input(3), 0);
  return Values{n.pointwise({a, b}, [](const std::vector<Term>& t) { return t[0] * t[1]; })};
}
Result<Values> import_reduce_sum_integer(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  const ops::Reduce sum{.kind = engine::ReduceKind::sum, .axes = n.ints_attr("axes"), .keepdims = n.int_attr("keepdims", 1) != 0};
  return Values{n.emit(sum, {n.cast(x, n.dtype(x) == DType::u8 ? DType::u32 : DType::i32)})};
}

/// An LSTM with quantised weights W [directions, input, 4·hidden] and R [directions, hidden, 4·hidden], one scale and zero point per
/// direction or per column. The inputs and the state stay floats: finer than the 8 bits that onnxruntime makes of them in every step.
Result<Values> import_dynamic_quantize_lstm(NodeImport& n) {
  ops::LSTM lstm{.direction = n.enum_attr("direction", ops::RnnDirection::forward),
                 .hidden_size = n.int_attr("hidden_size", 0),
                 .activations = n.strings_attr("activations"),
                 .alpha = n.floats_attr("activation_alpha"),
                 .beta = n.floats_attr("activation_beta"),
                 .input_forget = n.int_attr("input_forget", 0) != 0};
  if (n.has_attr("clip")) lstm.clip = n.float_attr("clip", 0);
  const auto weights = [&](size_t i, size_t scale) {
    const auto wide = [&](ValueId parameter) {
      return n.emit(ops::Unsqueeze{.axes = n.rank(parameter) == 1 ? Dims{1, 2} : Dims{1}}, {parameter});
    };
    const Values in{n.required(i, "weights"), wide(n.required(scale, "scale")), wide(n.required(scale + 1, "zero_point"))};
    const ValueId w =
        n.pointwise(in, [](const std::vector<Term>& t) { return (t[0].cast(DType::i32) - t[2].cast(DType::i32)).cast(DType::f32) * t[1]; });
    return n.emit(ops::Transpose{.perm = {0, 2, 1}}, {w});
  };
  Values in{n.required(0, "X"), weights(1, 8), weights(2, 10)};
  for (size_t i = 3; i < 8; ++i) in.push_back(n.input(i));
  while (!in.empty() && in.back() == ValueId::none) in.pop_back();
  return n.emit(std::move(lstm), std::move(in), std::min<size_t>(3, std::max<size_t>(n.output_count(), 1)));
}

}  // namespace tenon::onnx
