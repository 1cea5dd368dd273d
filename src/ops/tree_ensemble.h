// TreeEnsemble: x [N, F] of floats → [N, targets] of the same type. Each tree leads a row from its root to a leaf, whose votes add to the
// scores of their targets. What the trees of all opsets are imported as.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class TreeTest : uint8_t { leq, lt, gte, gt, eq, neq, member };
constexpr auto enum_names(TreeTest) { return std::array<std::string_view, 7>{"leq", "lt", "gte", "gt", "eq", "neq", "member"}; }

enum class TreeAggregate : uint8_t { sum, average, min, max };
constexpr auto enum_names(TreeAggregate) { return std::array<std::string_view, 4>{"sum", "average", "min", "max"}; }

struct TreeEnsemble {
  // Where a link leads: c >= 0 is node c, c < 0 is leaf -1 - c.
  std::vector<int64_t> roots;
  // One of each per node: x[feature] is compared with the split.
  std::vector<TreeTest> tests;
  std::vector<int64_t> features;
  std::vector<double> splits;
  std::vector<int64_t> true_links, false_links;
  std::vector<int64_t> missing_true;  // 1: NaN goes the way of true; empty: of no node
  std::vector<double> members;        // the sets of the nodes that test for a member, in order of the nodes; NaN ends each
  // Leaf i has the votes [leaf_ends[i - 1], leaf_ends[i]).
  std::vector<int64_t> leaf_ends;
  std::vector<int64_t> vote_targets;
  std::vector<double> vote_weights;
  std::vector<double> base_values;  // added at the end: one per target, or none
  int64_t targets = 1;
  TreeAggregate aggregate = TreeAggregate::sum;  // average: over all trees
  static constexpr std::string_view kName = "TreeEnsemble";
  static constexpr auto kFields = Fields{Field{1, "roots", &TreeEnsemble::roots},
                                         Field{2, "tests", &TreeEnsemble::tests},
                                         Field{3, "features", &TreeEnsemble::features},
                                         Field{4, "splits", &TreeEnsemble::splits},
                                         Field{5, "true_links", &TreeEnsemble::true_links},
                                         Field{6, "false_links", &TreeEnsemble::false_links},
                                         Field{7, "missing_true", &TreeEnsemble::missing_true},
                                         Field{8, "members", &TreeEnsemble::members},
                                         Field{9, "leaf_ends", &TreeEnsemble::leaf_ends},
                                         Field{10, "vote_targets", &TreeEnsemble::vote_targets},
                                         Field{11, "vote_weights", &TreeEnsemble::vote_weights},
                                         Field{12, "base_values", &TreeEnsemble::base_values},
                                         Field{13, "targets", &TreeEnsemble::targets},
                                         Field{14, "aggregate", &TreeEnsemble::aggregate}};
};
Result<Facts> infer(const TreeEnsemble& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const TreeEnsemble& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
