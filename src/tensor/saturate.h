// Arithmetic of sizes: sums and products saturate at 2^62, where evaluation fails, and never wrap; quotients round down.
#pragma once
#include <algorithm>
#include <cstdint>

namespace tenon {

inline constexpr int64_t kLargest = int64_t{1} << 62;

inline int64_t clamp_add(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) out = a > 0 ? kLargest : -kLargest;
  return std::clamp(out, -kLargest, kLargest);
}
inline int64_t clamp_mul(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) out = (a > 0) == (b > 0) ? kLargest : -kLargest;
  return std::clamp(out, -kLargest, kLargest);
}
inline int64_t floor_div(int64_t a, int64_t b) {
  if (b == -1) return clamp_mul(a, -1);  // the one quotient that can overflow
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
inline int64_t floor_mod(int64_t a, int64_t b) {
  const int64_t rest = b == -1 ? 0 : a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

}  // namespace tenon
