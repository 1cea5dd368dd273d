// What ai.onnx.ml needs beside trees: distances, coupled probabilities, maps, n-grams and strict lookups.
#include <gtest/gtest.h>

#include <numeric>

#include "ops/lookup.h"
#include "ops/maps.h"
#include "ops/svm.h"
#include "ops/tf_idf.h"

namespace tenon::ops {
namespace {

HostValue reals(const Dims& dims, const std::vector<float>& values) {
  return HostValue(make_tensor<float>(DType::f32, dims, std::span<const float>(values)));
}
HostValue integers(const Dims& dims, const Dims& values) {
  return HostValue(make_tensor<int64_t>(DType::i64, dims, std::span<const int64_t>(values)));
}
HostValue words(const Dims& dims, const std::vector<std::string>& values) {
  return HostValue(make_tensor<std::string>(DType::str, dims, std::span<const std::string>(values)));
}
template <class T>
Result<Tensor> run(const T& op, const std::vector<HostValue>& in) {
  std::vector<HostValue> out(1);
  TENON_OK(eval(op, in, out));
  return out[0].tensor;
}
template <class E>
std::vector<E> elements(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.error().message();
  if (!tensor.ok()) return {};
  return {tensor->as<E>().begin(), tensor->as<E>().end()};
}

TEST(SquaredDistance, SumsSquares) {
  const auto y = run(SquaredDistance{}, {reals({2, 2}, {0, 0, 1, 2}), reals({3, 2}, {0, 1, 3, 4, 1, 2})});
  EXPECT_EQ(elements<float>(y), (std::vector<float>{1, 25, 5, 2, 8, 0}));
  EXPECT_FALSE(run(SquaredDistance{}, {reals({2, 2}, {0, 0, 1, 2}), reals({1, 3}, {0, 1, 3})}).ok());
  EXPECT_FALSE(run(SquaredDistance{}, {reals({2}, {0, 0}), reals({1, 2}, {0, 1})}).ok());
  EXPECT_FALSE(run(SquaredDistance{}, {integers({1, 1}, {0}), integers({1, 1}, {0})}).ok());
}

TEST(PairCoupling, AgreesWithThePairs) {
  // Pairs that come from probabilities give these back.
  const std::vector<float> p = {0.2F, 0.5F, 0.3F};
  const auto y = elements<float>(run(PairCoupling{.classes = 3}, {reals({1, 3}, {0.2F / 0.7F, 0.2F / 0.5F, 0.5F / 0.8F})}));
  ASSERT_EQ(y.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(y[i], p[i], 0.01);
  EXPECT_NEAR(std::accumulate(y.begin(), y.end(), 0.0), 1, 1e-5);
  EXPECT_FALSE(run(PairCoupling{.classes = 4}, {reals({1, 3}, {0, 0, 0})}).ok());
  EXPECT_FALSE(run(PairCoupling{.classes = 1}, {reals({1, 0}, {})}).ok());
  EXPECT_FALSE(run(PairCoupling{.classes = INT64_MAX}, {reals({1, 3}, {0, 0, 0})}).ok());
}

HostValue map_of(HostValue keys, std::vector<HostValue> values) {
  HostValue map;
  map.kind = HostValue::Kind::map;
  map.tensor = keys.tensor;
  map.items = std::move(values);
  return map;
}

TEST(Maps, Vectorize) {
  const HostValue map = map_of(words({2}, {"z", "a"}), {integers({}, {7}), integers({}, {8})});
  DictVectorizer op{.ints = {}, .strings = {"a", "b", "z"}};
  EXPECT_EQ(elements<int64_t>(run(op, {map})), (Dims{8, 0, 7}));
  op.strings = {"q"};  // the map's keys are no words
  EXPECT_EQ(elements<int64_t>(run(op, {map})), (Dims{0}));
  const HostValue texts = map_of(integers({1}, {5}), {words({}, {"five"})});
  EXPECT_EQ(elements<std::string>(run(DictVectorizer{.ints = {4, 5}, .strings = {}}, {texts})), (std::vector<std::string>{"", "five"}));
  EXPECT_FALSE(run(op, {texts}).ok());                                                    // keys of another type
  EXPECT_FALSE(run(op, {words({1}, {"a"})}).ok());                                        // no map
  EXPECT_FALSE(run(op, {map_of(words({2}, {"a", "b"}), {reals({}, {1})})}).ok());         // a key without a value
  EXPECT_FALSE(run(op, {map_of(words({1}, {"a"}), {reals({2}, {1, 2})})}).ok());          // a value of two numbers
  EXPECT_FALSE(run(op, {map_of(words({2}, {"a", "b"}), {reals({}, {1}), texts})}).ok());  // a value that is a map
}

TEST(Maps, BecomeTensors) {
  const HostValue map = map_of(integers({3}, {4, 0, 9}), {words({}, {"1.5"}), words({}, {"-2"}), words({}, {"7"})});
  EXPECT_EQ(elements<float>(run(CastMap{}, {map})), (std::vector<float>{-2, 1.5F, 7}));
  EXPECT_EQ(elements<std::string>(run(CastMap{.dtype = DType::str, .size = 5}, {map})),
            (std::vector<std::string>{"-2", "", "", "", "1.5"}));
  const HostValue numbers = map_of(integers({2}, {4, 0}), {reals({}, {1.75F}), reals({}, {-2.5F})});
  EXPECT_EQ(elements<int64_t>(run(CastMap{.dtype = DType::i64}, {numbers})), (Dims{-2, 1}));
  EXPECT_EQ(elements<std::string>(run(CastMap{.dtype = DType::str}, {numbers})), (std::vector<std::string>{"-2.500000", "1.750000"}));
  EXPECT_FALSE(run(CastMap{}, {map_of(integers({1}, {0}), {words({}, {"one"})})}).ok());
  EXPECT_FALSE(run(CastMap{.dtype = DType::i64}, {map_of(integers({1}, {0}), {words({}, {""})})}).ok());
  EXPECT_FALSE(run(CastMap{.dtype = DType::i64}, {map_of(integers({1}, {0}), {reals({}, {1e30F})})}).ok());
  EXPECT_FALSE(run(CastMap{.dtype = DType::f32, .size = -1}, {numbers}).ok());
  EXPECT_FALSE(run(CastMap{}, {map_of(words({1}, {"a"}), {reals({}, {1})})}).ok());
}

/// 1-grams 2 and 3, 2-grams (5, 6) and (7, 8).
TfIdf small_grams() {
  TfIdf op;
  op.max_length = 2;
  op.starts = {0, 2};
  op.columns = {1, 0, 3, 2};
  op.pool_ints = {2, 3, 5, 6, 7, 8};
  return op;
}

TEST(TfIdf, CountsWeighsAndSkips) {
  TfIdf op = small_grams();
  const HostValue x = integers({2, 6}, {5, 6, 3, 7, 3, 8, 2, 5, 7, 6, 8, 3});
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{2, 0, 0, 1, 1, 1, 0, 0}));
  op.max_skip = 1;  // what one element stands between is found too; single elements count once
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{2, 0, 1, 1, 1, 1, 1, 1}));
  op.weights = {10, 20, 30, 40};
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{2, 0, 1, 1, 1, 1, 1, 1}));
  op.mode = TfIdfMode::idf;
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{20, 0, 40, 30, 20, 10, 40, 30}));
  op.mode = TfIdfMode::tfidf;
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{40, 0, 40, 30, 20, 10, 40, 30}));
  op.min_length = 2;
  EXPECT_EQ(elements<float>(run(op, {x})), (std::vector<float>{0, 0, 40, 30, 0, 0, 40, 30}));
  EXPECT_EQ(elements<float>(run(op, {integers({0}, {})})), (std::vector<float>{0, 0, 0, 0}));
  op.max_skip = INT64_MAX;
  EXPECT_EQ(elements<float>(run(op, {integers({1}, {5})})), (std::vector<float>{0, 0, 0, 0}));
}

TEST(TfIdf, TakesStrings) {
  TfIdf op = small_grams();
  op.pool_ints.clear();
  op.pool_strings = {"a", "b", "c", "d", "c", "e"};
  EXPECT_EQ(elements<float>(run(op, {words({4}, {"c", "e", "?", "b"})})), (std::vector<float>{1, 0, 1, 0}));
  EXPECT_FALSE(run(op, {integers({1}, {5})}).ok());
}

TEST(TfIdf, RefusesWhatAFileMaySay) {
  const auto refused = [](const char* what, auto change) {
    TfIdf op = small_grams();
    change(op);
    EXPECT_FALSE(run(op, {integers({2}, {5, 6})}).ok()) << what;
  };
  refused("a negative column", [](TfIdf& op) { op.columns[0] = -1; });
  refused("a column beyond all memory", [](TfIdf& op) { op.columns[0] = INT64_MAX; });
  refused("too few columns", [](TfIdf& op) { op.columns.pop_back(); });
  refused("too few weights", [](TfIdf& op) { op.weights = {1}; });
  refused("a start behind the pool", [](TfIdf& op) { op.starts[1] = 7; });
  refused("starts that fall", [](TfIdf& op) { op.starts = {2, 0}; });
  refused("a negative start", [](TfIdf& op) { op.starts[0] = -1; });
  EXPECT_FALSE(run(small_grams(), {reals({2}, {5, 6})}).ok());
  EXPECT_FALSE(run(small_grams(), {integers({1, 1, 2}, {5, 6})}).ok());
}

TEST(Lookup, WithoutADefaultWantsKeys) {
  const std::vector<HostValue> known = {integers({2}, {5, 6}), integers({2}, {6, 5}), words({2}, {"six", "five"})};
  EXPECT_EQ(elements<std::string>(run(Lookup{}, known)), (std::vector<std::string>{"five", "six"}));
  EXPECT_FALSE(run(Lookup{}, {integers({1}, {4}), known[1], known[2]}).ok());
  EXPECT_EQ(elements<std::string>(run(Lookup{}, {integers({1}, {4}), known[1], known[2], words({1}, {"?"})})),
            std::vector<std::string>{"?"});
}

}  // namespace
}  // namespace tenon::ops
