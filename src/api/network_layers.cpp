// Network: layers, each one node or a few. Definitions follow ONNX.
#include <numbers>

#include "onnx/term.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/transpose.h"

#include "api/network_impl.h"  // last: the core's headers must not see the public names

namespace tenon {
inline namespace v1 {
namespace {

using onnx::apply;
using onnx::Term;
using onnx::where;

Term activation(const ActivationParams& params, Term x) {
  const auto alpha = [&](double otherwise) { return params.alpha.value_or(otherwise); };
  const auto beta = [&](double otherwise) { return params.beta.value_or(otherwise); };
  const auto exp_minus_one = [](Term t) { return apply(Fn::exp, t) - 1; };
  switch (params.type) {
    case ActivationType::relu: return apply(Fn::relu, x);
    case ActivationType::sigmoid: return apply(Fn::sigmoid, x);
    case ActivationType::tanh: return apply(Fn::tanh, x);
    case ActivationType::leaky_relu: return where(x < 0, x * alpha(0.01), x);
    case ActivationType::elu: return where(x < 0, exp_minus_one(x) * alpha(1), x);
    case ActivationType::selu:
      return where(x <= 0, exp_minus_one(x) * alpha(1.67326319217681884765625), x) * beta(1.05070102214813232421875);
    case ActivationType::softplus: return apply(Fn::softplus, x);
    case ActivationType::softsign: return x / (apply(Fn::abs, x) + 1);
    case ActivationType::hard_sigmoid: return max(x.constant(0), min(x.constant(1), x * alpha(0.2) + beta(0.5)));
    case ActivationType::hard_swish: return x * max(x.constant(0), min(x.constant(1), x * (1.0 / 6) + 0.5));
    case ActivationType::silu: return x * apply(Fn::sigmoid, x);
    case ActivationType::gelu: return x * 0.5 * (apply(Fn::erf, x * (std::numbers::sqrt2 / 2)) + 1);
    case ActivationType::clip:
      if (params.alpha) x = max(x, x.constant(*params.alpha));
      return params.beta ? min(x, x.constant(*params.beta)) : x;
  }
  return x;
}

constexpr Fn kUnary[] = {Fn::exp,  Fn::log,   Fn::sqrt, Fn::reciprocal, Fn::abs, Fn::neg, Fn::floor,
                         Fn::ceil, Fn::round, Fn::sign, Fn::sin,        Fn::cos, Fn::erf, Fn::logical_not};
constexpr Fn kElementWise[] = {Fn::add,   Fn::mul,  Fn::sub,     Fn::div,         Fn::pow,        Fn::min,        Fn::max,
                               Fn::equal, Fn::less, Fn::greater, Fn::logical_and, Fn::logical_or, Fn::logical_xor};

/// One Pointwise node: input i of the expression is in[i].
template <class Formula>
core::Result<ir::ValueId> pointwise(NetworkImpl& network, ir::Values in, const std::string& name, std::string_view kind,
                                    Formula&& formula) {
  Expr expr;
  std::vector<Term> terms;
  for (size_t i = 0; i < in.size(); ++i) {
    const Fact& fact = network.graph()[in[i]].fact;
    if (!fact.type.is_tensor()) return fail("operand {} is no tensor but {}", i, to_string(fact.type));
    terms.push_back({&expr, expr.add_input(static_cast<int>(i), fact.dtype())});
  }
  const Term result = formula(terms);
  expr.results = {result.node};
  TENON_OK(verify(expr));
  return network.emit(ops::make_op(ops::Pointwise{.expr = std::move(expr)}), std::move(in), name, kind);
}

}  // namespace

Result<Tensor> Network::add_convolution(Tensor x, Tensor weights, std::optional<Tensor> bias, const ConvolutionParams& params,
                                        std::string_view name) {
  return impl_->layer("convolution", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    std::vector<Tensor> operands{x, weights};
    if (bias) operands.push_back(*bias);
    TENON_TRY(in, impl_->unwrap(operands));
    const ops::Conv conv{.strides = params.strides, .dilations = params.dilations, .pads = params.pads, .groups = params.groups};
    return impl_->emit(ops::make_op(conv), std::move(in), label, "convolution");
  });
}

Result<Tensor> Network::add_pooling(Tensor x, const PoolingParams& params, std::string_view name) {
  return impl_->layer("pooling", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(x));
    if (params.kernel.empty()) return fail("the kernel's size is missing");
    const ops::Pool pool{.kind = params.type == PoolingType::max ? engine::PoolKind::max : engine::PoolKind::average,
                         .kernel = params.kernel,
                         .strides = params.strides,
                         .pads = params.pads,
                         .ceil_mode = params.ceil_mode,
                         .count_include_pad = params.count_include_pad};
    return impl_->emit(ops::make_op(pool), {in}, label, "pooling");
  });
}

Result<Tensor> Network::add_activation(Tensor x, const ActivationParams& params, std::string_view name) {
  return impl_->layer("activation", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(x));
    return pointwise(*impl_, {in}, label, "activation", [&](const std::vector<Term>& t) { return activation(params, t[0]); });
  });
}

Result<Tensor> Network::add_unary(Tensor x, UnaryOperation operation, std::string_view name) {
  return impl_->layer("unary", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(x));
    const Fn fn = kUnary[static_cast<size_t>(operation)];
    return pointwise(*impl_, {in}, label, "unary", [&](const std::vector<Term>& t) { return apply(fn, t[0]); });
  });
}

Result<Tensor> Network::add_elementwise(Tensor a, Tensor b, ElementWiseOperation operation, std::string_view name) {
  return impl_->layer("elementwise", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(std::vector<Tensor>{a, b}));
    const Fn fn = kElementWise[static_cast<size_t>(operation)];
    return pointwise(*impl_, in, label, "elementwise", [&](const std::vector<Term>& t) { return apply(fn, t[0], t[1]); });
  });
}

Result<Tensor> Network::add_matrix_multiply(Tensor a, Tensor b, const MatrixMultiplyParams& params, std::string_view name) {
  return impl_->layer("matrix_multiply", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(std::vector<Tensor>{a, b}));
    const ops::MatMul product{.trans_a = params.transpose_a, .trans_b = params.transpose_b};
    return impl_->emit(ops::make_op(product), std::move(in), label, "matrix_multiply");
  });
}

Result<Tensor> Network::add_shuffle(Tensor x, const ShuffleParams& params, std::string_view name) {
  return impl_->layer("shuffle", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(start, impl_->unwrap(x));
    ir::ValueId at = start;
    const auto transpose = [&](const std::vector<int64_t>& perm) -> core::Result<void> {
      if (perm.empty()) return {};
      TENON_TRY(out, impl_->emit(ops::make_op(ops::Transpose{.perm = perm}), {at}, label, "shuffle"));
      at = out;
      return {};
    };
    TENON_OK(transpose(params.first_transpose));
    if (params.reshape) {
      const ir::ValueId dims = impl_->graph().add_constant(int64_tensor(*params.reshape));
      TENON_TRY(out, impl_->emit(ops::make_op(ops::Reshape{}), {at, dims}, label, "shuffle"));
      at = out;
    }
    TENON_OK(transpose(params.second_transpose));
    return at;
  });
}

Result<Tensor> Network::add_softmax(Tensor x, int64_t axis, std::string_view name) {
  return impl_->layer("softmax", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(x));
    return impl_->emit(ops::make_op(ops::Softmax{.axis = axis}), {in}, label, "softmax");
  });
}

Result<Tensor> Network::add_reduce(Tensor x, const ReduceParams& params, std::string_view name) {
  return impl_->layer("reduce", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(x));
    static constexpr engine::ReduceKind kKinds[] = {engine::ReduceKind::sum, engine::ReduceKind::mean, engine::ReduceKind::max,
                                                    engine::ReduceKind::min, engine::ReduceKind::prod};
    const ops::Reduce reduce{.kind = kKinds[static_cast<size_t>(params.operation)], .axes = params.axes, .keepdims = params.keep_dims};
    return impl_->emit(ops::make_op(reduce), {in}, label, "reduce");
  });
}

Result<Tensor> Network::add_concatenation(std::span<const Tensor> tensors, int64_t axis, std::string_view name) {
  return impl_->layer("concatenation", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(in, impl_->unwrap(tensors));
    return impl_->emit(ops::make_op(ops::Concat{.axis = axis}), std::move(in), label, "concatenation");
  });
}

}  // namespace v1
}  // namespace tenon
