// Half and bfloat conversions as branch-free integer code that compilers turn into vector loops.
#pragma once
#include <bit>
#include <cstdint>

namespace tenon::float_bits {

inline float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, exponent = half & 0x7c00u, rest = half & 0x7fffu;
  const uint32_t normal = (rest << 13) + (112u << 23);   // exponent bias 15 becomes 127
  const uint32_t special = (rest << 13) + (224u << 23);  // 31 becomes 255; the payload of a NaN stays
  const uint32_t tiny = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(rest)) * 0x1p-24f);  // subnormal: exact
  const uint32_t bits = exponent == 0 ? tiny : exponent == 0x7c00u ? special : normal;
  return std::bit_cast<float>(bits | sign);
}

inline uint16_t to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), rest = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
  const uint32_t normal = (rest - (112u << 23) + 0xfffu + ((rest >> 13) & 1u)) >> 13;
  // Adding 0.5 moves the last bit of a subnormal half to the last bit of the sum: the addition rounds.
  const uint32_t tiny = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) + 0.5f) - 0x3f000000u;
  const uint32_t nan = 0x7e00u | ((rest >> 13) & 0x1ffu);
  uint32_t out = rest < 0x38800000u ? tiny : normal;  // below 2^-14
  out = rest >= 0x47800000u ? 0x7c00u : out;          // from 2^16
  out = rest > 0x7f800000u ? nan : out;
  return static_cast<uint16_t>(out | sign);
}

inline float from_bfloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t to_bfloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
}

/// To float, rounding an inexact result to the neighbour whose last bit is 1: a second rounding, to a narrower type, then gives
/// what one rounding of the double would (Boldo and Melquiond, "When double rounding is odd", 2005).
inline float odd_from_double(double value) {
  const auto nearest = static_cast<float>(value);
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  const double back = static_cast<double>(nearest);
  if (back == value || value != value || (bits & 1u)) return nearest;
  // `nearest` is even and inexact: the odd neighbour is one step towards value.
  const bool towards_zero = (back > value) == (value > 0);
  bits = back == 0 ? (std::bit_cast<uint64_t>(value) >> 63 ? 0x80000001u : 1u) : towards_zero ? bits - 1 : bits + 1;
  return std::bit_cast<float>(bits);
}

}  // namespace tenon::float_bits
