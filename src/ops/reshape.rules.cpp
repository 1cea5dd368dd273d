#include "ops/reshape.h"

#include "ops/rules.h"

namespace tenon::ops {

std::optional<Values> drop_reshape(Rewriter& rw, const Node& node) {
  const Fact &x = rw.fact(node.in[0]), &y = rw.fact(node.out[0]);
  if (!x.has_rank() || !y.has_rank() || !(x.shape() == y.shape())) return std::nullopt;
  return Values{node.in[0]};
}

/// A view of a view is a view of the first.
std::optional<Values> merge_views(Rewriter& rw, const Node& node) {
  const Reshape& outer = *node.op.as<Reshape>();
  if (!outer.shape) return std::nullopt;
  const Node* inner = rw.producer<Reshape>(node.in[0]);
  if (!inner) return std::nullopt;
  for (const Dim& dim : *outer.shape)  // sizes that only the inner one finds
    if (!inner->op.as<Reshape>()->shape && !rw.is_known_with(dim, inner->in[0])) return std::nullopt;
  return rw.emit(Reshape(outer), {inner->in[0]});
}

/// A view whose dims are known becomes a Reshape that says them: the arithmetic that computed them is no longer needed. Sizes that
/// only this node's own output would define have to stay with the operator that finds them.
std::optional<Values> fix_shape(Rewriter& rw, const Node& node) {
  if (const Reshape* reshape = node.op.as<Reshape>(); reshape && reshape->shape) return std::nullopt;
  const Fact& y = rw.fact(node.out[0]);
  if (!y.has_rank() || !rw.fact(node.in[0]).type.is_tensor()) return std::nullopt;
  int64_t open = 0;
  for (const Dim& dim : y.shape().dims()) {
    if (!rw.is_known_with(dim, node.in[0])) return std::nullopt;
    open += dim.is_constant() ? 0 : 1;
  }
  // Strings have no memory whose size the plan knows: their views are evaluated, and find one size from the number of elements.
  if (open > 1 && y.dtype() == DType::str) return std::nullopt;
  return rw.emit(Reshape{.shape = y.shape().dims()}, {node.in[0]});
}

}  // namespace tenon::ops
