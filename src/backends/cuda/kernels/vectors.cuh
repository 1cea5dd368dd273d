// Neighbours in memory as arrays: loads and stores of up to 16 aligned bytes each. Where not `there`, zeros, and nothing is read.
template <class T, int N>
__device__ __forceinline__ void load_each_or_zero(T (&to)[N], const T* from, bool there) {
  enum : int { BYTES = int(sizeof(T)) * N, STEP = BYTES < 16 ? BYTES : 16 };
  static_assert(BYTES % STEP == 0, "whole vectors");
#pragma unroll
  for (int i = 0; i < BYTES / STEP; ++i) {
    union Both {
      Vec<STEP> vec;
      T each[STEP / sizeof(T)];
      __device__ Both() : vec() {}
    } both;
    if (there) both.vec = reinterpret_cast<const Vec<STEP>*>(from)[i];
#pragma unroll
    for (int e = 0; e < int(STEP / sizeof(T)); ++e) to[i * int(STEP / sizeof(T)) + e] = both.each[e];
  }
}
template <class T, int N>
__device__ __forceinline__ void load_each(T (&to)[N], const T* from) {
  load_each_or_zero(to, from, true);
}
template <class T, int N>
__device__ __forceinline__ void store_each(T* to, const T (&from)[N]) {
  enum : int { BYTES = int(sizeof(T)) * N, STEP = BYTES < 16 ? BYTES : 16 };
  static_assert(BYTES % STEP == 0, "whole vectors");
#pragma unroll
  for (int i = 0; i < BYTES / STEP; ++i) {
    union Both {
      Vec<STEP> vec;
      T each[STEP / sizeof(T)];
      __device__ Both() {}
    } both;
#pragma unroll
    for (int e = 0; e < int(STEP / sizeof(T)); ++e) both.each[e] = from[i * int(STEP / sizeof(T)) + e];
    reinterpret_cast<Vec<STEP>*>(to)[i] = both.vec;
  }
}
