#include "tensor/expr.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tensor/convert.h"

namespace tenon {
namespace {

Expr expr_of(std::string_view text) {
  auto expr = from_text<Expr>(text);
  EXPECT_TRUE(expr.ok()) << text << ": " << expr.error().message();
  return expr.ok() ? *expr : Expr{};
}

Tensor ramp(DType type, Dims dims, double first, double step) {
  auto doubles = Tensor::allocate(DType::f64, dims);
  for (int64_t i = 0; i < doubles->elems(); ++i) doubles->as<double>()[static_cast<size_t>(i)] = first + step * static_cast<double>(i);
  return *convert(*doubles, type);
}

Tensor run(const Expr& expr, std::vector<Tensor> in, Dims dims) {
  auto out = Tensor::allocate(expr.type_of(expr.results[0]), std::move(dims));
  const auto status = evaluate(expr, in, std::span<Tensor>(&*out, 1));
  EXPECT_TRUE(status.ok()) << status.error().message();
  return *out;
}

TEST(ExprText, RoundTrips) {
  for (const char* text : {"{}", "{x0:f32}", "{t0 = exp(x0:f32); div(t0, add(t0, 1:f32))}", "{mul(x0:f32, sigmoid(x0:f32))}",
                           "{add(x0:f32, 0.1:f32), cast(x0:f32):f16}", "{where(less(x0:i64, -5:i64), x1:u8, 255:u8)}",
                           "{cast_saturate(x0:f32):i8}", "{max(x0:f32, -inf:f32), min(x0:f32, nan:f32)}", "{add(x0:f64, 0.1:f64)}",
                           "{logical_and(x0:bool, 1:bool)}", "{add(x0:i64, 9223372036854775807:i64)}"}) {
    EXPECT_EQ(to_string(expr_of(text)), text);
  }
}

TEST(ExprText, DependsOnTheGraphAlone) {
  EXPECT_EQ(to_string(expr_of("{t0 = neg(x1:f32); t1 = sigmoid(x0:f32); mul(x0:f32, t1)}")), "{mul(x0:f32, sigmoid(x0:f32))}");
}

TEST(ExprText, NamesWhatIsSharedOrDeep) {
  Expr expr;
  int at = expr.add_input(0, DType::f32);
  for (int i = 0; i < 2000; ++i) at = expr.add(Fn::neg, at);
  for (int i = 0; i < 200; ++i) at = expr.add(Fn::mul, at, at);
  expr.results = {at};
  const std::string text = to_string(expr);
  EXPECT_EQ(to_string(expr_of(text)), text);
}

TEST(ExprText, RefusesNonsense) {
  const std::string deep = "{" + [] {
    std::string s;
    for (int i = 0; i < 100000; ++i) s += "neg(";
    return s;
  }();
  for (const std::string& text :
       {std::string("{add(x0:f32, x1:f16)}"), std::string("{sqrt(x0:i32)}"), std::string("{t0}"), std::string("{t1 = x0:f32; t1}"),
        std::string("{nope(x0:f32)}"), std::string("{x0:str}"), std::string("{x0}"), std::string("{1.5:i32}"), deep, std::string("{")})
    EXPECT_FALSE(from_text<Expr>(text).ok()) << text.substr(0, 50);
}

TEST(ExprVerify, NamesTheNode) {
  Expr expr;
  expr.nodes.push_back({.fn = Fn::neg, .type = DType::f32, .args = {3, -1, -1}});
  const auto status = verify(expr);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("node 0 (neg)"), std::string::npos);
}

TEST(ExprCompose, ReplacesAnInput) {
  const Expr inner = expr_of("{add(x0:f32, x1:f32)}"), outer = expr_of("{mul(x0:f32, sigmoid(x1:f32))}");
  EXPECT_EQ(to_string(compose(inner, {0, 1}, outer, 1, {2, -1})), "{mul(x2:f32, sigmoid(add(x0:f32, x1:f32)))}");
}

TEST(ExprEvaluate, BroadcastsEveryPattern) {
  std::mt19937 random(1);
  const Expr expr = expr_of("{add(mul(x0:f32, x1:f32), cast(x2:i32):f32)}");
  for (int round = 0; round < 300; ++round) {
    Dims out;
    const int rank = static_cast<int>(random() % 5);
    for (int d = 0; d < rank; ++d) out.push_back(static_cast<int64_t>(random() % 7 * (random() % 4 ? 1 : 11)));
    std::vector<Tensor> in;
    for (int k = 0; k < 3; ++k) {
      Dims dims(out.end() - static_cast<int>(random() % (static_cast<unsigned>(rank) + 1)), out.end());
      for (int64_t& dim : dims)
        if (random() % 3 == 0) dim = 1;
      in.push_back(ramp(k == 2 ? DType::i32 : DType::f32, dims, k, 1 + k));
    }
    const Tensor got = run(expr, in, out);
    const Dims strides = strides_of(out);
    for (int64_t i = 0; i < got.elems(); ++i) {
      float want[3];
      for (size_t k = 0; k < 3; ++k) {
        const Dims& dims = in[k].dims;
        const Dims steps = strides_of(dims);
        int64_t at = 0;
        for (size_t d = 0; d < dims.size(); ++d) {
          const size_t o = d + out.size() - dims.size();
          if (dims[d] != 1) at += i / strides[o] % out[o] * steps[d];
        }
        want[k] = static_cast<float>(element_as_double(in[k], at));
      }
      ASSERT_EQ(got.as<float>()[static_cast<size_t>(i)], want[0] * want[1] + want[2]) << to_string(out) << " at " << i;
    }
  }
}

TEST(ExprEvaluate, IntegersWrapAndNeverTrap) {
  const Tensor most = make_tensor<int64_t>(DType::i64, {2}, std::vector<int64_t>{INT64_MIN, 7});
  const Tensor by = make_tensor<int64_t>(DType::i64, {2}, std::vector<int64_t>{-1, 0});
  EXPECT_EQ(run(expr_of("{div(x0:i64, x1:i64)}"), {most, by}, {2}).as<int64_t>()[0], INT64_MIN);
  EXPECT_EQ(run(expr_of("{div(x0:i64, x1:i64)}"), {most, by}, {2}).as<int64_t>()[1], 0);
  EXPECT_EQ(run(expr_of("{mod(x0:i64, x1:i64)}"), {most, by}, {2}).as<int64_t>()[1], 0);
  EXPECT_EQ(run(expr_of("{neg(x0:i64)}"), {most}, {2}).as<int64_t>()[0], INT64_MIN);
  EXPECT_EQ(run(expr_of("{mul(x0:u8, x0:u8)}"), {ramp(DType::u8, {1}, 255, 0)}, {1}).as<uint8_t>()[0], 1);
  EXPECT_EQ(run(expr_of("{cast(add(x0:u8, 1:u8)):i32}"), {ramp(DType::u8, {1}, 255, 0)}, {1}).as<int32_t>()[0], 0);
  EXPECT_EQ(run(expr_of("{mod(x0:i32, 3:i32)}"), {ramp(DType::i32, {1}, -7, 0)}, {1}).as<int32_t>()[0], 2);
  EXPECT_EQ(run(expr_of("{fmod(x0:i32, 3:i32)}"), {ramp(DType::i32, {1}, -7, 0)}, {1}).as<int32_t>()[0], -1);
  EXPECT_EQ(run(expr_of("{shift_left(x0:i32, 99:i32)}"), {ramp(DType::i32, {1}, 1, 0)}, {1}).as<int32_t>()[0], 0);
}

TEST(ExprEvaluate, UnsignedSixtyFourBits) {
  const Tensor big = make_tensor<uint64_t>(DType::u64, {1}, std::vector<uint64_t>{UINT64_MAX - 1});
  EXPECT_TRUE(run(expr_of("{greater(x0:u64, 5:u64)}"), {big}, {1}).as<bool>()[0]);
  EXPECT_EQ(run(expr_of("{div(x0:u64, 2:u64)}"), {big}, {1}).as<uint64_t>()[0], (UINT64_MAX - 1) / 2);
  EXPECT_EQ(run(expr_of("{shift_right(x0:u64, 63:u64)}"), {big}, {1}).as<uint64_t>()[0], 1u);
  EXPECT_EQ(run(expr_of("{cast(x0:u64):f64}"), {big}, {1}).as<double>()[0], 0x1p64);
}

TEST(ExprEvaluate, Floats) {
  const Tensor x = make_tensor<float>(DType::f32, {4}, std::vector<float>{-1.5f, NAN, INFINITY, 2.5f});
  const Tensor relu = run(expr_of("{relu(x0:f32)}"), {x}, {4}), low = run(expr_of("{min(0:f32, x0:f32)}"), {x}, {4});
  EXPECT_EQ(relu.as<float>()[0], 0);
  EXPECT_TRUE(std::isnan(relu.as<float>()[1]));
  EXPECT_TRUE(std::isnan(low.as<float>()[1]));
  const Tensor round = run(expr_of("{round(x0:f32)}"), {x}, {4});
  EXPECT_EQ(round.as<float>()[0], -2);
  EXPECT_EQ(round.as<float>()[3], 2);
  EXPECT_TRUE(run(expr_of("{is_inf(x0:f32)}"), {x}, {4}).as<bool>()[2]);
  EXPECT_EQ(run(expr_of("{mod(x0:f32, 2:f32)}"), {x}, {4}).as<float>()[0], 0.5f);
  EXPECT_EQ(run(expr_of("{cast_saturate(mul(x0:f32, 1000:f32)):i8}"), {x}, {4}).as<int8_t>()[0], -128);
}

TEST(ExprEvaluate, SeveralResultsReuseNoSlotTooEarly) {
  const Expr expr =
      expr_of("{t0 = add(x0:f32, 1:f32); t1 = mul(t0, 2:f32); t2 = sub(t1, 3:f32); add(t0, t2), cast(t1):i32, add(t2, 5:f32)}");
  const Tensor x = ramp(DType::f32, {1000}, 0, 1);
  std::vector<Tensor> out = {*Tensor::allocate(DType::f32, {1000}), *Tensor::allocate(DType::i32, {1000}),
                             *Tensor::allocate(DType::f32, {2, 1000})};
  ASSERT_TRUE(evaluate(expr, std::span<const Tensor>(&x, 1), out).ok());
  for (size_t i = 0; i < 1000; ++i) {
    const auto v = static_cast<float>(i);
    ASSERT_EQ(out[0].as<float>()[i], (v + 1) + ((v + 1) * 2 - 3));
    ASSERT_EQ(out[1].as<int32_t>()[i], static_cast<int32_t>((v + 1) * 2));
    ASSERT_EQ(out[2].as<float>()[1000 + i], (v + 1) * 2 + 2);
  }
}

TEST(ExprEvaluate, RefusesWhatDoesNotFit) {
  Tensor out = *Tensor::allocate(DType::f32, {3});
  const std::vector<Tensor> wrong_dims = {ramp(DType::f32, {2}, 0, 1)}, wrong_type = {ramp(DType::i8, {3}, 0, 1)};
  EXPECT_FALSE(evaluate(expr_of("{neg(x0:f32)}"), wrong_dims, std::span<Tensor>(&out, 1)).ok());
  EXPECT_FALSE(evaluate(expr_of("{neg(x0:f32)}"), wrong_type, std::span<Tensor>(&out, 1)).ok());
  EXPECT_FALSE(evaluate(expr_of("{neg(x1:f32)}"), wrong_dims, std::span<Tensor>(&out, 1)).ok());
}

}  // namespace
}  // namespace tenon
