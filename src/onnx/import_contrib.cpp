// com.microsoft: what onnxruntime's own optimiser and quantiser write into files.
#include <cmath>
#include <numbers>

#include "onnx/import_attrs.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/quantize.h"
#include "ops/reshape.h"

namespace tenon::onnx {

Result<Values> import_conv(NodeImport& n);
Result<Values> import_gemm(NodeImport& n);

namespace {

/// The activation that a fused operator names, on its result.
ValueId activated(NodeImport& n, ValueId y) {
  const std::string name = n.string_attr("activation", "");
  const std::vector<double> p = n.floats_attr("activation_params");
  const auto parameter = [&](size_t i, double otherwise) { return i < p.size() ? p[i] : otherwise; };
  if (name.empty()) return y;
  return n.pointwise({y}, [&](const std::vector<Term>& t) {
    const Term x = t[0];
    if (name == "Relu") return apply(Fn::relu, x);
    if (name == "Tanh") return apply(Fn::tanh, x);
    if (name == "Sigmoid") return apply(Fn::sigmoid, x);
    if (name == "LeakyRelu") return where(x < 0, x * parameter(0, 0.01), x);
    if (name == "Clip") return min(max(x, x.constant(parameter(0, 0))), x.constant(parameter(1, 0)));
    if (name == "HardSigmoid") return max(x.constant(0), min(x.constant(1), x * parameter(0, 0.2) + parameter(1, 0.5)));
    n.unsupported("activation '{}'", name);
    return x;
  });
}

ValueId sum(NodeImport& n, const Values& in) {
  return n.pointwise(in, [](const std::vector<Term>& t) {
    Term all = t[0];
    for (size_t i = 1; i < t.size(); ++i) all = all + t[i];
    return all;
  });
}

/// y = norm(x + skip + bias); the fourth output is the sum.
Values skip_norm(NodeImport& n, bool rms) {
  Values parts{n.required(0, "input"), n.required(1, "skip")};
  const size_t bias = rms ? 3 : 4;
  if (n.has_input(bias)) parts.push_back(n.input(bias));
  const ValueId total = sum(n, parts);
  Values in{total, n.required(2, "gamma")};
  if (!rms && n.has_input(3)) in.push_back(n.input(3));
  const size_t outputs = n.has_output(2) ? 3 : n.has_output(1) ? 2 : 1;
  Values out = n.emit(ops::LayerNorm{.axis = -1, .epsilon = n.float_attr("epsilon", 1e-5), .rms = rms}, std::move(in), rms ? 1 : outputs);
  out.resize(3, ValueId::none);
  out.push_back(total);
  return out;
}

Term gelu(Term x) { return x * 0.5 * (apply(Fn::erf, x * (std::numbers::sqrt2 / 2)) + 1); }
Term fast_gelu(Term x) { return x * 0.5 * (apply(Fn::tanh, (x + x * x * x * 0.044715) * std::sqrt(2 / std::numbers::pi)) + 1); }
Values gelu_of_sum(NodeImport& n, Term (*formula)(Term)) {
  Values in{n.required(0, "X")};
  if (n.has_input(1)) in.push_back(n.input(1));
  return {n.pointwise(in, [&](const std::vector<Term>& t) { return formula(t.size() > 1 ? t[0] + t[1] : t[0]); })};
}

/// One quantised operand: input i, its scale i + 1 and its zero point i + 2.
ValueId dequantized(NodeImport& n, size_t i) {
  Values in{n.required(i, "a quantised value"), n.required(i + 1, "its scale")};
  if (n.has_input(i + 2)) in.push_back(n.input(i + 2));
  return n.emit(ops::DequantizeLinear{}, std::move(in));
}
ValueId quantized(NodeImport& n, ValueId y, size_t scale) {
  Values in{y, n.required(scale, "y_scale")};
  if (n.has_input(scale + 1)) in.push_back(n.input(scale + 1));
  return n.emit(ops::QuantizeLinear{.dtype = n.has_input(scale + 1) ? DType::none : DType::u8}, std::move(in));
}

}  // namespace

Result<Values> import_fused_conv(NodeImport& n) {
  TENON_TRY(y, import_conv(n));
  if (n.has_input(3)) y[0] = sum(n, {y[0], n.input(3)});
  return Values{activated(n, y[0])};
}
Result<Values> import_fused_gemm(NodeImport& n) {
  TENON_TRY(y, import_gemm(n));
  return Values{activated(n, y[0])};
}
Result<Values> import_fused_matmul(NodeImport& n) {
  if (n.int_attr("transBatchA", 0) != 0 || n.int_attr("transBatchB", 0) != 0) n.unsupported("transposed batch dims");
  const double alpha = n.float_attr("alpha", 1);
  const ValueId y = n.emit(ops::MatMul{.trans_a = n.int_attr("transA", 0) != 0, .trans_b = n.int_attr("transB", 0) != 0},
                           {n.required(0, "A"), n.required(1, "B")});
  if (alpha == 1) return Values{y};
  return Values{n.pointwise({y}, [&](const std::vector<Term>& t) { return t[0] * alpha; })};
}

Result<Values> import_ms_gelu(NodeImport& n) { return gelu_of_sum(n, gelu); }
Result<Values> import_fast_gelu(NodeImport& n) { return gelu_of_sum(n, fast_gelu); }
Result<Values> import_quick_gelu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1.702f);
  return Values{n.pointwise({n.required(0, "X")}, [&](const std::vector<Term>& t) { return t[0] * apply(Fn::sigmoid, t[0] * alpha); })};
}
Result<Values> import_skip_layer_normalization(NodeImport& n) { return skip_norm(n, false); }
Result<Values> import_skip_rms_normalization(NodeImport& n) { return skip_norm(n, true); }

Result<Values> import_qlinear_add(NodeImport& n) { return Values{quantized(n, sum(n, {dequantized(n, 0), dequantized(n, 3)}), 6)}; }
Result<Values> import_qlinear_mul(NodeImport& n) {
  const ValueId y = n.pointwise({dequantized(n, 0), dequantized(n, 3)}, [](const std::vector<Term>& t) { return t[0] * t[1]; });
  return Values{quantized(n, y, 6)};
}
Result<Values> import_qlinear_sigmoid(NodeImport& n) {
  const ValueId y = n.pointwise({dequantized(n, 0)}, [](const std::vector<Term>& t) { return apply(Fn::sigmoid, t[0]); });
  return Values{quantized(n, y, 3)};
}
Result<Values> import_qlinear_leaky_relu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0.01f);
  const ValueId y = n.pointwise({dequantized(n, 0)}, [&](const std::vector<Term>& t) { return where(t[0] < 0, t[0] * alpha, t[0]); });
  return Values{quantized(n, y, 3)};
}

/// Weights of `bits` each, [N, blocks, block·bits/8] packed from the low bits up, one scale and one zero point per block:
/// Y = A · dequantised(B)ᵀ. Zero points are packed in rows of their own, or absent: the middle of the range.
Result<Values> import_matmul_n_bits(NodeImport& n) {
  const int64_t k = n.required_int("K"), rows = n.required_int("N"), bits = n.int_attr("bits", 4), block = n.required_int("block_size");
  const ValueId a = n.required(0, "A"), b = n.required(1, "B"), scales = n.required(2, "scales");
  const DType type = bits == 4 ? DType::u4 : bits == 2 ? DType::u2 : DType::u8;
  if (bits != 2 && bits != 4 && bits != 8) n.unsupported("{} bits", bits);
  if (k < 1 || rows < 1 || block < 1) n.refuse("K {}, N {}, block_size {}", k, rows, block);
  if (n.has_input(4)) n.unsupported("g_idx, which permutes the weights");
  if (n.failed()) return Values{};
  const int64_t blocks = (k + block - 1) / block;
  // The bytes of packed elements are a tensor of a narrower type with the same bytes.
  const auto unpacked = [&](ValueId value, int64_t columns) {
    const std::optional<Tensor> bytes = n.contents(value);
    if (!bytes || bytes->dtype != DType::u8) n.unsupported("packed weights must be u8 constants");
    if (n.failed()) return ValueId::none;
    const int64_t count = rows * columns;
    if (bytes_of(type, count) != bytes->bytes()) n.refuse("{} bytes for [{}, {}] of {} bits", bytes->bytes(), rows, columns, bits);
    auto owner = std::make_shared<Tensor>(*bytes);
    return n.constant(Tensor::wrap(type, {rows, columns}, bytes->data, owner));
  };
  const ValueId weights = unpacked(b, blocks * block);
  const ValueId scale = n.emit(ops::Reshape{}, {scales, n.int_list({rows, blocks})});
  Values in{weights, scale};
  if (n.has_input(3) && is_float(n.dtype(n.input(3)))) {
    n.unsupported("zero points of type {}", to_string(n.dtype(n.input(3))));
  } else if (n.has_input(3)) {
    const int64_t per_byte = 8 / bits, padded = (blocks + per_byte - 1) / per_byte * per_byte;
    const ValueId zeros = unpacked(n.input(3), padded);
    in.push_back(padded == blocks ? zeros : cut(n, zeros, 1, 0, blocks));
  } else {
    in.push_back(n.constant(filled(n, type, {rows, blocks}, static_cast<double>(int64_t{1} << (bits - 1)))));
  }
  ValueId w = n.emit(ops::DequantizeLinear{.axis = 1, .block_size = block}, std::move(in));
  if (blocks * block != k) w = cut(n, w, 1, 0, k);
  const ValueId y = n.emit(ops::MatMul{.trans_b = true}, {a, n.cast(w, n.dtype(a))});
  return Values{n.has_input(5) ? sum(n, {y, n.input(5)}) : y};
}

}  // namespace tenon::onnx
