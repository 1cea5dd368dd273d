// Scalar functions that expressions are made of, where C++ has no operator for them. What each gives is what evaluate() of
// tensor/expr.h gives: division by zero is 0 for integers, overflow wraps, a NaN operand is the result.
namespace fn {

template <class T>
__device__ __forceinline__ T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x;
}
template <class T>
__device__ __forceinline__ T relu(T x) {
  return x < 0 ? T(0) : x;
}
template <class T>
__device__ __forceinline__ T least(T x, T y) {
  return x < y || x != x ? x : y;
}
template <class T>
__device__ __forceinline__ T most(T x, T y) {
  return x > y || x != x ? x : y;
}
template <class T>
__device__ __forceinline__ i64 is_inf(T x) {
  return x == x && x - x != x - x;
}
__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ __forceinline__ double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
__device__ __forceinline__ float softplus(float x) { return (x > 0 ? x : 0.0f) + log1pf(expf(-fabsf(x))); }
__device__ __forceinline__ double softplus(double x) { return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x))); }
__device__ __forceinline__ float floor_mod(float x, float y) {
  const float r = fmodf(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
__device__ __forceinline__ double floor_mod(double x, double y) {
  const double r = ::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
__device__ __forceinline__ float power(float x, float y) { return y == 2 ? x * x : powf(x, y); }
__device__ __forceinline__ double power(double x, double y) { return y == 2 ? x * x : ::pow(x, y); }

__device__ __forceinline__ i64 add(i64 x, i64 y) { return i64(u64(x) + u64(y)); }
__device__ __forceinline__ i64 sub(i64 x, i64 y) { return i64(u64(x) - u64(y)); }
__device__ __forceinline__ i64 mul(i64 x, i64 y) { return i64(u64(x) * u64(y)); }
__device__ __forceinline__ i64 div(i64 x, i64 y) { return y == 0 ? 0 : y == -1 ? i64(-u64(x)) : x / y; }
__device__ __forceinline__ i64 rem(i64 x, i64 y) { return y == 0 || y == -1 ? 0 : x % y; }
__device__ __forceinline__ i64 floor_mod(i64 x, i64 y) {
  const i64 r = rem(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
// For values of at most 32 bits: their division is many times faster.
__device__ __forceinline__ i64 div32(i64 x, i64 y) { return y == 0 ? 0 : y == -1 ? -x : i64(i32(x) / i32(y)); }
__device__ __forceinline__ i64 rem32(i64 x, i64 y) { return y == 0 || y == -1 ? 0 : i64(i32(x) % i32(y)); }
__device__ __forceinline__ i64 floor_mod32(i64 x, i64 y) {
  const i64 r = rem32(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
__device__ __forceinline__ i64 udiv(i64 x, i64 y) { return y ? i64(u64(x) / u64(y)) : 0; }
__device__ __forceinline__ i64 urem(i64 x, i64 y) { return y ? i64(u64(x) % u64(y)) : 0; }
__device__ __forceinline__ i64 power(i64 x, i64 y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  u64 out = 1, base = u64(x);
  for (; y; y >>= 1, base *= base)
    if (y & 1) out *= base;
  return i64(out);
}
__device__ __forceinline__ i64 shift_left(i64 x, i64 y) { return y < 0 || y > 63 ? 0 : i64(u64(x) << y); }
__device__ __forceinline__ i64 shift_right(i64 x, i64 y) { return y < 0 || y > 63 ? (x < 0 ? -1 : 0) : x >> y; }
__device__ __forceinline__ i64 ushift_right(i64 x, i64 y) { return y < 0 || y > 63 ? 0 : i64(u64(x) >> y); }

// Casts. Truncation toward zero stops at the ends of 64 bits, NaN gives 0.
template <class T>
__device__ __forceinline__ i64 to_i64(T x) {
  if (!(x > T(-0x1p63))) return x == x ? i64(1ull << 63) : 0;
  return x < T(0x1p63) ? i64(x) : i64(~(1ull << 63));
}
template <class T>
__device__ __forceinline__ i64 to_u64(T x) {
  if (!(x > T(-1))) return 0;
  return x < T(0x1p64) ? i64(u64(x)) : i64(~0ull);
}
template <class T>
__device__ __forceinline__ i64 to_u64_wrapped(T x) {
  return x > 0 ? to_u64(x) : to_i64(x);
}
__device__ __forceinline__ i64 clamp(i64 x, i64 least, i64 most) { return x < least ? least : x > most ? most : x; }
__device__ __forceinline__ i64 uclamp(i64 x, i64 most) { return u64(x) > u64(most) ? most : x; }
/// To float; an inexact result becomes the neighbour with an odd last bit, so that rounding it again is rounding once.
__device__ __forceinline__ float odd(double x) {
  const float down = __double2float_rz(x);
  return double(down) == x ? down : __uint_as_float(__float_as_uint(down) | 1u);
}

}  // namespace fn
