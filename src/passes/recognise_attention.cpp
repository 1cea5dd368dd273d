// recognise_attention: softmax(q · kᵀ · scale + mask) · v, as exporters write it, becomes one node, whose kernels keep the scores on the
// chip. Scales may stand on either operand or behind the product, the mask is added or chosen by a condition, k arrives transposed.
#include <cmath>

#include "ir/rewriter.h"
#include "ops/attention.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "ops/transpose.h"
#include "passes/one_function.h"
#include "passes/order_of_dims.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

constexpr double kNever = -1e8;  // scores less than this have no weight, whatever is added to them

/// What is known of the scores on the way from the softmax back to the product.
struct Scores {
  const Node* product = nullptr;
  double scale = 1;
  ValueId mask = ValueId::none;
};

/// x · factor, and what x is.
struct Scaled {
  ValueId x;
  double factor;
};
Scaled unscaled(Rewriter& rw, ValueId id) {
  const auto one = one_function(rw, id);
  if (!one || rw.uses(id) != 1 || !one->is(Fn::mul, Fn::div)) return {id, 1};
  const Operand &a = one->args[0], &b = one->args[1];
  if (b.number && *b.number != 0) return {a.value, one->fn == Fn::mul ? *b.number : 1 / *b.number};
  if (a.number && one->fn == Fn::mul) return {b.value, *a.number};
  return {id, 1};
}

/// The same where the product stands below views and transposes that nobody else reads: they move to what is scaled.
Scaled unscaled_below(Rewriter& rw, ValueId id) {
  const Node* moved = rw.uses(id) == 1 ? rw.maker_of(id) : nullptr;
  if (!moved || !moved->epilogue.empty() || (!moved->op.as<ops::Reshape>() && !moved->op.as<ops::Transpose>())) return unscaled(rw, id);
  if (const auto* view = moved->op.as<ops::Reshape>(); view && !rw.fact(id).has_rank()) return {id, 1};
  const Scaled below = unscaled_below(rw, moved->in[0]);
  if (below.factor == 1 || below.x == ValueId::none) return {id, 1};
  const Node* again = rw.producer_of(id);
  if (const auto* transpose = again->op.as<ops::Transpose>()) return {rw.emit(ops::Transpose(*transpose), {below.x})[0], below.factor};
  return {rw.emit(ops::Reshape{.shape = rw.fact(id).shape().dims()}, {below.x})[0], below.factor};
}

bool leads_to_product(Rewriter& rw, ValueId id) {
  const Node* node = rw.maker_of(unscaled(rw, id).x);
  return node && node->op.as<ops::MatMul>() && node->epilogue.empty();
}

/// 0 where the condition lets a score through (or the other way round), the number elsewhere.
ValueId mask_from(Rewriter& rw, ValueId condition, bool lets_through, double number) {
  Expr expr;
  const int c = expr.add_input(0, DType::boolean), zero = expr.add_real(0, DType::f32), never = expr.add_real(number, DType::f32);
  expr.results = {lets_through ? expr.add(Fn::where, c, zero, never) : expr.add(Fn::where, c, never, zero)};
  return rw.emit(ops::Pointwise{.expr = std::move(expr)}, {condition})[0];
}

std::optional<Scores> scores_of(Rewriter& rw, ValueId id) {
  Scores scores;
  for (int steps = 0; steps < 4; ++steps) {
    if (rw.uses(id) != 1) return std::nullopt;
    if (const Node* product = rw.producer<ops::MatMul>(id)) {
      scores.product = product;
      return scores;
    }
    if (const Scaled scaled = unscaled(rw, id); scaled.x != id) {
      scores.scale *= scaled.factor;
      id = scaled.x;
      continue;
    }
    const auto one = one_function(rw, id);
    if (!one || scores.mask != ValueId::none || scores.scale != 1) return std::nullopt;
    const Operand* args = one->args;
    if (one->fn == Fn::add && !args[0].number && !args[1].number) {
      const size_t product = leads_to_product(rw, args[0].value) ? 0 : 1;
      scores.mask = args[1 - product].value;
      id = args[product].value;
    } else if (one->fn == Fn::where && args[1].number.has_value() != args[2].number.has_value()) {
      const size_t product = args[1].number ? 2 : 1;
      const double number = *args[3 - product].number;
      if (number > kNever) return std::nullopt;
      scores.mask = mask_from(rw, args[0].value, product == 1, number);
      id = args[product].value;
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// The last two dims change places, below a view and together with a Transpose that is there already.
ValueId swapped(Rewriter& rw, ValueId id) {
  const Shape& shape = rw.fact(id).shape();
  const auto rank = static_cast<size_t>(shape.rank());
  if (const Node* view = rw.producer<ops::Reshape>(id)) {
    const Fact& x = rw.fact(view->in[0]);
    if (x.has_rank() && x.rank() > 2 && x.shape()[x.rank() - 1] == shape[shape.rank() - 1] &&
        x.shape()[x.rank() - 2] == shape[shape.rank() - 2]) {
      std::vector<Dim> dims = shape.dims();
      std::swap(dims[rank - 1], dims[rank - 2]);
      return rw.emit(ops::Reshape{.shape = std::move(dims)}, {swapped(rw, view->in[0])})[0];
    }
  }
  Dims perm;
  ValueId x = id;
  if (const Node* inner = rw.producer<ops::Transpose>(id)) {
    perm = inner->op.as<ops::Transpose>()->perm;
    x = inner->in[0];
  } else {
    for (size_t i = 0; i < rank; ++i) perm.push_back(static_cast<int64_t>(i));
  }
  std::swap(perm[rank - 1], perm[rank - 2]);
  return is_identity(perm) ? x : rw.emit(ops::Transpose{.perm = std::move(perm)}, {x})[0];
}

/// [heads, time, width] → [1, heads, time, width]
ValueId with_batch(Rewriter& rw, ValueId id) {
  Shape shape = rw.fact(id).shape();
  if (shape.rank() == 4) return id;
  shape.dims().insert(shape.dims().begin(), Dim(1));
  return rw.emit(ops::Reshape{.shape = shape.dims()}, {id})[0];
}

/// Every head has its own q, k and v.
bool have_same_heads(const Rewriter& rw, const Values& values) {
  for (const ValueId id : values) {
    const Fact &x = rw.fact(id), &first = rw.fact(values[0]);
    if (!x.has_rank() || (x.rank() != 3 && x.rank() != 4) || x.rank() != first.rank() || x.dtype() != first.dtype()) return false;
    for (int64_t i = 0; i + 2 < x.rank(); ++i)
      if (!(x.shape()[i] == first.shape()[i])) return false;
  }
  return true;
}

/// The mask does not make more scores than the product does. Its last dim meets the time of v.
bool mask_fits(const Rewriter& rw, ValueId mask, const Shape& scores) {
  if (mask == ValueId::none) return true;
  const Fact& fact = rw.fact(mask);
  if (!is_float(fact.dtype()) || !fact.has_rank() || fact.rank() > scores.rank()) return false;
  for (int64_t i = 0; i + 1 < fact.rank(); ++i) {
    const Dim& dim = fact.shape()[i];
    if (!(dim == Dim(1)) && !(dim == scores[scores.rank() - fact.rank() + i])) return false;
  }
  return true;
}

/// x of where(is_nan(x), 0, x) that has no other use.
std::optional<ValueId> under_nan_check(Rewriter& rw, ValueId id) {
  const auto chosen = one_function(rw, id);
  if (!chosen || chosen->fn != Fn::where || chosen->args[1].number != 0.0 || rw.uses(id) != 1) return std::nullopt;
  const ValueId x = chosen->args[2].value, condition = chosen->args[0].value;
  if (x == ValueId::none || condition == ValueId::none || rw.uses(condition) != 1 || rw.uses(x) != 2) return std::nullopt;
  const auto check = one_function(rw, condition);
  return check && check->fn == Fn::is_nan && check->args[0].value == x ? std::optional(x) : std::nullopt;
}

bool is_zero(const Rewriter& rw, ValueId id) {
  const Tensor* tensor = rw.constant_of(id);
  for (int64_t i = 0; tensor && i < tensor->elems(); ++i)
    if (element_as_double(*tensor, i) != 0) return false;
  return tensor != nullptr;
}

std::optional<Values> find_attention(Rewriter& rw, const Node& node) {
  const ops::MatMul& outer = *node.op.as<ops::MatMul>();
  if (outer.trans_a || outer.trans_b) return std::nullopt;
  const auto checked = under_nan_check(rw, node.in[0]);
  if (!checked && rw.uses(node.in[0]) != 1) return std::nullopt;
  const Node* softmax = rw.producer<ops::Softmax>(checked.value_or(node.in[0]));
  if (!softmax || softmax->op.as<ops::Softmax>()->log) return std::nullopt;
  const Fact& weights = rw.fact(node.in[0]);
  const int64_t axis = softmax->op.as<ops::Softmax>()->axis;
  if (!weights.has_rank() || (axis != -1 && axis != weights.rank() - 1)) return std::nullopt;
  auto scores = scores_of(rw, softmax->in[0]);
  if (!scores) return std::nullopt;
  const ops::MatMul& inner = *scores->product->op.as<ops::MatMul>();
  if (inner.trans_a || !have_same_heads(rw, {scores->product->in[0], scores->product->in[1], node.in[1]})) return std::nullopt;
  if (!mask_fits(rw, scores->mask, rw.fact(scores->product->out[0]).shape())) return std::nullopt;
  const Scaled q = unscaled_below(rw, scores->product->in[0]), k = unscaled_below(rw, scores->product->in[1]);
  const ops::Attention attention{.scale = scores->scale * q.factor * k.factor, .nan_to_zero = checked.has_value()};
  Values in{with_batch(rw, q.x), with_batch(rw, inner.trans_b ? k.x : swapped(rw, k.x)), with_batch(rw, node.in[1])};
  if (scores->mask != ValueId::none && !is_zero(rw, scores->mask)) in.push_back(scores->mask);
  const Values y = rw.emit(ops::Attention(attention), std::move(in));
  if (weights.rank() == 4) return y;
  return rw.emit(ops::Reshape{.shape = rw.fact(node.out[0]).shape().dims()}, {y[0]});
}

/// The node behind a view, if any.
const Node* attention_of(const Rewriter& rw, ValueId id) {
  const Node* node = rw.maker_of(id);
  return node && node->op.as<ops::Reshape>() ? rw.maker_of(node->in[0]) : node;
}

}  // namespace

Result<bool> recognise_attention(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.attention) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(one, Rewriter(module, id).sweep([&](Rewriter& rw, const Node& node) -> std::optional<Values> {
      if (!node.op.as<ops::MatMul>() || !node.epilogue.empty()) return std::nullopt;
      auto found = find_attention(rw, node);
      // Rather three nodes there than one on the host.
      if (found && ctx.wants_device && !ctx.wants_device(*attention_of(rw, (*found)[0]), rw.graph())) return std::nullopt;
      return found;
    }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
