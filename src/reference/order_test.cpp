#include <gtest/gtest.h>

#include <cmath>

#include "ops/cum_sum.h"
#include "ops/top_k.h"
#include "reference/reference.h"
#include "tensor/convert.h"

namespace tenon::reference {
namespace {

template <class T>
HostValue list(DType type, std::vector<T> values) {
  const auto count = static_cast<int64_t>(values.size());
  return make_tensor<T>(type, {count}, values);
}

struct Best {
  std::vector<double> values;
  Dims places;
};
Best best_of(const engine::TopKProblem& p, const HostValue& x) {
  std::vector<HostValue> out(2);
  const auto done = run(p, std::vector{x}, out);
  EXPECT_TRUE(done.ok()) << done.error().message();
  Best best;
  for (int64_t i = 0; i < out[0].tensor.elems(); ++i)
    best.values.push_back(is_float(p.type) ? element_as_double(out[0].tensor, i) : static_cast<double>(element_as_int(out[0].tensor, i)));
  best.places = ints_of(out[1].tensor);
  return best;
}

TEST(Order, BestFirstAndOfEqualOnesTheFirst) {
  const HostValue x = list<float>(DType::f32, {1, NAN, 3, 3, -0.0F, 0});
  const Best largest = best_of({.shape = Shape{6}, .k = 4}, x);
  EXPECT_EQ(largest.places, (Dims{1, 2, 3, 0}));
  EXPECT_TRUE(std::isnan(largest.values[0]));
  const Best smallest = best_of({.shape = Shape{6}, .k = 6, .largest = false}, x);
  EXPECT_EQ(smallest.places, (Dims{4, 5, 0, 2, 3, 1}));
  EXPECT_TRUE(std::signbit(smallest.values[0]));
  EXPECT_EQ(best_of({.type = DType::u64, .shape = Shape{3}, .k = 1}, list<uint64_t>(DType::u64, {1, (1ull << 63) + 1, 5})).places, Dims{1});
  EXPECT_EQ(best_of({.type = DType::i8, .shape = Shape{2, 2}, .axis = 0, .k = 1}, list<int8_t>(DType::i8, {-1, 2, 1, -2})).places,
            (Dims{1, 0}));
}

TEST(Order, WhatKMayBe) {
  const HostValue x = list<float>(DType::f32, {1, 2, 3});
  const auto refused = [&](const engine::TopKProblem& p) {
    std::vector<HostValue> out(2);
    return !run(p, std::vector{x}, out).ok();
  };
  EXPECT_FALSE(refused({.shape = Shape{3}, .k = 0}));
  EXPECT_TRUE(refused({.shape = Shape{3}, .k = 4}));
  EXPECT_TRUE(refused({.shape = Shape{3}, .k = -1}));
  EXPECT_TRUE(refused({.shape = Shape{3}, .k = Dim::symbol("k")}));
  EXPECT_TRUE(refused({.shape = Shape{3}, .axis = 1, .k = 1}));
  EXPECT_TRUE(refused({.shape = Shape{4}, .k = 1}));
  EXPECT_TRUE(refused({.type = DType::f64, .shape = Shape{3}, .k = 1}));
  EXPECT_FALSE(engine::check_sizes(engine::TopKProblem{.shape = Shape{3}, .k = 4}, {4}).ok());
  // By the operator, which knows k only now.
  std::vector<HostValue> out(2);
  ASSERT_TRUE(run_op(ops::make_op(ops::TopK{}), std::vector{x, HostValue(int64_tensor({2}))}, out).ok());
  EXPECT_EQ(ints_of(out[1].tensor), (Dims{2, 1}));
  std::vector<HostValue> none(2);
  EXPECT_FALSE(run_op(ops::make_op(ops::TopK{}), std::vector{x, HostValue(int64_tensor({4}))}, none).ok());
}

Dims sums_of(engine::CumulativeProblem p, const HostValue& x) {
  p.type = x.tensor.dtype;
  std::vector<HostValue> out(1);
  const auto done = run(p, std::vector{x}, out);
  EXPECT_TRUE(done.ok()) << done.error().message();
  return ints_of(out[0].tensor);
}

TEST(Order, RunningSumsAndProducts) {
  const HostValue x = list<int64_t>(DType::i64, {1, 2, 3, 4});
  EXPECT_EQ(sums_of({.shape = Shape{4}}, x), (Dims{1, 3, 6, 10}));
  EXPECT_EQ(sums_of({.shape = Shape{4}, .exclusive = true}, x), (Dims{0, 1, 3, 6}));
  EXPECT_EQ(sums_of({.shape = Shape{4}, .reverse = true}, x), (Dims{10, 9, 7, 4}));
  EXPECT_EQ(sums_of({.shape = Shape{4}, .exclusive = true, .reverse = true, .product = true}, x), (Dims{24, 12, 4, 1}));
  EXPECT_EQ(sums_of({.shape = Shape{2, 2}, .axis = 0}, x), (Dims{1, 2, 4, 6}));
  EXPECT_EQ(sums_of({.shape = Shape{2}}, list<int8_t>(DType::i8, {100, 100})), (Dims{100, -56}));
  std::vector<HostValue> out(1);
  EXPECT_FALSE(run(engine::CumulativeProblem{.type = DType::i64, .shape = Shape{4}, .axis = 2}, std::vector{x}, out).ok());
  EXPECT_FALSE(run(engine::CumulativeProblem{.type = DType::i64, .shape = Shape{5}}, std::vector{x}, out).ok());
  EXPECT_FALSE(run_op(ops::make_op(ops::CumSum{}), std::vector{x, HostValue(int64_tensor({1}))}, out).ok());
  ASSERT_TRUE(run_op(ops::make_op(ops::CumSum{}), std::vector{x, HostValue(int64_tensor({-1}))}, out).ok());
  EXPECT_EQ(ints_of(out[0].tensor), (Dims{1, 3, 6, 10}));
}

}  // namespace
}  // namespace tenon::reference
