// The trees of ai.onnx.ml: three forms of one thing, ops::TreeEnsemble.
#include <algorithm>
#include <map>
#include <ranges>

#include "onnx/scores.h"
#include "ops/concat.h"
#include "ops/tree_ensemble.h"

namespace tenon::onnx {
namespace {

using ops::TreeAggregate;
using ops::TreeEnsemble;
using ops::TreeTest;

/// A tensor attribute's elements, or those of a list of floats.
std::vector<double> tree_numbers(NodeImport& n, const std::string& tensor, const std::string& list) {
  if (const auto given = n.tensor_attr(tensor)) {
    std::vector<double> numbers(static_cast<size_t>(given->elems()));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = element_as_double(*given, static_cast<int64_t>(i));
    return numbers;
  }
  return list.empty() ? std::vector<double>() : n.floats_attr(list);
}

std::optional<TreeTest> tree_test(std::string_view mode) {
  static constexpr std::array<std::string_view, 7> kModes = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",   "BRANCH_GT",
                                                             "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER"};
  const auto found = std::ranges::find(kModes, mode);
  return found == kModes.end() ? std::nullopt : std::optional(static_cast<TreeTest>(found - kModes.begin()));
}

/// The nodes of opsets 1 and 3, where a leaf is a node with a mode of its own, and votes name leaves as (tree, node).
class NamedNodes {
 public:
  NamedNodes(NodeImport& n, TreeEnsemble& op) : n_(n), op_(op) {
    trees_ = n.ints_attr("nodes_treeids");
    ids_ = n.ints_attr("nodes_nodeids");
    modes_ = n.strings_attr("nodes_modes");
    if (ids_.size() != trees_.size() || modes_.size() != trees_.size())
      n.refuse("{} tree ids, {} node ids and {} modes of nodes", trees_.size(), ids_.size(), modes_.size());
  }

  void read() {
    for (size_t i = 0; i < trees_.size() && !n_.failed(); ++i) name(i);
    if (n_.failed()) return;
    votes_.resize(leaves_);
    read_branches();
    read_roots();
  }
  /// Votes of `stem` ("class" or "target").
  void read_votes(const std::string& stem) {
    const Dims trees = n_.ints_attr(stem + "_treeids"), ids = n_.ints_attr(stem + "_nodeids"), targets = n_.ints_attr(stem + "_ids");
    const std::vector<double> weights = tree_numbers(n_, stem + "_weights_as_tensor", stem + "_weights");
    if (ids.size() != trees.size() || targets.size() != trees.size() || weights.size() != trees.size())
      return n_.refuse("{} trees, {} nodes, {} ids and {} weights of votes", trees.size(), ids.size(), targets.size(), weights.size());
    for (size_t i = 0; i < trees.size(); ++i) {
      const int64_t link = link_to(trees[i], ids[i]);
      if (n_.failed()) return;
      if (link < 0) votes_[static_cast<size_t>(-1 - link)].push_back(i);  // a vote of a node that is no leaf is never cast
    }
    for (const std::vector<size_t>& leaf : votes_) {
      for (const size_t vote : leaf) {
        op_.vote_targets.push_back(targets[vote]);
        op_.vote_weights.push_back(weights[vote]);
      }
      op_.leaf_ends.push_back(static_cast<int64_t>(op_.vote_targets.size()));
    }
  }

 private:
  void name(size_t i) {
    const auto test = tree_test(modes_[i]);
    if (!test && modes_[i] != "LEAF") return n_.refuse("the mode of a node is '{}'", modes_[i]);
    const int64_t link = test ? branches_++ : -1 - static_cast<int64_t>(leaves_++);
    if (!links_.emplace(std::pair(trees_[i], ids_[i]), link).second) n_.refuse("two nodes {} in tree {}", ids_[i], trees_[i]);
  }
  int64_t link_to(int64_t tree, int64_t id) {
    const auto found = links_.find({tree, id});
    if (found != links_.end()) return found->second;
    n_.refuse("tree {} has no node {}", tree, id);
    return 0;
  }
  void read_branches() {
    const Dims features = n_.ints_attr("nodes_featureids"), yes = n_.ints_attr("nodes_truenodeids"),
               no = n_.ints_attr("nodes_falsenodeids"), missing = n_.ints_attr("nodes_missing_value_tracks_true");
    const std::vector<double> splits = tree_numbers(n_, "nodes_values_as_tensor", "nodes_values");
    for (const size_t size : {features.size(), yes.size(), no.size(), splits.size(), missing.empty() ? trees_.size() : missing.size()})
      if (size != trees_.size()) return n_.refuse("{} nodes, but a list of {} beside them", trees_.size(), size);
    for (size_t i = 0; i < trees_.size() && !n_.failed(); ++i) {
      const auto test = tree_test(modes_[i]);
      if (!test) continue;
      op_.tests.push_back(*test);
      op_.features.push_back(features[i]);
      op_.splits.push_back(splits[i]);
      op_.true_links.push_back(link_to(trees_[i], yes[i]));
      op_.false_links.push_back(link_to(trees_[i], no[i]));
      if (!missing.empty()) op_.missing_true.push_back(missing[i] != 0);
    }
  }
  /// A tree's root is its first node that no other leads to.
  void read_roots() {
    std::vector<char> led(op_.tests.size() + leaves_, 0);
    const auto place = [&](int64_t link) {
      return link >= 0 ? static_cast<size_t>(link) : op_.tests.size() + static_cast<size_t>(-1 - link);
    };
    for (const int64_t link : op_.true_links) led[place(link)] = 1;
    for (const int64_t link : op_.false_links) led[place(link)] = 1;
    std::map<int64_t, bool> rooted;
    Dims order;
    for (size_t i = 0; i < trees_.size() && !n_.failed(); ++i) {
      const auto [tree, fresh] = rooted.emplace(trees_[i], false);
      if (fresh) order.push_back(trees_[i]);
      const int64_t link = link_to(trees_[i], ids_[i]);
      if (tree->second || led[place(link)]) continue;
      tree->second = true;
      op_.roots.push_back(link);
    }
    for (const int64_t tree : order)
      if (!rooted[tree]) n_.refuse("tree {} has no root", tree);
  }

  NodeImport& n_;
  TreeEnsemble& op_;
  Dims trees_, ids_;
  std::vector<std::string> modes_;
  std::map<std::pair<int64_t, int64_t>, int64_t> links_;
  int64_t branches_ = 0;
  size_t leaves_ = 0;
  std::vector<std::vector<size_t>> votes_;  // of each leaf
};

}  // namespace

Result<Values> import_tree_ensemble_regressor(NodeImport& n) {
  TreeEnsemble op;
  op.targets = n.int_attr("n_targets", 1);
  op.base_values = tree_numbers(n, "base_values_as_tensor", "base_values");
  const std::string aggregate = n.string_attr("aggregate_function", "SUM");
  static constexpr std::array<std::string_view, 4> kAggregates = {"SUM", "AVERAGE", "MIN", "MAX"};
  const auto found = std::ranges::find(kAggregates, aggregate);
  if (found == kAggregates.end()) n.refuse("attribute 'aggregate_function' is '{}'", aggregate);
  op.aggregate = static_cast<TreeAggregate>(found - kAggregates.begin());
  NamedNodes nodes(n, op);
  nodes.read();
  nodes.read_votes("target");
  const ValueId scores = n.emit(op, {features_of(n, n.required(0, "X"))});
  return Values{n.cast(transformed(n, n.enum_attr("post_transform", PostTransform::none), scores), DType::f32)};
}

namespace {

/// Two labels, and votes for one class only, whose score decides between them. A model that votes for class 0 means the second label by it.
Values import_one_score(NodeImport& n, TreeEnsemble op, const Labels& labels, PostTransform transform) {
  const bool second = op.vote_targets.front() == 1;
  std::ranges::fill(op.vote_targets, 0);
  op.targets = 1;
  if (op.base_values.size() == 2) op.base_values = {op.base_values[second ? 1 : 0]};
  const bool positive = std::ranges::all_of(op.vote_weights, [](double weight) { return weight >= 0; });
  const ValueId score = n.emit(op, {features_of(n, n.required(0, "X"))});
  const ValueId label = binary_labels(n, labels, score, positive ? 0.5 : 0.0);
  if (!second) return {label, transformed_pair(n, transform, score, positive)};
  const ValueId zero = n.pointwise({score}, [](const std::vector<Term>& t) { return t[0].constant(0); });
  return {label, transformed(n, transform, n.emit(ops::Concat{.axis = 1}, {zero, score}))};
}

}  // namespace

Result<Values> import_tree_ensemble_classifier(NodeImport& n) {
  TreeEnsemble op;
  const Labels labels = class_labels(n, "classlabels_int64s");
  const auto transform = n.enum_attr("post_transform", PostTransform::none);
  op.base_values = tree_numbers(n, "base_values_as_tensor", "base_values");
  NamedNodes nodes(n, op);
  nodes.read();
  nodes.read_votes("class");
  if (n.failed()) return Values{ValueId::none, ValueId::none};
  const auto most = std::ranges::max_element(op.vote_targets);
  op.targets = labels.given ? labels.count() : most == op.vote_targets.end() ? 1 : *most + 1;
  const bool same = !op.vote_targets.empty() && std::ranges::all_of(op.vote_targets, [&](int64_t id) { return id == op.vote_targets[0]; });
  Values out;
  if (labels.count() == 2 && same && op.vote_targets[0] >= 0 && op.vote_targets[0] < 2) {
    out = import_one_score(n, op, labels, transform);
  } else {
    const ValueId scores = n.emit(op, {features_of(n, n.required(0, "X"))});
    const ValueId label = op.targets == 1 ? binary_labels(n, labels, scores, 0) : top_labels(n, labels, scores);
    out = {label, transformed(n, transform, scores)};
  }
  return Values{out[0], n.cast(out[1], DType::f32)};
}

Result<Values> import_tree_ensemble(NodeImport& n) {
  TreeEnsemble op;
  op.targets = n.int_attr("n_targets", 1);
  op.roots = n.ints_attr("tree_roots");
  op.features = n.ints_attr("nodes_featureids");
  op.splits = tree_numbers(n, "nodes_splits", "");
  op.true_links = n.ints_attr("nodes_truenodeids");
  op.false_links = n.ints_attr("nodes_falsenodeids");
  op.missing_true = n.ints_attr("nodes_missing_value_tracks_true");
  op.members = tree_numbers(n, "membership_values", "");
  op.vote_targets = n.ints_attr("leaf_targetids");
  op.vote_weights = tree_numbers(n, "leaf_weights", "");
  for (size_t i = 0; i < op.vote_targets.size(); ++i) op.leaf_ends.push_back(static_cast<int64_t>(i) + 1);
  for (const double mode : tree_numbers(n, "nodes_modes", "")) {
    if (!(mode >= 0 && mode <= 6)) {
      n.refuse("the mode of a node is {}", mode);
      break;
    }
    op.tests.push_back(static_cast<TreeTest>(mode));
  }
  const auto link_leaves = [&](std::string_view name, Dims& links) {
    const Dims leaves = n.ints_attr(name);
    if (leaves.size() != links.size()) return n.refuse("attribute '{}' is of {} nodes, of {}", name, leaves.size(), links.size());
    for (size_t i = 0; i < links.size(); ++i) {
      if (links[i] < 0) return n.refuse("a node leads to {}", links[i]);
      if (leaves[i] != 0) links[i] = -1 - links[i];
    }
  };
  link_leaves("nodes_trueleafs", op.true_links);
  link_leaves("nodes_falseleafs", op.false_links);
  const int64_t aggregate = n.int_attr("aggregate_function", 1), transform = n.int_attr("post_transform", 0);
  static constexpr TreeAggregate kAggregates[] = {TreeAggregate::average, TreeAggregate::sum, TreeAggregate::min, TreeAggregate::max};
  if (aggregate < 0 || aggregate > 3 || transform < 0 || transform > 4) n.refuse("aggregate {} and transform {}", aggregate, transform);
  if (n.failed()) return Values{ValueId::none};
  op.aggregate = kAggregates[aggregate];
  return Values{transformed(n, static_cast<PostTransform>(transform), n.emit(op, {features_of(n, n.required(0, "X"))}))};
}

}  // namespace tenon::onnx
