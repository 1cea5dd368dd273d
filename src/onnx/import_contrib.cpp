// com.microsoft: activations, and products and convolutions fused with what follows them, as onnxruntime's optimiser writes them.
#include <cmath>
#include <numbers>

#include "onnx/import_attrs.h"
#include "ops/mat_mul.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace tenon::onnx {

Result<Values> import_conv(NodeImport& n);
Result<Values> import_gemm(NodeImport& n);

namespace {

/// The activation that a fused operator names, on its result; its parameters by position, absent ones as the activation's own operator
/// has them.
ValueId activated(NodeImport& n, ValueId y, const std::vector<double>& p) {
  const std::string name = n.string_attr("activation", "");
  const auto parameter = [&](size_t i, double otherwise) { return i < p.size() ? p[i] : otherwise; };
  if (name.empty()) return y;
  return n.pointwise({y}, [&](const std::vector<Term>& t) {
    const Term x = t[0];
    if (name == "Relu") return apply(Fn::relu, x);
    if (name == "Tanh") return apply(Fn::tanh, x);
    if (name == "Sigmoid") return apply(Fn::sigmoid, x);
    if (name == "LeakyRelu") return where(x < 0, x * parameter(0, 0.01f), x);
    if (name == "Clip")
      return min(max(x, x.constant(parameter(0, -3.4028234663852886e38))), x.constant(parameter(1, 3.4028234663852886e38)));
    if (name == "HardSigmoid") return max(x.constant(0), min(x.constant(1), x * parameter(0, 0.2f) + parameter(1, 0.5f)));
    if (name == "HardSwish") return x * max(x.constant(0), min(x.constant(1), x * (1.0 / 6) + 0.5));
    if (name == "Elu") return where(x < 0, (apply(Fn::exp, x) - 1) * parameter(0, 1), x);
    if (name == "Selu")
      return where(x > 0, x, (apply(Fn::exp, x) - 1) * parameter(0, 1.67326319217681884765625)) * parameter(1, 1.05070102214813232421875);
    if (name == "Softplus") return apply(Fn::softplus, x);
    if (name == "Softsign") return x / (apply(Fn::abs, x) + 1);
    if (name == "ThresholdedRelu") return where(x > parameter(0, 1), x, x.constant(0));
    n.unsupported("activation '{}'", name);
    return x;
  });
}
/// The three attributes of products; those of convolutions are a list.
std::vector<double> activation_parameters(NodeImport& n) {
  std::vector<double> p;
  for (const std::string_view name : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    if (!n.has_attr(name)) break;
    p.push_back(n.float_attr(name, 0));
  }
  return p;
}

ValueId total(NodeImport& n, const Values& in) {
  return n.pointwise(in, [](const std::vector<Term>& t) {
    Term all = t[0];
    for (size_t i = 1; i < t.size(); ++i) all = all + t[i];
    return all;
  });
}

Term gelu(Term x) { return x * 0.5 * (apply(Fn::erf, x * (std::numbers::sqrt2 / 2)) + 1); }
Term fast_gelu(Term x) { return x * 0.5 * (apply(Fn::tanh, (x + x * x * x * 0.044715) * std::sqrt(2 / std::numbers::pi)) + 1); }
Values gelu_of_sum(NodeImport& n, Term (*formula)(Term)) {
  Values in{n.required(0, "X")};
  if (n.has_input(1)) in.push_back(n.input(1));
  return {n.pointwise(in, [&](const std::vector<Term>& t) { return formula(t.size() > 1 ? t[0] + t[1] : t[0]); })};
}

/// transBatch: the first dim goes behind the batch dims, [m, batch..., k] → [batch..., m, k].
ValueId batch_moved(NodeImport& n, ValueId x, std::string_view attribute) {
  if (n.int_attr(attribute, 0) == 0) return x;
  const int64_t rank = n.rank(x);
  if (rank < 3) return x;
  Dims perm;
  for (int64_t i = 1; i < rank - 1; ++i) perm.push_back(i);
  perm.push_back(0);
  perm.push_back(rank - 1);
  return n.emit(ops::Transpose{.perm = std::move(perm)}, {x});
}
ValueId fused_product(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  const ValueId y = n.emit(ops::MatMul{.trans_a = n.int_attr("transA", 0) != 0, .trans_b = n.int_attr("transB", 0) != 0},
                           {batch_moved(n, n.required(0, "A"), "transBatchA"), batch_moved(n, n.required(1, "B"), "transBatchB")});
  if (alpha == 1) return y;
  return n.pointwise({y}, [&](const std::vector<Term>& t) { return t[0] * alpha; });
}

/// A convolution with x and y [N, spatial..., C] and weights [M, kernel..., C].
ValueId convolution_behind(NodeImport& n, ValueId w) {
  ops::Conv conv = conv_of(n);
  conv.channels_last = true;
  Values in{n.required(0, "X"), w};
  if (n.has_input(2)) in.push_back(n.input(2));
  return n.emit(std::move(conv), std::move(in));
}

/// NhwcConv is specified with the weights of Conv, but onnxruntime's optimiser writes them as [M, kernel..., C]; where kernel_shape can
/// tell, it does.
bool has_weights_of_conv(NodeImport& n, ValueId w) {
  const Dims kernel = n.ints_attr("kernel_shape");
  const Fact& fact = n.fact(w);
  if (!fact.has_rank() || fact.rank() != static_cast<int64_t>(kernel.size()) + 2) return false;
  bool first = true, last = true;  // the kernel's dims behind M, or at the end
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i) + 1;
    first = first && fact.shape()[at].constant() == kernel[i];
    last = last && fact.shape()[at + 1].constant() == kernel[i];
  }
  return last && !first;
}

}  // namespace

Result<Values> import_fused_conv(NodeImport& n) {
  TENON_TRY(y, import_conv(n));
  if (n.has_input(3)) y[0] = total(n, {y[0], n.input(3)});
  return Values{activated(n, y[0], n.floats_attr("activation_params"))};
}
Result<Values> import_nhwc_conv(NodeImport& n) {
  const ValueId w = n.required(1, "W");
  return Values{convolution_behind(n, has_weights_of_conv(n, w) ? channels_behind(n, w) : w)};
}
Result<Values> import_nhwc_fused_conv(NodeImport& n) {
  ValueId y = convolution_behind(n, channels_behind(n, n.required(1, "W")));
  if (n.has_input(3)) y = total(n, {y, n.input(3)});
  return Values{activated(n, y, n.floats_attr("activation_params"))};
}
Result<Values> import_conv_transpose_with_pads(NodeImport& n) {
  ops::ConvTranspose conv{.strides = n.ints_attr("strides"), .dilations = n.ints_attr("dilations")};
  if (n.has_input(2)) conv.pads = n.known_ints(n.input(2), "pads");
  conv.output_padding = n.ints_attr("output_padding");
  conv.groups = n.int_attr("group", 1);
  conv.auto_pad = auto_pad_attr(n);
  Values in{n.required(0, "X"), n.required(1, "W")};
  if (n.has_input(3)) in.push_back(n.input(3));
  return Values{n.emit(std::move(conv), std::move(in))};
}

Result<Values> import_fused_gemm(NodeImport& n) {
  TENON_TRY(y, import_gemm(n));
  return Values{activated(n, y[0], activation_parameters(n))};
}
Result<Values> import_fused_matmul(NodeImport& n) { return Values{fused_product(n)}; }
Result<Values> import_fused_matmul_activation(NodeImport& n) {
  if (n.string_attr("activation", "") == "Softmax") n.unsupported("activation 'Softmax'");
  return Values{activated(n, fused_product(n), activation_parameters(n))};
}
Result<Values> import_gemm_fast_gelu(NodeImport& n) {
  Values in{n.emit(ops::MatMul{}, {n.required(0, "X"), n.required(1, "W")})};
  if (n.has_input(2)) in.push_back(n.input(2));
  return Values{n.pointwise(in, [](const std::vector<Term>& t) { return fast_gelu(t.size() > 1 ? t[0] + t[1] : t[0]); })};
}

Result<Values> import_ms_gelu(NodeImport& n) { return gelu_of_sum(n, gelu); }
Result<Values> import_fast_gelu(NodeImport& n) { return gelu_of_sum(n, fast_gelu); }
Result<Values> import_quick_gelu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1.702f);
  return Values{n.pointwise({n.required(0, "X")}, [&](const std::vector<Term>& t) { return t[0] * apply(Fn::sigmoid, t[0] * alpha); })};
}
/// The first half of the last dim times gelu of the second.
Result<Values> import_bias_split_gelu(NodeImport& n) {
  const ValueId x = total(n, {n.required(0, "X"), n.required(1, "bias")});
  const Values halves = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {x}, 2);
  return Values{n.pointwise(halves, [](const std::vector<Term>& t) { return t[0] * gelu(t[1]); })};
}
/// The same by x · sigmoid(1.702 · x), without a bias; Y = first · quick_gelu(second).
Result<Values> import_split_quick_gelu(NodeImport& n) {
  const Values halves = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {n.required(0, "X")}, 2);
  return Values{n.pointwise(halves, [](const std::vector<Term>& t) { return t[0] * (t[1] * apply(Fn::sigmoid, t[1] * 1.702f)); })};
}
Result<Values> import_bias_add(NodeImport& n) {
  return Values{total(n, {n.required(0, "X"), n.required(1, "bias"), n.required(2, "skip")})};
}

}  // namespace tenon::onnx
