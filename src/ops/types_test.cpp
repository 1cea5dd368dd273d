// Operators on strings and complex numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "ops/col2im.h"
#include "ops/grid_sample.h"
#include "ops/non_zero.h"
#include "ops/resize.h"
#include "ops/text.h"
#include "ops/unique.h"

namespace tenon::ops {
namespace {

using Complex = std::complex<float>;

HostValue of_floats(const Dims& dims, const std::vector<float>& values) {
  return HostValue(make_tensor<float>(DType::f32, dims, std::span<const float>(values)));
}
HostValue of_texts(const Dims& dims, const std::vector<std::string>& values) {
  return HostValue(make_tensor<std::string>(DType::str, dims, std::span<const std::string>(values)));
}
HostValue of_complex(const Dims& dims, const std::vector<Complex>& values) {
  return HostValue(make_tensor<Complex>(DType::c64, dims, std::span<const Complex>(values)));
}
template <class E, class T>
std::vector<E> result(const T& op, const std::vector<HostValue>& in) {
  std::vector<HostValue> out(1);
  const auto done = eval(op, in, out);
  EXPECT_TRUE(done.ok()) << done.error().message();
  if (!done.ok()) return {};
  return {out[0].tensor.as<E>().begin(), out[0].tensor.as<E>().end()};
}
template <class T>
std::string why_not(const T& op, const std::vector<HostValue>& in) {
  std::vector<HostValue> out(1);
  const auto done = eval(op, in, out);
  return done.ok() ? "" : done.error().message();
}
using Texts = std::vector<std::string>;

TEST(StringCast, WritesNumbersAsTheStandardDoes) {
  const HostValue x = of_floats({9}, {1, 0.25f, 1e6f, 1e-7f, -0.0f, 3e20f, NAN, INFINITY, -INFINITY});
  EXPECT_EQ(result<std::string>(StringCast{}, {x}), (Texts{"1.0", "0.25", "1000000.0", "1e-07", "-0.0", "3e+20", "nan", "inf", "-inf"}));
  EXPECT_EQ(result<std::string>(StringCast{}, {HostValue(int64_tensor({-3, 7}))}), (Texts{"-3", "7"}));
  EXPECT_EQ(result<std::string>(StringCast{}, {HostValue(scalar_tensor(DType::boolean, 1))}), Texts{"True"});
  EXPECT_NE(why_not(StringCast{}, {of_texts({1}, {"a"})}), "");
}

TEST(StringCast, ReadsNumbers) {
  const StringCast to_float{.to = DType::f32};
  EXPECT_EQ(result<float>(to_float, {of_texts({6}, {"3.14", " 1000 ", "1e-5", "1E8", "+inf", "-INF"})}),
            (std::vector<float>{3.14f, 1000, 1e-5f, 1e8f, INFINITY, -INFINITY}));
  EXPECT_TRUE(std::isnan(result<float>(to_float, {of_texts({1}, {"NaN"})}).at(0)));
  EXPECT_EQ(result<int64_t>(StringCast{.to = DType::i64}, {of_texts({3}, {"9223372036854775807", "-1", "100.5"})}),
            (Dims{INT64_MAX, -1, 100}));
  EXPECT_EQ(result<uint64_t>(StringCast{.to = DType::u64}, {of_texts({1}, {"18446744073709551615"})}), std::vector<uint64_t>{UINT64_MAX});
  EXPECT_EQ(result<uint8_t>(StringCast{.to = DType::boolean}, {of_texts({3}, {"0", "1", "True"})}), (std::vector<uint8_t>{0, 1, 1}));
  EXPECT_EQ(why_not(to_float, {of_texts({1}, {"Hello"})}), "'Hello' is no number that f32 has");
  EXPECT_NE(why_not(to_float, {of_texts({1}, {"+-1"})}), "");
  EXPECT_NE(why_not(to_float, {of_texts({1}, {""})}), "");
}

TEST(ComplexNumbers, AreCountedAndOrdered) {
  const HostValue x = of_complex({5}, {{1, 2}, {0, 0}, {1, -1}, {0, 3}, {1, 2}});
  EXPECT_EQ(result<int64_t>(NonZero{}, {x}), (Dims{0, 2, 3, 4}));
  EXPECT_EQ(result<Complex>(Unique{}, {x}), (std::vector<Complex>{{0, 0}, {0, 3}, {1, -1}, {1, 2}}));
}

TEST(ComplexNumbers, AreResizedPartByPart) {
  const HostValue x = of_complex({2}, {{0, 10}, {4, 30}}), none;
  const Resize linear{.mode = ResizeMode::linear, .coordinate_transform = CoordinateTransform::align_corners};
  const std::vector<HostValue> in = {x, none, none, HostValue(int64_tensor({3}))};
  EXPECT_EQ(result<Complex>(linear, in), (std::vector<Complex>{{0, 10}, {2, 20}, {4, 30}}));
  const Resize crop{.mode = ResizeMode::linear,
                    .coordinate_transform = CoordinateTransform::tf_crop_and_resize,
                    .extrapolation_value = 7};  // a real number
  EXPECT_EQ(result<Complex>(crop, {x, of_floats({2}, {0, 2}), none, HostValue(int64_tensor({3}))}),
            (std::vector<Complex>{{0, 10}, {4, 30}, {7, 0}}));
}

TEST(ComplexNumbers, AreSampledAndAdded) {
  const HostValue x = of_complex({1, 1, 2}, {{0, 10}, {4, 30}});
  const GridSample linear{.mode = GridMode::linear, .align_corners = true};
  EXPECT_EQ(result<Complex>(linear, {x, of_floats({1, 2, 1}, {0, 1})}), (std::vector<Complex>{{2, 20}, {4, 30}}));
  const HostValue columns = of_complex({1, 2, 2}, {{1, 1}, {2, 0}, {3, 0}, {4, 4}});
  EXPECT_EQ(result<Complex>(Col2Im{}, {columns, HostValue(int64_tensor({3})), HostValue(int64_tensor({2}))}),
            (std::vector<Complex>{{1, 1}, {5, 0}, {4, 4}}));
}

TEST(Strings, AreCopiedByNearestAlone) {
  const HostValue x = of_texts({1, 1, 2}, {"a", "b"}), none, sizes(int64_tensor({1, 1, 4}));
  EXPECT_EQ(result<std::string>(Resize{.mode = ResizeMode::nearest}, {x, none, none, sizes}), (Texts{"a", "a", "b", "b"}));
  EXPECT_NE(why_not(Resize{.mode = ResizeMode::linear}, {x, none, none, sizes}).find("mode must be nearest"), std::string::npos);
  const HostValue grid = of_floats({1, 3, 1}, {-1, 1, 9});
  EXPECT_EQ(result<std::string>(GridSample{.mode = GridMode::nearest, .align_corners = true}, {x, grid}), (Texts{"a", "b", ""}));
  EXPECT_NE(why_not(GridSample{.mode = GridMode::linear}, {x, grid}).find("mode must be nearest"), std::string::npos);
}

}  // namespace
}  // namespace tenon::ops
