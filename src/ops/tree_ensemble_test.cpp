#include "ops/tree_ensemble.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tenon::ops {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Result<Tensor> run(const TreeEnsemble& op, DType type, const Dims& dims, const std::vector<double>& x) {
  const Tensor wide = make_tensor<double>(DType::f64, dims, std::span<const double>(x));
  const std::vector<HostValue> in = {HostValue(*convert(wide, type))};
  std::vector<HostValue> out(1);
  TENON_OK(eval(op, in, out));
  return convert(out[0].tensor, DType::f64);
}
std::vector<double> scores(const TreeEnsemble& op, const Dims& dims, const std::vector<double>& x, DType type = DType::f32) {
  const auto y = run(op, type, dims, x);
  EXPECT_TRUE(y.ok()) << y.error().message();
  if (!y.ok()) return {};
  return {y->as<double>().begin(), y->as<double>().end()};
}

/// x[0] <= 1: leaf 0 votes 1 for target 0; else x[1] is 2 or 3: leaf 1 votes 2 for both targets; else leaf 2 votes 4 for target 1.
TreeEnsemble small() {
  TreeEnsemble op;
  op.roots = {0};
  op.tests = {TreeTest::leq, TreeTest::member};
  op.features = {0, 1};
  op.splits = {1, 0};
  op.true_links = {-1, -2};
  op.false_links = {1, -3};
  op.members = {3, 2, kNaN};
  op.leaf_ends = {1, 3, 4};
  op.vote_targets = {0, 0, 1, 1};
  op.vote_weights = {1, 2, 2, 4};
  op.targets = 2;
  return op;
}

TEST(TreeEnsemble, WalksToLeaves) {
  const std::vector<double> x = {1, 0, 2, 2, 2, 2.5, 5, 3};
  for (const DType type : {DType::f32, DType::f64, DType::f16})
    EXPECT_EQ(scores(small(), {4, 2}, x, type), (std::vector<double>{1, 0, 2, 2, 0, 4, 2, 2}));
  EXPECT_TRUE(scores(small(), {0, 2}, {}).empty());
}

TEST(TreeEnsemble, MissingValuesTakeTheirTrack) {
  TreeEnsemble op = small();
  EXPECT_EQ(scores(op, {1, 2}, {kNaN, 3}), (std::vector<double>{2, 2}));
  op.missing_true = {1, 0};
  EXPECT_EQ(scores(op, {1, 2}, {kNaN, 3}), (std::vector<double>{1, 0}));
  op.missing_true = {0, 0};
  op.tests[0] = TreeTest::neq;  // NaN differs from every split, but it is missing
  EXPECT_EQ(scores(op, {1, 2}, {kNaN, 3}), (std::vector<double>{2, 2}));
}

TEST(TreeEnsemble, Aggregates) {
  TreeEnsemble op = small();
  op.roots = {0, -3, 0};  // a tree may be a leaf, and be there twice
  const std::vector<double> x = {2, 2};
  EXPECT_EQ(scores(op, {1, 2}, x), (std::vector<double>{4, 8}));
  op.aggregate = TreeAggregate::average;
  EXPECT_EQ(scores(op, {1, 2}, x, DType::f64), (std::vector<double>{4.0 / 3, 8.0 / 3}));
  op.aggregate = TreeAggregate::min;
  EXPECT_EQ(scores(op, {1, 2}, x), (std::vector<double>{2, 2}));
  op.aggregate = TreeAggregate::max;
  op.base_values = {0.5, -0.5};
  EXPECT_EQ(scores(op, {1, 2}, x), (std::vector<double>{2.5, 3.5}));
}

TEST(TreeEnsemble, EverySplit) {
  TreeEnsemble op;
  op.roots = {0};
  op.features = {0};
  op.splits = {1};
  op.true_links = {-1};
  op.false_links = {-2};
  op.leaf_ends = {1, 1};  // the second leaf has no vote
  op.vote_targets = {0};
  op.vote_weights = {1};
  const std::pair<TreeTest, std::vector<double>> cases[] = {{TreeTest::leq, {1, 1, 0}}, {TreeTest::lt, {1, 0, 0}},
                                                            {TreeTest::gte, {0, 1, 1}}, {TreeTest::gt, {0, 0, 1}},
                                                            {TreeTest::eq, {0, 1, 0}},  {TreeTest::neq, {1, 0, 1}}};
  for (const auto& [test, wanted] : cases) {
    op.tests = {test};
    EXPECT_EQ(scores(op, {3, 1}, {0, 1, 2}), wanted) << static_cast<int>(test);
  }
}

TEST(TreeEnsemble, RefusesWhatAFileMaySay) {
  const auto refused = [](const char* what, auto change) {
    TreeEnsemble op = small();
    change(op);
    EXPECT_FALSE(run(op, DType::f32, {1, 2}, {2, 7}).ok()) << what;
  };
  refused("a child that is not there", [](TreeEnsemble& op) { op.true_links[0] = 2; });
  refused("a leaf that is not there", [](TreeEnsemble& op) { op.false_links[1] = -4; });
  refused("the smallest link", [](TreeEnsemble& op) { op.false_links[1] = INT64_MIN; });
  refused("a root that is not there", [](TreeEnsemble& op) { op.roots[0] = 9; });
  refused("a circle", [](TreeEnsemble& op) { op.false_links[1] = 0; });
  refused("a node that is its own child", [](TreeEnsemble& op) { op.false_links[0] = 0; });
  refused("a feature that is not there", [](TreeEnsemble& op) { op.features[1] = 2; });
  refused("a negative feature", [](TreeEnsemble& op) { op.features[1] = -1; });
  refused("a target that is not there", [](TreeEnsemble& op) { op.vote_targets[3] = 2; });
  refused("no targets", [](TreeEnsemble& op) { op.targets = 0; });
  refused("too few splits", [](TreeEnsemble& op) { op.splits.pop_back(); });
  refused("too few features", [](TreeEnsemble& op) { op.features.pop_back(); });
  refused("too few links", [](TreeEnsemble& op) { op.true_links.pop_back(); });
  refused("too few tracks", [](TreeEnsemble& op) { op.missing_true = {1}; });
  refused("too few weights", [](TreeEnsemble& op) { op.vote_weights.pop_back(); });
  refused("too many base values", [](TreeEnsemble& op) { op.base_values = {1, 2, 3}; });
  refused("votes that end early", [](TreeEnsemble& op) { op.leaf_ends[1] = 0; });
  refused("votes that are not there", [](TreeEnsemble& op) { op.leaf_ends[2] = 5; });
  refused("a set without an end", [](TreeEnsemble& op) { op.members.pop_back(); });
  EXPECT_FALSE(run(small(), DType::f32, {2}, {2, 7}).ok());
  EXPECT_FALSE(run(small(), DType::i64, {1, 2}, {2, 7}).ok());
}

TEST(TreeEnsemble, SurvivesItsBytes) {
  const auto back = from_bytes<TreeEnsemble>(to_bytes(small()));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(scores(*back, {1, 2}, {5, 3}), (std::vector<double>{2, 2}));
}

}  // namespace
}  // namespace tenon::ops
