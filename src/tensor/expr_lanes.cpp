#include "tensor/expr_lanes.h"

#include <cmath>
#include <type_traits>

#include "tensor/convert.h"

namespace tenon {
namespace {

// Inner loops of a constant length: compilers make vector code of them without a remainder, at -O2 too.
constexpr int kStep = 16;

template <class A, class Out, class F>
void map(const std::byte* a, std::byte* out, int64_t n, F f) {
  const A* __restrict x = reinterpret_cast<const A*>(a);
  Out* __restrict y = reinterpret_cast<Out*>(out);
  for (int64_t i = 0; i < n; i += kStep)
    for (int j = 0; j < kStep; ++j) y[i + j] = f(x[i + j]);
}
template <class A, class Out, class F>
void map(const std::byte* a, const std::byte* b, std::byte* out, int64_t n, F f) {
  const A* __restrict x = reinterpret_cast<const A*>(a);
  const A* __restrict z = reinterpret_cast<const A*>(b);
  Out* __restrict y = reinterpret_cast<Out*>(out);
  for (int64_t i = 0; i < n; i += kStep)
    for (int j = 0; j < kStep; ++j) y[i + j] = f(x[i + j], z[i + j]);
}

template <class T>
void where(const std::byte* const* args, std::byte* out, int64_t n) {
  const auto* __restrict c = reinterpret_cast<const int64_t*>(args[0]);
  const T* __restrict a = reinterpret_cast<const T*>(args[1]);
  const T* __restrict b = reinterpret_cast<const T*>(args[2]);
  T* __restrict y = reinterpret_cast<T*>(out);
  for (int64_t i = 0; i < n; i += kStep)
    for (int j = 0; j < kStep; ++j) y[i + j] = c[i + j] ? a[i + j] : b[i + j];
}

template <class T>
void compare(Fn fn, const std::byte* a, const std::byte* b, std::byte* out, int64_t n) {
  switch (fn) {
    case Fn::equal: return map<T, int64_t>(a, b, out, n, [](T x, T y) { return int64_t{x == y}; });
    case Fn::less: return map<T, int64_t>(a, b, out, n, [](T x, T y) { return int64_t{x < y}; });
    case Fn::less_equal: return map<T, int64_t>(a, b, out, n, [](T x, T y) { return int64_t{x <= y}; });
    case Fn::greater: return map<T, int64_t>(a, b, out, n, [](T x, T y) { return int64_t{x > y}; });
    default: return map<T, int64_t>(a, b, out, n, [](T x, T y) { return int64_t{x >= y}; });
  }
}

template <class T>
T softplus(T x) {
  return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::fabs(x)));
}

template <class T>
T floor_mod(T x, T y) {
  const T r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

template <class T>
T power(T x, T y) {
  return y == 2 ? x * x : std::pow(x, y);
}

// Comparisons that are false for NaN are arranged so that a NaN operand is the result.
template <class T>
void real_lanes(Fn fn, const std::byte* const* args, std::byte* out, int64_t n) {
  const std::byte *a = args[0], *b = args[1];
  switch (fn) {
    case Fn::abs: return map<T, T>(a, out, n, [](T x) { return std::fabs(x); });
    case Fn::neg: return map<T, T>(a, out, n, [](T x) { return -x; });
    case Fn::sign: return map<T, T>(a, out, n, [](T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x; });
    case Fn::floor: return map<T, T>(a, out, n, [](T x) { return std::floor(x); });
    case Fn::ceil: return map<T, T>(a, out, n, [](T x) { return std::ceil(x); });
    case Fn::round: return map<T, T>(a, out, n, [](T x) { return std::nearbyint(x); });
    case Fn::trunc: return map<T, T>(a, out, n, [](T x) { return std::trunc(x); });
    case Fn::sqrt: return map<T, T>(a, out, n, [](T x) { return std::sqrt(x); });
    case Fn::reciprocal: return map<T, T>(a, out, n, [](T x) { return 1 / x; });
    case Fn::exp: return map<T, T>(a, out, n, [](T x) { return std::exp(x); });
    case Fn::log: return map<T, T>(a, out, n, [](T x) { return std::log(x); });
    case Fn::sin: return map<T, T>(a, out, n, [](T x) { return std::sin(x); });
    case Fn::cos: return map<T, T>(a, out, n, [](T x) { return std::cos(x); });
    case Fn::tan: return map<T, T>(a, out, n, [](T x) { return std::tan(x); });
    case Fn::asin: return map<T, T>(a, out, n, [](T x) { return std::asin(x); });
    case Fn::acos: return map<T, T>(a, out, n, [](T x) { return std::acos(x); });
    case Fn::atan: return map<T, T>(a, out, n, [](T x) { return std::atan(x); });
    case Fn::sinh: return map<T, T>(a, out, n, [](T x) { return std::sinh(x); });
    case Fn::cosh: return map<T, T>(a, out, n, [](T x) { return std::cosh(x); });
    case Fn::tanh: return map<T, T>(a, out, n, [](T x) { return std::tanh(x); });
    case Fn::asinh: return map<T, T>(a, out, n, [](T x) { return std::asinh(x); });
    case Fn::acosh: return map<T, T>(a, out, n, [](T x) { return std::acosh(x); });
    case Fn::atanh: return map<T, T>(a, out, n, [](T x) { return std::atanh(x); });
    case Fn::erf: return map<T, T>(a, out, n, [](T x) { return std::erf(x); });
    case Fn::sigmoid: return map<T, T>(a, out, n, [](T x) { return 1 / (1 + std::exp(-x)); });
    case Fn::softplus: return map<T, T>(a, out, n, softplus<T>);
    case Fn::relu: return map<T, T>(a, out, n, [](T x) { return x < 0 ? T(0) : x; });
    case Fn::is_nan: return map<T, int64_t>(a, out, n, [](T x) { return int64_t{x != x}; });
    case Fn::is_inf: return map<T, int64_t>(a, out, n, [](T x) { return int64_t{std::isinf(x)}; });
    case Fn::add: return map<T, T>(a, b, out, n, [](T x, T y) { return x + y; });
    case Fn::sub: return map<T, T>(a, b, out, n, [](T x, T y) { return x - y; });
    case Fn::mul: return map<T, T>(a, b, out, n, [](T x, T y) { return x * y; });
    case Fn::div: return map<T, T>(a, b, out, n, [](T x, T y) { return x / y; });
    case Fn::mod: return map<T, T>(a, b, out, n, floor_mod<T>);
    case Fn::fmod: return map<T, T>(a, b, out, n, [](T x, T y) { return std::fmod(x, y); });
    case Fn::pow: return map<T, T>(a, b, out, n, power<T>);
    case Fn::min: return map<T, T>(a, b, out, n, [](T x, T y) { return x < y || x != x ? x : y; });
    case Fn::max: return map<T, T>(a, b, out, n, [](T x, T y) { return x > y || x != x ? x : y; });
    case Fn::where: return where<T>(args, out, n);
    default: return compare<T>(fn, a, b, out, n);
  }
}

int64_t wrapped(uint64_t bits) { return static_cast<int64_t>(bits); }
uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }

// Division by zero gives 0 and overflow wraps: no input may trap.
int64_t divide(int64_t x, int64_t y) {
  if (y == 0) return 0;
  return y == -1 ? wrapped(-bits(x)) : x / y;
}
int64_t remainder(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }
int64_t floor_remainder(int64_t x, int64_t y) {
  const int64_t r = remainder(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

int64_t int_power(int64_t x, int64_t y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  uint64_t out = 1, base = bits(x);
  for (; y; y >>= 1, base *= base)
    if (y & 1) out *= base;
  return wrapped(out);
}

int64_t shift_left(int64_t x, int64_t y) { return y < 0 || y > 63 ? 0 : wrapped(bits(x) << y); }
int64_t shift_right(int64_t x, int64_t y) { return y < 0 || y > 63 ? (x < 0 ? -1 : 0) : x >> y; }

using I = int64_t;
using U = uint64_t;

bool unsigned_lanes(Fn fn, const std::byte* const* args, std::byte* out, int64_t n) {
  const std::byte *a = args[0], *b = args[1];
  switch (fn) {
    case Fn::abs:
    case Fn::relu: return map<U, U>(a, out, n, [](U x) { return x; }), true;
    case Fn::sign: return map<U, U>(a, out, n, [](U x) { return U{x != 0}; }), true;
    case Fn::div: return map<U, U>(a, b, out, n, [](U x, U y) { return y ? x / y : 0; }), true;
    case Fn::mod:
    case Fn::fmod: return map<U, U>(a, b, out, n, [](U x, U y) { return y ? x % y : 0; }), true;
    case Fn::min: return map<U, U>(a, b, out, n, [](U x, U y) { return x < y ? x : y; }), true;
    case Fn::max: return map<U, U>(a, b, out, n, [](U x, U y) { return x > y ? x : y; }), true;
    case Fn::shift_right: return map<U, U>(a, b, out, n, [](U x, U y) { return y > 63 ? 0 : x >> y; }), true;
    case Fn::shift_left: return map<U, U>(a, b, out, n, [](U x, U y) { return y > 63 ? 0 : x << y; }), true;
    case Fn::less:
    case Fn::less_equal:
    case Fn::greater:
    case Fn::greater_equal: return compare<U>(fn, a, b, out, n), true;
    default: return false;
  }
}

void int_lanes(Fn fn, const std::byte* const* args, std::byte* out, int64_t n) {
  const std::byte *a = args[0], *b = args[1];
  switch (fn) {
    case Fn::abs: return map<I, I>(a, out, n, [](I x) { return x < 0 ? wrapped(-bits(x)) : x; });
    case Fn::neg: return map<I, I>(a, out, n, [](I x) { return wrapped(-bits(x)); });
    case Fn::sign: return map<I, I>(a, out, n, [](I x) { return I{x > 0} - I{x < 0}; });
    case Fn::relu: return map<I, I>(a, out, n, [](I x) { return x < 0 ? I{0} : x; });
    case Fn::logical_not: return map<I, I>(a, out, n, [](I x) { return I{x == 0}; });
    case Fn::bit_not: return map<I, I>(a, out, n, [](I x) { return ~x; });
    case Fn::add: return map<I, I>(a, b, out, n, [](I x, I y) { return wrapped(bits(x) + bits(y)); });
    case Fn::sub: return map<I, I>(a, b, out, n, [](I x, I y) { return wrapped(bits(x) - bits(y)); });
    case Fn::mul: return map<I, I>(a, b, out, n, [](I x, I y) { return wrapped(bits(x) * bits(y)); });
    case Fn::div: return map<I, I>(a, b, out, n, divide);
    case Fn::mod: return map<I, I>(a, b, out, n, floor_remainder);
    case Fn::fmod: return map<I, I>(a, b, out, n, remainder);
    case Fn::pow: return map<I, I>(a, b, out, n, int_power);
    case Fn::min: return map<I, I>(a, b, out, n, [](I x, I y) { return x < y ? x : y; });
    case Fn::max: return map<I, I>(a, b, out, n, [](I x, I y) { return x > y ? x : y; });
    case Fn::logical_and:
    case Fn::bit_and: return map<I, I>(a, b, out, n, [](I x, I y) { return x & y; });
    case Fn::logical_or:
    case Fn::bit_or: return map<I, I>(a, b, out, n, [](I x, I y) { return x | y; });
    case Fn::logical_xor:
    case Fn::bit_xor: return map<I, I>(a, b, out, n, [](I x, I y) { return x ^ y; });
    case Fn::shift_left: return map<I, I>(a, b, out, n, shift_left);
    case Fn::shift_right: return map<I, I>(a, b, out, n, shift_right);
    case Fn::where: return where<I>(args, out, n);
    default: return compare<I>(fn, a, b, out, n);
  }
}

void cast_lanes(DType from, DType to, Narrow narrow, const std::byte* a, std::byte* out, int64_t n) {
  if (to == lane_type(to)) return convert_elems(lane_type(from), a, 0, to, out, 0, n, narrow);
  alignas(64) std::byte stored[kLanes * 8] = {};
  convert_elems(lane_type(from), a, 0, to, stored, 0, n, narrow);
  convert_elems(to, stored, 0, lane_type(to), out, 0, n);
}

template <class To>
void wrap_to(std::byte* lanes, int64_t n) {
  auto* x = reinterpret_cast<int64_t*>(lanes);
  for (int64_t i = 0; i < n; i += kStep)
    for (int j = 0; j < kStep; ++j) x[i + j] = static_cast<int64_t>(static_cast<To>(x[i + j]));
}
template <int kBits, class T>
void wrap_bits(std::byte* lanes, int64_t n) {
  auto* x = reinterpret_cast<T*>(lanes);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(static_cast<uint64_t>(x[i]) << (64 - kBits)) >> (64 - kBits);
}

}  // namespace

void wrap_lanes(DType type, std::byte* lanes, int64_t n) {
  switch (type) {
    case DType::i32: return wrap_to<int32_t>(lanes, n);
    case DType::u32: return wrap_to<uint32_t>(lanes, n);
    case DType::i16: return wrap_to<int16_t>(lanes, n);
    case DType::u16: return wrap_to<uint16_t>(lanes, n);
    case DType::i8: return wrap_to<int8_t>(lanes, n);
    case DType::u8: return wrap_to<uint8_t>(lanes, n);
    case DType::boolean: return wrap_to<bool>(lanes, n);
    case DType::i4: return wrap_bits<4, int64_t>(lanes, n);
    case DType::u4: return wrap_bits<4, uint64_t>(lanes, n);
    case DType::i2: return wrap_bits<2, int64_t>(lanes, n);
    case DType::u2: return wrap_bits<2, uint64_t>(lanes, n);
    default: return;
  }
}

void compute_lanes(const Expr& expr, const ExprNode& node, const std::byte* const* args, std::byte* out, int64_t n) {
  const DType type = expr.type_of(node.args[arity_of(node.fn) - 1]);
  if (node.fn == Fn::cast || node.fn == Fn::cast_saturate)
    return cast_lanes(type, node.type, node.fn == Fn::cast ? Narrow::wrap : Narrow::saturate, args[0], out, n);
  const DType lanes = widened(type);
  if (lanes == DType::f32) return real_lanes<float>(node.fn, args, out, n);
  if (lanes == DType::f64) return real_lanes<double>(node.fn, args, out, n);
  if (type != DType::u64 || !unsigned_lanes(node.fn, args, out, n)) int_lanes(node.fn, args, out, n);
  wrap_lanes(node.type, out, n);
}

}  // namespace tenon
