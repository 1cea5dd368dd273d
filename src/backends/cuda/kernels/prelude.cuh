// What every kernel's text begins with: element types, vectors, the order of dependent launches. No header is included.
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

// Under TENON_EMULATOR the text runs on the CPU, and emulator/cuda_on_cpu.h gives these functions.
#ifndef TENON_EMULATOR
__device__ __forceinline__ u16 f16_bits(float x) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
__device__ __forceinline__ float f16_value(u16 bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}
__device__ __forceinline__ u16 bf16_bits(float x) {
#if __CUDA_ARCH__ >= 900
  u16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#else
  const u32 bits = __float_as_uint(x);
  return x != x ? u16(bits >> 16 | 0x40) : u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}
#endif

// 16-bit floats: storage. Arithmetic is in float.
struct f16 {
  u16 bits;
  f16() = default;
  __device__ explicit f16(float x) : bits(f16_bits(x)) {}
  __device__ operator float() const { return f16_value(bits); }
};
struct bf16 {
  u16 bits;
  bf16() = default;
  __device__ explicit bf16(float x) : bits(bf16_bits(x)) {}
  __device__ operator float() const { return __uint_as_float(u32(bits) << 16); }
};

// Dependent launches. Order in every kernel: prefetch constants, trigger(), wait(), then touch mutable memory. Every thread of every block
// waits before its first mutable read, its first write and its exit.
#ifndef TENON_EMULATOR
__device__ __forceinline__ void trigger() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ __forceinline__ void wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
#endif

// N elements that are loaded and stored together, 16 bytes at once, aligned to the smaller of both.
template <int BYTES>
struct Vec;
template <>
struct Vec<64> {
  uint4 v[4];
};
template <>
struct Vec<32> {
  uint4 v[2];
};
template <>
struct Vec<16> {
  uint4 v;
};
template <>
struct Vec<8> {
  uint2 v;
};
template <>
struct Vec<4> {
  u32 v;
};
template <>
struct Vec<2> {
  u16 v;
};
template <>
struct Vec<1> {
  u8 v;
};
template <class T, int N>
union Pack {
  Vec<int(sizeof(T)) * N> raw;
  T v[N];
};
/// Elements [at, at + N) of `from`.
template <class T, int N = 1>
__device__ __forceinline__ Pack<T, N> load(const void* from, i64 at) {
  Pack<T, N> x;
  x.raw = *reinterpret_cast<const Vec<int(sizeof(T)) * N>*>(static_cast<const T*>(from) + at);
  return x;
}
template <class T, int N>
__device__ __forceinline__ void store(void* to, i64 at, const Pack<T, N>& x) {
  *reinterpret_cast<Vec<int(sizeof(T)) * N>*>(static_cast<T*>(to) + at) = x.raw;
}

// Division of sizes that only a run knows: not negative, nearly always of 32 bits, which divide many times faster than 64.
__device__ __forceinline__ i64 quotient(i64 a, i64 b) { return ((a | b) >> 32) == 0 ? i64(u32(a) / u32(b)) : a / b; }
