#include "tensor/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "tensor/float_bits.h"

namespace tenon {
namespace {

constexpr DType kSmall[] = {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                            DType::f8e8m0,   DType::f4e2m1,     DType::f6e2m3, DType::f6e3m2};
int codes_of(DType type) { return type == DType::f6e2m3 || type == DType::f6e3m2 ? 64 : 1 << bits_of(type); }

/// The code whose value is nearest, ties to the even code, by search over all codes.
int nearest_code(const std::vector<double>& values, double x) {
  int best = -1;
  for (int code = 0; code < static_cast<int>(values.size()); ++code) {
    if (!std::isfinite(values[static_cast<size_t>(code)])) continue;
    const double a = best < 0 ? INFINITY : std::fabs(values[static_cast<size_t>(best)] - x),
                 b = std::fabs(values[static_cast<size_t>(code)] - x);
    if (b < a || (b == a && code % 2 == 0 && values[static_cast<size_t>(best)] != values[static_cast<size_t>(code)])) best = code;
  }
  return best;
}

TEST(Half, AllCodesRoundTrip) {
  for (int code = 0; code < 65536; ++code) {
    const auto half = static_cast<uint16_t>(code);
    const float value = half_to_float(half);
    const int exponent = code >> 10 & 31, fraction = code & 1023;
    if (exponent == 31 && fraction) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_EQ(float_to_half(value), half | 0x200);
      continue;
    }
    const double size = exponent == 31 ? INFINITY : exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
    ASSERT_EQ(value, code >> 15 ? -size : size) << code;
    ASSERT_EQ(std::signbit(value), code >> 15 != 0);
    ASSERT_EQ(float_to_half(value), half);
  }
}

TEST(Half, RoundsToNearestEven) {
  for (int code = 0; code < 0x7bff; ++code) {
    const double a = half_to_float(static_cast<uint16_t>(code)), b = half_to_float(static_cast<uint16_t>(code + 1)), middle = (a + b) / 2;
    const auto m = static_cast<float>(middle);
    ASSERT_EQ(float_to_half(m), code + code % 2);
    ASSERT_EQ(float_to_half(std::nextafter(m, 0.0f)), code);
    ASSERT_EQ(float_to_half(std::nextafter(m, 1e9f)), code + 1);
    ASSERT_EQ(float_to_half(-m), (code + code % 2) | 0x8000);
  }
  EXPECT_EQ(float_to_half(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(1e38f), 0x7c00);
}

TEST(Bfloat, AllCodesRoundTripAndRound) {
  for (int code = 0; code < 65536; ++code) {
    const float value = bfloat_to_float(static_cast<uint16_t>(code));
    ASSERT_EQ(float_to_bfloat(value), std::isnan(value) ? code | 0x40 : code);
    const uint32_t bits = static_cast<uint32_t>(code) << 16;
    if ((code & 0x7fff) >= 0x7f7f) continue;
    ASSERT_EQ(float_to_bfloat(std::bit_cast<float>(bits | 0x8000u)), code + code % 2);
    ASSERT_EQ(float_to_bfloat(std::bit_cast<float>(bits | 0x7fffu)), code);
    ASSERT_EQ(float_to_bfloat(std::bit_cast<float>(bits | 0x8001u)), code + 1);
  }
}

TEST(SmallFloats, AllCodesRoundTrip) {
  for (const DType type : kSmall)
    for (int code = 0; code < codes_of(type); ++code) {
      const float value = small_float_to_float(type, static_cast<uint8_t>(code));
      const float again = small_float_to_float(type, float_to_small_float(type, value, false));
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(again));
      } else {
        EXPECT_EQ(float_to_small_float(type, value, false), code) << to_string(type);
      }
    }
}

TEST(SmallFloats, EveryHalfRoundsToTheNearest) {
  for (const DType type : kSmall) {
    if (type == DType::f8e8m0) continue;
    std::vector<double> values;
    float largest = 0;
    for (int code = 0; code < codes_of(type); ++code) {
      values.push_back(small_float_to_float(type, static_cast<uint8_t>(code)));
      if (std::isfinite(values.back())) largest = std::max(largest, static_cast<float>(values.back()));
    }
    for (int code = 0; code < 0x7c00; code += 7) {
      const float x = half_to_float(static_cast<uint16_t>(code));
      const uint8_t got = float_to_small_float(type, x, true);
      ASSERT_EQ(values[got], values[static_cast<size_t>(nearest_code(values, x))]) << to_string(type) << " " << x;
      ASSERT_EQ(values[float_to_small_float(type, -x, true)], -values[got]);
    }
  }
}

TEST(SmallFloats, OnnxTables) {  // ONNX Cast: 1e6, NaN, inf, -inf, -1e-7 with and without saturation
  const float in[] = {1000000, NAN, INFINITY, -INFINITY, -1e-7f};
  struct Row {
    DType type;
    uint8_t saturated[5], plain[5];
  };
  const Row rows[] = {{DType::f8e4m3fn, {0x7e, 0x7f, 0x7e, 0xfe, 0x80}, {0x7f, 0x7f, 0x7f, 0xff, 0x80}},
                      {DType::f8e4m3fnuz, {0x7f, 0x80, 0x7f, 0xff, 0x00}, {0x80, 0x80, 0x80, 0x80, 0x00}},
                      {DType::f8e5m2, {0x7b, 0x7e, 0x7b, 0xfb, 0x80}, {0x7c, 0x7e, 0x7c, 0xfc, 0x80}},
                      {DType::f8e5m2fnuz, {0x7f, 0x80, 0x7f, 0xff, 0x00}, {0x80, 0x80, 0x80, 0x80, 0x00}},
                      {DType::f4e2m1, {7, 8, 7, 15, 8}, {7, 8, 7, 15, 8}},
                      {DType::f6e2m3, {0x1f, 0x20, 0x1f, 0x3f, 0x20}, {0x1f, 0x20, 0x1f, 0x3f, 0x20}},
                      {DType::f6e3m2, {0x1f, 0x20, 0x1f, 0x3f, 0x20}, {0x1f, 0x20, 0x1f, 0x3f, 0x20}}};
  for (const Row& row : rows)
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(float_to_small_float(row.type, in[i], true), row.saturated[i]) << to_string(row.type) << " " << in[i];
      EXPECT_EQ(float_to_small_float(row.type, in[i], false), row.plain[i]) << to_string(row.type) << " " << in[i];
    }
  EXPECT_EQ(float_to_small_float(DType::f8e8m0, 1.1f, true), 128);
  EXPECT_EQ(float_to_small_float(DType::f8e8m0, 3e38f, true), 0xfe);
}

TEST(Convert, DoubleToHalfRoundsOnce) {
  const double x = 1 + 0x1p-11 + 0x1p-40;  // through float this would be a tie
  const Tensor in = make_tensor<double>(DType::f64, {2}, std::vector<double>{x, -x});
  const Tensor out = *convert(in, DType::f16);
  EXPECT_EQ(out.as<uint16_t>()[0], 0x3c01);
  EXPECT_EQ(out.as<uint16_t>()[1], 0xbc01);
  std::mt19937_64 random(3);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const float odd = float_bits::odd_from_double(value);
    EXPECT_TRUE(static_cast<double>(odd) == value || (std::bit_cast<uint32_t>(odd) & 1));
    EXPECT_LE(std::fabs(static_cast<double>(odd)), std::fabs(value) + std::ldexp(1.0, std::max(std::ilogb(value) - 22, -149)));
  }
}

TEST(Convert, FloatsToIntegers) {
  const Tensor in = make_tensor<float>(DType::f32, {6}, std::vector<float>{-1.9f, 300.7f, NAN, INFINITY, -INFINITY, 3e9f});
  EXPECT_EQ(ints_of(*convert(in, DType::i64)), (Dims{-1, 300, 0, INT64_MAX, INT64_MIN, 3000000000}));
  EXPECT_EQ(ints_of(*convert(in, DType::u8, Narrow::saturate)), (Dims{0, 255, 0, 255, 0, 255}));
  EXPECT_EQ(ints_of(*convert(in, DType::i8)), (Dims{-1, 44, 0, -1, 0, 0x5e00 % 256}));
  EXPECT_EQ(ints_of(*convert(in, DType::boolean)), (Dims{1, 1, 1, 1, 1, 1}));
}

TEST(Convert, PackedIntegers) {
  const Tensor in = make_tensor<int32_t>(DType::i32, {5}, std::vector<int32_t>{-8, 7, 9, -1, 3});
  const Tensor i4 = *convert(in, DType::i4), u2 = *convert(in, DType::u2, Narrow::saturate);
  EXPECT_EQ(i4.bytes(), 3);
  EXPECT_EQ(static_cast<int>(i4.data[0]), 0x78);
  EXPECT_EQ(ints_of(i4), (Dims{-8, 7, -7, -1, 3}));
  EXPECT_EQ(ints_of(u2), (Dims{0, 3, 3, 0, 3}));
  EXPECT_EQ(element_as_int(i4, 3), -1);
}

TEST(Convert, EveryPairOfTypesKeepsSmallNumbers) {
  constexpr int64_t kCount = 1030;
  std::vector<int64_t> ones(kCount);
  for (size_t i = 0; i < ones.size(); ++i) ones[i] = static_cast<int64_t>(i * 7 % 3 == 0);
  const Tensor base = make_tensor<int64_t>(DType::i64, {kCount}, std::span<const int64_t>(ones));
  for (int a = 1; a < 29; ++a)
    for (int b = 1; b < 29; ++b) {
      const auto from = static_cast<DType>(a), to = static_cast<DType>(b);
      if (!is_real(from) || !is_real(to) || from == DType::f8e8m0 || to == DType::f8e8m0) continue;
      EXPECT_EQ(ints_of(*convert(*convert(base, from), to)), ones) << to_string(from) << " to " << to_string(to);
    }
  EXPECT_FALSE(convert(base, DType::str).ok());
  EXPECT_FALSE(convert(base, DType::c64).ok());
}

TEST(Tensor, RefusesImpossibleSizes) {
  EXPECT_FALSE(Tensor::allocate(DType::f32, {-1}).ok());
  EXPECT_FALSE(Tensor::allocate(DType::f32, {int64_t{1} << 40, int64_t{1} << 40}).ok());
  const auto huge = Tensor::allocate(DType::c128, {int64_t{1} << 56});
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().kind(), ErrorKind::out_of_memory);
  EXPECT_EQ(Tensor::allocate(DType::f32, {0, 5})->elems(), 0);
  HostValue out(*Tensor::allocate(DType::f32, {2}));
  EXPECT_FALSE(prepare_output(out, DType::f32, {3}).ok());
  EXPECT_TRUE(prepare_output(out, DType::f32, {2}).ok());
}

}  // namespace
}  // namespace tenon
