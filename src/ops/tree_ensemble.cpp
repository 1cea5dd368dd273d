#include "ops/tree_ensemble.h"

#include <algorithm>

#include "ops/move.h"

namespace tenon::ops {
namespace {

/// Everything that walks rely on but that links do not go in a circle, which a walk counts.
Result<void> check_trees(const TreeEnsemble& op, int64_t features) {
  const size_t nodes = op.tests.size(), votes = op.vote_targets.size();
  for (const size_t size : {op.features.size(), op.splits.size(), op.true_links.size(), op.false_links.size()})
    if (size != nodes) return fail("{} tests of nodes, but a list of {} beside them", nodes, size);
  if (!op.missing_true.empty() && op.missing_true.size() != nodes) return fail("{} tracks of {} nodes", op.missing_true.size(), nodes);
  if (op.vote_weights.size() != votes) return fail("{} weights of {} votes", op.vote_weights.size(), votes);
  if (op.targets < 1) return fail("{} targets", op.targets);
  if (!op.base_values.empty() && static_cast<int64_t>(op.base_values.size()) != op.targets)
    return fail("{} base values for {} targets", op.base_values.size(), op.targets);
  const auto count = static_cast<int64_t>(nodes), leaves = static_cast<int64_t>(op.leaf_ends.size());
  for (const auto* links : {&op.roots, &op.true_links, &op.false_links})
    for (const int64_t link : *links)
      if (link >= count || link < -leaves) return fail("a link to {}, of {} nodes and {} leaves", link, count, leaves);
  for (const int64_t feature : op.features)
    if (feature < 0 || feature >= features) return fail("a node wants feature {} of {}", feature, features);
  for (const int64_t target : op.vote_targets)
    if (target < 0 || target >= op.targets) return fail("a vote for target {} of {}", target, op.targets);
  int64_t begin = 0;
  for (const int64_t end : op.leaf_ends) {
    if (end < begin || end > static_cast<int64_t>(votes)) return fail("the votes of a leaf end at {}, of {}", end, votes);
    begin = end;
  }
  return {};
}

/// The set of each node that tests for a member, sorted.
Result<std::vector<std::vector<double>>> sets_of(const TreeEnsemble& op) {
  std::vector<std::vector<double>> sets(op.tests.size());
  size_t at = 0;
  for (size_t i = 0; i < op.tests.size(); ++i) {
    if (op.tests[i] != TreeTest::member) continue;
    for (; at < op.members.size() && op.members[at] == op.members[at]; ++at) sets[i].push_back(op.members[at]);
    if (at++ == op.members.size()) return fail("the set of node {} has no end", i);
    std::ranges::sort(sets[i]);
  }
  return sets;
}

template <class T>
class Forest {
 public:
  Forest(const TreeEnsemble& op, std::vector<std::vector<double>> sets) : op_(op), sets_(std::move(sets)) {}

  Result<void> score(std::span<const T> row, std::span<T> scores) const {
    std::vector<char> voted(scores.size(), 0);
    std::ranges::fill(scores, T(0));
    for (const int64_t root : op_.roots) {
      TENON_TRY(leaf, leaf_of(row, root));
      const int64_t begin = leaf == 0 ? 0 : op_.leaf_ends[static_cast<size_t>(leaf - 1)];
      for (int64_t k = begin; k < op_.leaf_ends[static_cast<size_t>(leaf)]; ++k) {
        const auto vote = static_cast<size_t>(k), target = static_cast<size_t>(op_.vote_targets[vote]);
        const T weight = static_cast<T>(op_.vote_weights[vote]);
        T& score = scores[target];
        score = voted[target] ? joined(score, weight) : weight;
        voted[target] = 1;
      }
    }
    for (size_t k = 0; k < scores.size(); ++k) {
      if (op_.aggregate == TreeAggregate::average && !op_.roots.empty()) scores[k] /= static_cast<T>(op_.roots.size());
      if (!op_.base_values.empty()) scores[k] += static_cast<T>(op_.base_values[k]);
    }
    return {};
  }

 private:
  Result<int64_t> leaf_of(std::span<const T> row, int64_t link) const {
    for (size_t steps = 0; link >= 0; ++steps) {
      if (steps > op_.tests.size()) return fail("the links of a tree go in a circle");
      const auto node = static_cast<size_t>(link);
      const double x = static_cast<double>(row[static_cast<size_t>(op_.features[node])]);
      const bool way = x != x ? !op_.missing_true.empty() && op_.missing_true[node] != 0 : passes(node, x);
      link = way ? op_.true_links[node] : op_.false_links[node];
    }
    return -1 - link;
  }
  bool passes(size_t node, double x) const {
    const double split = op_.splits[node];
    switch (op_.tests[node]) {
      case TreeTest::leq: return x <= split;
      case TreeTest::lt: return x < split;
      case TreeTest::gte: return x >= split;
      case TreeTest::gt: return x > split;
      case TreeTest::eq: return x == split;
      case TreeTest::neq: return x != split;
      case TreeTest::member: return std::ranges::binary_search(sets_[node], x);
    }
    return false;
  }
  T joined(T a, T b) const {
    if (op_.aggregate == TreeAggregate::min) return std::min(a, b);
    return op_.aggregate == TreeAggregate::max ? std::max(a, b) : a + b;
  }

  const TreeEnsemble& op_;
  std::vector<std::vector<double>> sets_;
};

template <class T>
Result<void> score_rows(const TreeEnsemble& op, const Tensor& x, Tensor& y) {
  TENON_TRY(sets, sets_of(op));
  const Forest<T> forest(op, std::move(sets));
  const auto width = static_cast<size_t>(x.dims[1]), targets = static_cast<size_t>(op.targets);
  for (size_t n = 0; n < static_cast<size_t>(x.dims[0]); ++n)
    TENON_OK(forest.score(x.as<T>().subspan(n * width, width), y.as<T>().subspan(n * targets, targets)));
  return {};
}

}  // namespace

Result<Facts> infer(const TreeEnsemble& op, std::span<const Fact> in, InferCtx&) {
  if (!is_float(in[0].dtype())) return fail("x is {}, wanted floats", to_string(in[0].dtype()));
  if (op.targets < 1) return fail("{} targets", op.targets);
  if (!in[0].has_rank()) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  if (in[0].rank() != 2) return fail("x must be [N, F], got {}", to_string(in[0].shape()));
  return Facts{Fact(in[0].dtype(), Shape{in[0].shape()[0], Dim(op.targets)})};
}

Result<void> eval(const TreeEnsemble& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& given = in[0].tensor;
  if (!is_float(given.dtype) || given.rank() != 2) return fail("x must be floats [N, F], got {}", to_string(given.dims));
  if (given.dims[0] > 0) TENON_OK(check_trees(op, given.dims[1]));  // the width of no rows may not be known
  const Dims dims{given.dims[0], op.targets};
  TENON_OK(prepare_output(out[0], given.dtype, dims));
  TENON_TRY(x, widen(given));
  TENON_TRY(y, Tensor::allocate(x.dtype, dims));
  if (given.dims[0] == 0) return {};
  TENON_OK(x.dtype == DType::f64 ? score_rows<double>(op, x, y) : score_rows<float>(op, x, y));
  return store(y, out[0].tensor);
}

template OpRow make_row<TreeEnsemble>();

}  // namespace tenon::ops
