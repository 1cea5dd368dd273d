// fold_layer_norm: a LayerNorm that only one product with weights reads becomes part of it. The product reads the rows as they are, takes
// their moments on the way and corrects its sums: LayerNorm(x) · W + … = inverse · (x · W' - mean · sums of W') + bias · W + …, where
// W' is W with the scale on its rows. W', its sums and bias · W are computed once, at load.
#include "ir/rewriter.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using engine::RowNorm;
using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

ValueId cast_to(Rewriter& rw, ValueId id, DType type) {
  if (rw.fact(id).dtype() == type) return id;
  Expr expr;
  expr.results = {expr.add_cast(expr.add_input(0, rw.fact(id).dtype()), type)};
  return rw.emit(ops::Pointwise{.expr = std::move(expr)}, {id})[0];
}

/// As f32: what it was narrowed from, if it was.
ValueId wide_weight(Rewriter& rw, ValueId id) {
  const Node* node = rw.maker_of(id);
  const auto* cast = node && node->epilogue.empty() && node->in.size() == 1 ? node->op.as<ops::Pointwise>() : nullptr;
  const bool narrows = cast && cast->expr.nodes.size() == 2 && cast->expr.nodes[1].fn == Fn::cast && cast->expr.results == std::vector{1};
  return narrows && rw.fact(node->in[0]).dtype() == DType::f32 ? node->in[0] : cast_to(rw, id, DType::f32);
}

ValueId arithmetic(Rewriter& rw, Fn fn, ValueId a, ValueId b) {
  Expr expr;
  const int x = expr.add_input(0, DType::f32);
  expr.results = {expr.add(fn, x, expr.add_input(1, DType::f32))};
  return rw.emit(ops::Pointwise{.expr = std::move(expr)}, {a, b})[0];
}

/// The norm whose result `id` is, under other leading dims perhaps, if nobody else reads it.
const Node* norm_behind(Rewriter& rw, ValueId id, int64_t k) {
  while (rw.uses(id) == 1 && rw.fact(id).has_rank() && rw.fact(id).rank() > 0 && rw.fact(id).shape()[rw.fact(id).rank() - 1] == Dim(k)) {
    if (const Node* view = rw.producer<ops::Reshape>(id)) {
      id = view->in[0];
      continue;
    }
    const Node* node = rw.producer<ops::LayerNorm>(id);
    if (!node || node->out.size() != 1) return nullptr;
    const int64_t axis = node->op.as<ops::LayerNorm>()->axis, rank = rw.fact(id).rank();
    return axis == -1 || axis == rank - 1 ? node : nullptr;
  }
  return nullptr;
}

bool is_16_bits(DType type) { return type == DType::f16 || type == DType::bf16; }

std::optional<Values> fold(Rewriter& rw, const Node& node) {
  const auto& product = *node.op.as<ops::MatMul>();
  if (product.trans_a || product.row_norm != RowNorm::none || !is_16_bits(rw.fact(node.in[0]).dtype())) return std::nullopt;
  const Fact& w = rw.fact(node.in[1]);
  if (!rw.is_weight(node.in[1]) || !w.has_rank() || w.rank() != 2 || w.dtype() != rw.fact(node.in[0]).dtype()) return std::nullopt;
  const auto k = w.shape()[product.trans_b ? 1 : 0].constant();
  const Node* norm = k && rw.fact(node.in[0]).rank() > 1 ? norm_behind(rw, node.in[0], *k) : nullptr;
  if (!norm || rw.fact(norm->in[0]).dtype() != w.dtype()) return std::nullopt;
  const auto operand = [&](size_t i) { return i < norm->in.size() ? norm->in[i] : ValueId::none; };
  const ValueId scale = operand(1), bias = operand(2);
  if ((scale != ValueId::none && !rw.is_weight(scale)) || (bias != ValueId::none && !rw.is_weight(bias))) return std::nullopt;

  const auto& kind = *norm->op.as<ops::LayerNorm>();
  const DType type = w.dtype();
  ValueId x = norm->in[0];
  if (!(rw.fact(x).shape() == rw.fact(node.in[0]).shape())) x = rw.emit(ops::Reshape{.shape = rw.fact(node.in[0]).shape().dims()}, {x})[0];
  const ValueId wide = wide_weight(rw, node.in[1]);
  ValueId weights = node.in[1];
  if (scale != ValueId::none) {
    ValueId rows = wide_weight(rw, scale);
    if (!product.trans_b) rows = rw.emit(ops::Reshape{.shape = std::vector<Dim>{*k, 1}}, {rows})[0];
    weights = cast_to(rw, arithmetic(rw, Fn::mul, wide, rows), type);
  }
  ops::MatMul folded = product;
  folded.row_norm = kind.rms ? RowNorm::rms : RowNorm::layer;
  folded.epsilon = kind.epsilon;
  Values in = {x, weights};
  if (!kind.rms)
    in.push_back(rw.emit(ops::Reduce{.axes = {product.trans_b ? 1 : 0}, .keepdims = false}, {cast_to(rw, weights, DType::f32)})[0]);
  const ValueId y = rw.emit(std::move(folded), std::move(in), {.math = node.math})[0];
  if (bias == ValueId::none) return Values{y};
  const ValueId shift = rw.emit(ops::MatMul{.trans_b = product.trans_b}, {wide_weight(rw, bias), wide})[0];
  return Values{cast_to(rw, arithmetic(rw, Fn::add, cast_to(rw, y, DType::f32), shift), type)};
}

constexpr ir::RuleRow kFoldLayerNormRules[] = {{"fold", "MatMul", fold, ir::Fused::shown}};

}  // namespace

Result<bool> fold_layer_norm(ir::Module& module, const PassCtx& ctx) {
  return ctx.normalised_products ? ir::apply_rules(module, kFoldLayerNormRules, ctx.log) : false;
}

}  // namespace tenon::passes
