// What every kernel's text begins with: element types, vectors, the order of dependent launches. No header is included.
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

// 16-bit floats: storage. Arithmetic is in float.
struct f16 {
  u16 bits;
  __device__ f16() {}
  __device__ explicit f16(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
  __device__ operator float() const {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
  }
};
struct bf16 {
  u16 bits;
  __device__ bf16() {}
  __device__ explicit bf16(float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
  __device__ operator float() const { return __uint_as_float(u32(bits) << 16); }
};

// Dependent launches. Order in every kernel: prefetch constants, trigger(), wait(), then touch mutable memory. Every thread of every block
// waits before its first mutable read, its first write and its exit.
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

// 16, 8, 4 or 2 bytes at once.
template <int BYTES>
struct Vec;
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
