// drop_roundings: inside one expression, values that the build narrows stay as wide as they are computed. What lower_precision rounds
// between two operators is rounded once it is stored.
#include "ir/rewriter.h"
#include "ops/pointwise.h"
#include "ops/pointwise_rules.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::Values;

/// The expression without casts to `narrow` and back; nothing if it has none.
std::optional<Expr> without_roundings(const Expr& expr, DType narrow) {
  Expr out;
  std::vector<int> index;
  bool changed = false;
  for (ExprNode node : expr.nodes) {
    const int arg = node.args[0];
    const bool widens = node.fn == Fn::cast && node.type == DType::f32 && expr.type_of(arg) == narrow;
    const ExprNode* inner = widens ? &expr.nodes[static_cast<size_t>(arg)] : nullptr;
    if (inner && inner->fn == Fn::cast && expr.type_of(inner->args[0]) == DType::f32) {
      index.push_back(index[static_cast<size_t>(inner->args[0])]);
      changed = true;
      continue;
    }
    for (int& from : node.args)
      if (from >= 0) from = index[static_cast<size_t>(from)];
    out.nodes.push_back(node);
    index.push_back(static_cast<int>(out.nodes.size()) - 1);
  }
  if (!changed) return std::nullopt;
  for (const int result : expr.results) out.results.push_back(index[static_cast<size_t>(result)]);
  return ops::simplified(out);
}

std::optional<Values> visit(Rewriter& rw, const Node& node, DType narrow) {
  if (rw.is_weight(node.out[0])) return std::nullopt;  // sums of weights are those of the weights that a product meets
  const auto* pointwise = node.op.as<ops::Pointwise>();
  const int outputs = static_cast<int>(node.out.size());
  if (pointwise && node.epilogue.empty()) {
    auto expr = without_roundings(pointwise->expr, narrow);
    if (!expr) return std::nullopt;
    return rw.emit(ops::Pointwise{.expr = std::move(*expr)}, node.in, {.outputs = outputs, .math = node.math});
  }
  auto epilogue = without_roundings(node.epilogue, narrow);
  if (!epilogue) return std::nullopt;
  return rw.emit_op(node.op, node.in, {.outputs = outputs, .epilogue = std::move(*epilogue), .math = node.math, .regions = node.regions});
}

}  // namespace

Result<bool> drop_roundings(ir::Module& module, const PassCtx& ctx) {
  if (ctx.float_type == DType::f32) return false;
  return Rewriter(module, ir::GraphId{0}).sweep([&](Rewriter& rw, const Node& node) { return visit(rw, node, ctx.float_type); });
}

}  // namespace tenon::passes
