#include "passes/one_function.h"

#include "ops/pointwise.h"

namespace tenon::passes {

std::optional<OneFunction> one_function(const ir::Node& node) {
  const auto* pointwise = node.op.as<ops::Pointwise>();
  if (!pointwise || pointwise->expr.results.size() != 1) return std::nullopt;
  const std::vector<ExprNode>& nodes = pointwise->expr.nodes;
  const ExprNode& last = nodes[static_cast<size_t>(pointwise->expr.results[0])];
  OneFunction out{.fn = last.fn, .args = {}};
  if (arity_of(last.fn) == 0 || !(is_float(last.type) || last.fn == Fn::is_nan)) return std::nullopt;
  for (int i = 0; i < arity_of(last.fn); ++i) {
    const ExprNode& arg = nodes[static_cast<size_t>(last.args[i])];
    if (arg.fn == Fn::input) {
      out.args[i].value = node.in[static_cast<size_t>(arg.input)];
    } else if (arg.fn == Fn::constant) {
      out.args[i].number = is_float(arg.type) ? arg.real : static_cast<double>(arg.integer);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<OneFunction> one_function(ir::Rewriter& rw, ir::ValueId id) {
  const ir::Node* node = rw.producer<ops::Pointwise>(id);
  return node ? one_function(*node) : std::nullopt;
}

}  // namespace tenon::passes
