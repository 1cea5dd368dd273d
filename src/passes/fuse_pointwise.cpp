// fuse_pointwise: arithmetic moves into other arithmetic, and then into the anchor before it as its epilogue, so that a chain of small
// operators costs no trip through memory. Weights stay apart: what hangs on them alone is computed once, not in every run.
#include <algorithm>

#include "ir/rewriter.h"
#include "ops/pointwise.h"
#include "ops/pointwise_rules.h"
#include "ops/reshape.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Fused;
using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

constexpr size_t kMostInputs = 8;  // pointers that a kernel keeps in registers
constexpr int kMostWork = 64;
constexpr int kCheapWork = 1;  // computing a cast twice costs less than storing it

const Expr& expr_of(const Node& node) { return node.op.as<ops::Pointwise>()->expr; }

bool same_shape(const Rewriter& rw, ValueId a, ValueId b) {
  return rw.fact(a).has_rank() && rw.fact(b).has_rank() && rw.fact(a).shape() == rw.fact(b).shape();
}

int count_in(const Values& values, ValueId id) { return static_cast<int>(std::count(values.begin(), values.end(), id)); }

/// All inputs of `expr` that read `in[i]` for which takes(i) holds become the result of `inner`.
Expr substituted(const Expr& inner, const Expr& outer, const std::vector<int>& inner_inputs, std::vector<int> outer_inputs, int at) {
  return ops::simplified(compose(inner, inner_inputs, outer, at, outer_inputs));
}

/// Every input of the expression that names the same value gets the first one's number.
Expr without_repeats(const Expr& expr, const Values& in) {
  std::vector<int> inputs;
  for (const ValueId id : in) inputs.push_back(static_cast<int>(std::find(in.begin(), in.end(), id) - in.begin()));
  return ops::renumbered(expr, inputs);
}

bool worth_merging(const Rewriter& rw, const Node& inner, const Node& outer, ValueId between) {
  if (inner.out.size() != 1 || expr_of(inner).results.size() != 1) return false;
  if (rw.is_weight(between) && !rw.is_weight(outer.out[0])) return false;
  if (ops::work_of(expr_of(inner)) <= kCheapWork && ops::work_of(expr_of(inner)) > 0 &&
      expr_of(inner).nodes[static_cast<size_t>(expr_of(inner).results[0])].fn == Fn::cast)
    return true;
  return rw.uses(between) == count_in(outer.in, between) && same_shape(rw, between, outer.out[0]);
}

std::optional<Values> merge_pointwise(Rewriter& rw, const Node& outer) {
  for (size_t i = 0; i < outer.in.size(); ++i) {
    const ValueId between = outer.in[i];
    if (count_in(Values(outer.in.begin(), outer.in.begin() + static_cast<std::ptrdiff_t>(i)), between)) continue;
    if (!rw.fact(outer.out[0]).has_rank() || !rw.fact(between).has_rank()) continue;
    const Node* inner = rw.producer<ops::Pointwise>(between);
    if (!inner || !worth_merging(rw, *inner, outer, between)) continue;
    Values in = outer.in;
    const Expr expr = without_repeats(expr_of(outer), in);
    std::vector<int> inner_inputs, outer_inputs;
    for (size_t k = 0; k < outer.in.size(); ++k) outer_inputs.push_back(static_cast<int>(k));
    for (const ValueId id : inner->in) {
      inner_inputs.push_back(static_cast<int>(in.size()));
      in.push_back(id);
    }
    Expr merged = substituted(expr_of(*inner), expr, inner_inputs, outer_inputs, static_cast<int>(i));
    ops::drop_inputs(rw, merged, in, rw.fact(outer.out[0]).shape());
    if (in.size() > kMostInputs || ops::work_of(merged) > kMostWork) continue;
    if (std::find(in.begin(), in.end(), between) != in.end()) continue;  // the shape hangs on it: nothing would be won
    return rw.emit(ops::Pointwise{.expr = std::move(merged)}, std::move(in), {.outputs = static_cast<int>(outer.out.size())});
  }
  return std::nullopt;
}

/// Whether the arithmetic may become the epilogue of the node that makes `between`.
bool takes_epilogue(const Rewriter& rw, const Node* anchor, const Node& outer, ValueId between) {
  if (!anchor || !anchor->op.row().anchor || anchor->out[0] != between || !anchor->regions.empty()) return false;
  if (rw.is_weight(between) || !is_float(rw.fact(between).dtype())) return false;
  if (rw.uses(between) != count_in(outer.in, between) || !same_shape(rw, between, outer.out[0])) return false;
  return std::all_of(anchor->out.begin() + 1, anchor->out.end(), [&](ValueId id) { return rw.uses(id) == 0; });
}

/// The fused node stands where the arithmetic stood, so every operand is there in time.
std::optional<Values> attach_epilogue(Rewriter& rw, const Node& outer) {
  if (outer.out.size() != 1 || expr_of(outer).results.size() != 1) return std::nullopt;
  // Of several anchors the last one: its result would be the last to wait for, and it moves least.
  ValueId between = ValueId::none;
  for (const ValueId id : outer.in)
    if (rw.place_of(id) > rw.place_of(between) && takes_epilogue(rw, rw.maker_of(id), outer, id)) between = id;
  if (between == ValueId::none) return std::nullopt;
  const Node* anchor = rw.producer_of(between, Fused::shown);

  const size_t own = anchor->in.size() - anchor->epilogue_operands();
  const Shape& shape = rw.fact(outer.out[0]).shape();
  // Inputs of the new expression: the anchor's result, the operands it had, the arithmetic's other inputs.
  Values operands{between};
  operands.insert(operands.end(), anchor->in.begin() + static_cast<std::ptrdiff_t>(own), anchor->in.end());
  std::vector<int> anchor_inputs, outer_inputs;
  for (size_t i = 0; i < operands.size(); ++i) anchor_inputs.push_back(static_cast<int>(i));
  for (const ValueId id : outer.in) {
    outer_inputs.push_back(id == between ? 0 : static_cast<int>(operands.size()));
    if (id != between) operands.push_back(id);
  }
  const Expr arithmetic = without_repeats(expr_of(outer), outer.in);
  const int at = static_cast<int>(std::find(outer.in.begin(), outer.in.end(), between) - outer.in.begin());
  Expr epilogue;
  if (anchor->epilogue.empty()) {
    epilogue = ops::renumbered(arithmetic, outer_inputs);
  } else {
    epilogue = substituted(anchor->epilogue, arithmetic, anchor_inputs, outer_inputs, at);
  }
  ops::absorb_constants(rw, epilogue, operands, shape, 1);
  ops::drop_inputs(rw, epilogue, operands, shape);
  if (operands.empty() || operands[0] != between || operands.size() > kMostInputs || ops::work_of(epilogue) > kMostWork)
    return std::nullopt;
  if (epilogue.input_count() != static_cast<int>(operands.size())) return std::nullopt;  // the last operand gives the shape alone
  Values in(anchor->in.begin(), anchor->in.begin() + static_cast<std::ptrdiff_t>(own));
  in.insert(in.end(), operands.begin() + 1, operands.end());
  return rw.emit_op(anchor->op, std::move(in), {.epilogue = std::move(epilogue), .math = anchor->math});
}

bool makes_anchor_result(const Rewriter& rw, ValueId id) {
  const Node* node = id == ValueId::none ? nullptr : rw.maker_of(id);
  return node && node->op.row().anchor && node->out[0] == id;
}

/// An anchor's result under other dims would keep arithmetic away from it: that runs on the result as it is, and the view comes behind.
std::optional<Values> move_view_behind(Rewriter& rw, const Node& outer) {
  const Fact& out = rw.fact(outer.out[0]);
  if (outer.out.size() != 1 || !out.has_rank() || std::any_of(outer.in.begin(), outer.in.end(), [&](ValueId id) {
        return makes_anchor_result(rw, id) && rw.uses(id) == count_in(outer.in, id);
      }))
    return std::nullopt;
  for (const ValueId id : outer.in) {
    const Node* view = rw.uses(id) == count_in(outer.in, id) ? rw.maker_of(id) : nullptr;
    if (!view || !view->op.as<ops::Reshape>() || !same_shape(rw, id, outer.out[0]) || rw.uses(view->in[0]) != 1) continue;
    const Fact& below = rw.fact(view->in[0]);
    if (!makes_anchor_result(rw, view->in[0]) || rw.is_weight(id) || !below.has_rank() || below.rank() == 0 || out.rank() == 0) continue;
    const Dim& last = below.shape()[below.rank() - 1];
    const bool same_columns = last == out.shape()[out.rank() - 1];
    const auto fits = [&](ValueId other) {
      const Fact& fact = rw.fact(other);
      return same_shape(rw, other, outer.out[0]) || (fact.has_rank() && fact.rank() <= 1 && (fact.rank() == 0 || same_columns));
    };
    if (!std::all_of(outer.in.begin(), outer.in.end(), fits)) continue;
    (void)rw.producer_of(id);
    Values in = outer.in;
    for (ValueId& operand : in) {
      if (operand == id) {
        operand = view->in[0];
      } else if (same_shape(rw, operand, outer.out[0]) && (out.rank() > 1 || !same_columns)) {
        operand = rw.emit(ops::Reshape{.shape = below.shape().dims()}, {operand})[0];
      }
    }
    const ValueId y = rw.emit(ops::Pointwise(*outer.op.as<ops::Pointwise>()), std::move(in))[0];
    return rw.emit(ops::Reshape{.shape = out.shape().dims()}, {y});
  }
  return std::nullopt;
}

constexpr ir::RuleRow kFusePointwiseRules[] = {{"merge_pointwise", "Pointwise", merge_pointwise},
                                               {"attach_epilogue", "Pointwise", attach_epilogue},
                                               {"move_view_behind", "Pointwise", move_view_behind}};

}  // namespace

Result<bool> fuse_pointwise(ir::Module& module, const PassCtx& ctx) { return ir::apply_rules(module, kFusePointwiseRules, ctx.log); }

}  // namespace tenon::passes
