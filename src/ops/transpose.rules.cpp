#include "ops/transpose.h"
#include "ops/reshape.h"
#include "ops/rules.h"

namespace tenon::ops {

/// A permutation that leaves the order of all dims but those of size 1 moves no element.
std::optional<Values> drop_transpose(Rewriter& rw, const Node& node) {
  const std::vector<int64_t>& perm = node.op.as<Transpose>()->perm;
  const Fact &x = rw.fact(node.in[0]), &y = rw.fact(node.out[0]);
  bool identity = true, moves = false;
  int64_t last = -1;
  for (size_t i = 0; i < perm.size(); ++i) {
    identity = identity && perm[i] == static_cast<int64_t>(i);
    if (!x.has_rank() || x.shape()[perm[i]] == Dim(1)) continue;
    moves = moves || perm[i] < last;
    last = perm[i];
  }
  if (identity) return Values{node.in[0]};
  if (moves || !x.has_rank() || !y.has_rank()) return std::nullopt;
  return rw.emit(Reshape{.shape = y.shape().dims()}, {node.in[0]});
}

std::optional<Values> merge_transposes(Rewriter& rw, const Node& outer) {
  const Node* inner = rw.producer<Transpose>(outer.in[0]);
  if (!inner) return std::nullopt;
  const std::vector<int64_t>&first = inner->op.as<Transpose>()->perm, &second = outer.op.as<Transpose>()->perm;
  if (first.size() != second.size()) return std::nullopt;
  Transpose merged;
  for (const int64_t axis : second) merged.perm.push_back(first[static_cast<size_t>(axis)]);
  return rw.emit(std::move(merged), {inner->in[0]});
}

}  // namespace tenon::ops
