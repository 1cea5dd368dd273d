// fold_batch_norm: a BatchNorm behind a convolution or a matrix product with known weights goes into the weights and the bias,
//   factor = scale / sqrt(variance + epsilon), w' = w · factor, b' = (b - mean) · factor + shift,
// which stay nodes on roots: lowering records them as preparations, so that a refit of any of the five still works. Any other BatchNorm
// becomes arithmetic, x · factor + (shift - mean · factor), which fuses into its neighbours.
#include "ir/rewriter.h"
#include "ops/conv.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

/// Builds an expression on values, all in the widened type.
class Arithmetic {
 public:
  Arithmetic(Rewriter& rw, DType type) : rw_(rw), type_(widened(type)) {}
  int input(ValueId id) {
    const DType from = rw_.fact(id).dtype();
    in_.push_back(id);
    const int at = expr_.add_input(static_cast<int>(in_.size()) - 1, from);
    return from == type_ ? at : expr_.add_cast(at, type_);
  }
  int add(Fn fn, int a, int b = -1) { return expr_.add(fn, a, b); }
  /// scale / sqrt(variance + epsilon)
  int factor(ValueId scale, ValueId variance, double epsilon) {
    const int s = input(scale), v = input(variance);
    return add(Fn::div, s, add(Fn::sqrt, add(Fn::add, v, expr_.add_real(epsilon, type_))));
  }
  ValueId emit(int result, DType type) {
    expr_.results = {type == type_ ? result : expr_.add_cast(result, type)};
    return rw_.emit(ops::Pointwise{.expr = std::move(expr_)}, std::move(in_))[0];
  }

 private:
  Rewriter& rw_;
  DType type_;
  Expr expr_;
  Values in_;
};

struct Norm {
  ValueId x, scale, shift, mean, variance;
  double epsilon;
};

Norm norm_of(const Node& node) {
  return {node.in[0], node.in[1], node.in[2], node.in[3], node.in[4], node.op.as<ops::BatchNorm>()->epsilon};
}

/// [C] as a view with C at `axis` of `rank` dims.
ValueId along(Rewriter& rw, ValueId id, int64_t axis, int64_t rank) {
  std::vector<Dim> dims(static_cast<size_t>(rank), Dim(1));
  dims[static_cast<size_t>(axis)] = rw.fact(id).shape()[0];
  if (rank == 1) return id;
  return rw.emit(ops::Reshape{.shape = std::move(dims)}, {id})[0];
}

/// w · factor along `axis` of w.
ValueId scaled(Rewriter& rw, const Norm& norm, ValueId w, int64_t axis) {
  const DType type = rw.fact(w).dtype();
  const int64_t rank = rw.fact(w).rank();
  const ValueId scale = along(rw, norm.scale, axis, rank), variance = along(rw, norm.variance, axis, rank);
  Arithmetic a(rw, type);
  const int weight = a.input(w);
  return a.emit(a.add(Fn::mul, weight, a.factor(scale, variance, norm.epsilon)), type);
}

/// (bias - mean) · factor + shift; [C], of element type `type`.
ValueId moved(Rewriter& rw, const Norm& norm, ValueId bias, DType type) {
  Arithmetic a(rw, type);
  const int mean = a.input(norm.mean);
  const int centred = bias == ValueId::none ? a.add(Fn::neg, mean) : a.add(Fn::sub, a.input(bias), mean);
  const int product = a.add(Fn::mul, centred, a.factor(norm.scale, norm.variance, norm.epsilon));
  return a.emit(a.add(Fn::add, product, a.input(norm.shift)), type);
}

bool has_weights(const Rewriter& rw, const Norm& norm) {
  for (const ValueId id : {norm.scale, norm.shift, norm.mean, norm.variance})
    if (!rw.is_weight(id) || !rw.fact(id).has_rank() || rw.fact(id).rank() != 1) return false;
  return true;
}

ValueId bias_of(const Node& conv) { return conv.in.size() > 2 ? conv.in[2] : ValueId::none; }

/// The anchor in front of the norm, if nothing else uses its result and its weights are known.
bool can_take(const Rewriter& rw, const Norm& norm, const Node& anchor) {
  if (rw.uses(norm.x) != 1 || !rw.is_weight(anchor.in[1])) return false;
  const Fact &x = rw.fact(norm.x), &w = rw.fact(anchor.in[1]);
  return is_float(w.dtype()) && x.dtype() == w.dtype() && x.has_rank() && w.has_rank();
}

std::optional<Values> fold_into_conv(Rewriter& rw, const Node& node) {
  const Norm norm = norm_of(node);
  if (!has_weights(rw, norm)) return std::nullopt;
  const Node* conv = rw.producer<ops::Conv>(norm.x);
  if (!conv) conv = rw.producer<ops::ConvTranspose>(norm.x);
  if (!conv || !can_take(rw, norm, *conv)) return std::nullopt;
  const ValueId bias = bias_of(*conv);
  if (bias != ValueId::none && !rw.is_weight(bias)) return std::nullopt;
  const auto* transposed = conv->op.as<ops::ConvTranspose>();
  if (transposed && transposed->groups != 1) return std::nullopt;  // its output channels lie along two dims of w
  const Values in{conv->in[0], scaled(rw, norm, conv->in[1], transposed ? 1 : 0), moved(rw, norm, bias, rw.fact(norm.x).dtype())};
  return rw.emit_op(conv->op, in, {.math = conv->math});
}

std::optional<Values> fold_into_matmul(Rewriter& rw, const Node& node) {
  const Norm norm = norm_of(node);
  if (!has_weights(rw, norm)) return std::nullopt;
  const Node* product = rw.producer<ops::MatMul>(norm.x);
  if (!product || !can_take(rw, norm, *product)) return std::nullopt;
  if (rw.fact(norm.x).rank() != 2 || rw.fact(product->in[1]).rank() != 2) return std::nullopt;  // channels are dim 1, the columns of b
  const Values in{product->in[0], scaled(rw, norm, product->in[1], product->op.as<ops::MatMul>()->trans_b ? 0 : 1)};
  const ValueId y = rw.emit_op(product->op, in, {.math = product->math})[0];
  const DType type = rw.fact(norm.x).dtype();
  Arithmetic a(rw, type);
  const int left = a.input(y);
  return Values{a.emit(a.add(Fn::add, left, a.input(moved(rw, norm, ValueId::none, type))), type)};
}

std::optional<Values> as_arithmetic(Rewriter& rw, const Node& node) {
  const Norm norm = norm_of(node);
  const Fact& x = rw.fact(norm.x);
  if (!x.has_rank() || x.rank() < 2) return std::nullopt;
  for (const ValueId id : {norm.scale, norm.shift, norm.mean, norm.variance})
    if (!rw.fact(id).has_rank() || rw.fact(id).rank() != 1) return std::nullopt;
  const int64_t rank = x.rank() - 1;  // as broadcasting wants it: [C, 1, …]
  const DType type = x.dtype(), wide = widened(type);
  Arithmetic factor(rw, type);
  const ValueId f = factor.emit(factor.factor(norm.scale, norm.variance, norm.epsilon), wide);
  Arithmetic offset(rw, type);
  const int shift = offset.input(norm.shift), mean = offset.input(norm.mean);
  const ValueId o = offset.emit(offset.add(Fn::sub, shift, offset.add(Fn::mul, mean, offset.input(f))), wide);
  const ValueId wide_f = along(rw, f, 0, rank), wide_o = along(rw, o, 0, rank);
  Arithmetic y(rw, type);
  const int value = y.input(norm.x), slope = y.input(wide_f), rest = y.input(wide_o);
  return Values{y.emit(y.add(Fn::add, y.add(Fn::mul, value, slope), rest), type)};
}

constexpr ir::RuleRow kFoldBatchNormRules[] = {{"fold_into_conv", "BatchNorm", fold_into_conv},
                                               {"fold_into_matmul", "BatchNorm", fold_into_matmul},
                                               {"as_arithmetic", "BatchNorm", as_arithmetic}};

}  // namespace

Result<bool> fold_batch_norm(ir::Module& module, const PassCtx& ctx) { return ir::apply_rules(module, kFoldBatchNormRules, ctx.log); }

}  // namespace tenon::passes
