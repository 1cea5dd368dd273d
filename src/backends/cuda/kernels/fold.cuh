// Folds over the threads of a slice. Every thread of the block calls them, every lane gets the result, and the order of the terms is
// fixed. `part` is shared memory; its size stands at each function.
namespace fold {

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
  __device__ i64 operator()(i64 a, i64 b) const { return i64(u64(a) + u64(b)); }
};
struct Product {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a * b;
  }
  __device__ i64 operator()(i64 a, i64 b) const { return i64(u64(a) * u64(b)); }
};
// NaN counts as the largest and as the smallest.
struct Most {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Least {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

/// An element and where it was; at < 0: none yet.
template <class T>
struct Best {
  T value;
  i64 at;
};
/// Of NaN the first; else the largest (smallest), of equal ones the first (last).
template <bool LARGEST, bool LAST>
struct Better {
  template <class T>
  __device__ Best<T> operator()(Best<T> a, Best<T> b) const {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan || b_nan) return b_nan && (!a_nan || b.at < a.at) ? b : a;
    if (a.value == b.value) return (b.at > a.at) == LAST ? b : a;
    return (LARGEST ? b.value > a.value : b.value < a.value) ? b : a;
  }
};

template <class T>
__device__ __forceinline__ T shuffle(T x, int mask) {
  return __shfl_xor_sync(0xffffffffu, x, mask);
}
template <class T>
__device__ __forceinline__ Best<T> shuffle(Best<T> x, int mask) {
  return {shuffle(x.value, mask), shuffle(x.at, mask)};
}

/// Over LANES neighbours, a power of two up to 32.
template <int LANES, class T, class F>
__device__ __forceinline__ T lanes(T x, F f) {
#pragma unroll
  for (int mask = LANES / 2; mask > 0; mask /= 2) x = f(x, shuffle(x, mask));
  return x;
}
/// Over the block. part: one for each warp.
template <int THREADS, class T, class F>
__device__ __forceinline__ T block(T x, F f, T* part) {
  x = lanes<32>(x, f);
  __syncthreads();  // for those who still read the last result
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = x;
  __syncthreads();  // for the results of all warps
  x = part[0];
#pragma unroll
  for (int warp = 1; warp < THREADS / 32; ++warp) x = f(x, part[warp]);
  return x;
}
/// Over the ROWS threads of a column; thread = row * COLUMNS + column. part: one for each thread.
template <int COLUMNS, int ROWS, class T, class F>
__device__ __forceinline__ T columns(T x, F f, T* part) {
  __syncthreads();  // for those who still read the last result
  part[threadIdx.x] = x;
  __syncthreads();  // for the values of all rows
  x = part[threadIdx.x % COLUMNS];
#pragma unroll 8
  for (int row = 1; row < ROWS; ++row) x = f(x, part[row * COLUMNS + threadIdx.x % COLUMNS]);
  return x;
}

/// Over this thread and the neighbours before it, of LANES; a power of two up to 32.
template <int LANES, class T, class F>
__device__ __forceinline__ T up_to_lane(T x, F f) {
#pragma unroll
  for (int step = 1; step < LANES; step *= 2) {
    const T left = __shfl_up_sync(0xffffffffu, x, step);
    if (threadIdx.x % LANES >= step) x = f(left, x);
  }
  return x;
}
/// Over the neighbours before this thread; `none`: what nothing folds to. whole: over all LANES.
template <int LANES, class T, class F>
__device__ __forceinline__ T before_lane(T x, F f, T none, T& whole) {
  x = up_to_lane<LANES>(x, f);
  whole = __shfl_sync(0xffffffffu, x, threadIdx.x % 32 / LANES * LANES + LANES - 1);
  x = __shfl_up_sync(0xffffffffu, x, 1);
  return threadIdx.x % LANES ? x : none;
}
/// Over the threads of the block before this one. part: one for each warp.
template <int THREADS, class T, class F>
__device__ __forceinline__ T before_thread(T x, F f, T none, T& whole, T* part) {
  x = before_lane<32>(x, f, none, whole);
  __syncthreads();  // for those who still read the last result
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = whole;
  __syncthreads();  // for the results of all warps
  whole = none;
  T first = none;
#pragma unroll
  for (int warp = 0; warp < THREADS / 32; ++warp) {
    if (warp == threadIdx.x / 32) first = whole;
    whole = f(whole, part[warp]);
  }
  return f(first, x);
}

}  // namespace fold
