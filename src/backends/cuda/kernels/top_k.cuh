// The largest elements of a slice, best first: elements become entries, which are ordered by value and then by position, so that no two are
// equal. Data flow: a slice that shared memory holds is sorted there. Of a longer one a radix search finds the last entry that is taken,
// byte by byte from the top; what is not behind it is gathered and sorted. Without bounds on size and k, every entry counts those before
// it.
namespace topk {

// Keys are ordered as elements are; NaN counts as the largest number, and zeros are equal.
__device__ __forceinline__ u32 key(float x) {
  const u32 bits = __float_as_uint(x);
  return x != x ? ~0u : x == 0 ? 1u << 31 : bits >> 31 ? ~bits : bits | 1u << 31;
}
__device__ __forceinline__ u64 key(double x) {
  const u64 bits = u64(__double_as_longlong(x));
  return x != x ? ~0ull : x == 0 ? 1ull << 63 : bits >> 63 ? ~bits : bits | 1ull << 63;
}

// An entry: a key, and behind it how far its position is from the end of all. No entry of a slice is 0.
struct Wide {
  u64 key, left;
};
__device__ __forceinline__ u64 entry(u32 key, u32 at) { return u64(key) << 32 | u32(~at); }
__device__ __forceinline__ Wide entry(u64 key, u32 at) { return {key, u32(~at)}; }
__device__ __forceinline__ u32 place(u64 e) { return ~u32(e); }
__device__ __forceinline__ u32 place(Wide e) { return ~u32(e.left); }
__device__ __forceinline__ bool better(u64 a, u64 b) { return a > b; }
__device__ __forceinline__ bool better(Wide a, Wide b) { return a.key > b.key || (a.key == b.key && a.left > b.left); }

// Bytes of an entry, the most significant one first.
template <class E>
struct Bytes;
template <>
struct Bytes<u64> {
  enum : int { COUNT = 8 };
};
template <>
struct Bytes<Wide> {
  enum : int { COUNT = 12 };
};
__device__ __forceinline__ u32 byte(u64 e, int i) { return u32(e >> (56 - 8 * i)) & 255; }
__device__ __forceinline__ u32 byte(Wide e, int i) { return u32(i < 8 ? e.key >> (56 - 8 * i) : e.left >> (88 - 8 * i)) & 255; }
__device__ __forceinline__ u64 with_byte(u64 e, int i, u32 value) { return e | u64(value) << (56 - 8 * i); }
__device__ __forceinline__ Wide with_byte(Wide e, int i, u32 value) {
  if (i < 8) return {e.key | u64(value) << (56 - 8 * i), e.left};
  return {e.key, e.left | u64(value) << (88 - 8 * i)};
}
/// Whether the first `count` bytes are equal.
__device__ __forceinline__ bool begins(u64 e, u64 with, int count) { return count == 0 || (e ^ with) >> (64 - 8 * count) == 0; }
__device__ __forceinline__ bool begins(Wide e, Wide with, int count) {
  if (count <= 8) return begins(e.key, with.key, count);
  return e.key == with.key && (e.left ^ with.left) >> (96 - 8 * count) == 0;
}

/// Best first, by a bitonic network; N: a power of two. Every thread of the block calls it, and afterwards sees the result.
template <int N, int THREADS, class E>
__device__ __forceinline__ void sort(E* e) {
  for (u32 size = 2; size <= N; size *= 2)
    for (u32 step = size / 2; step > 0; step /= 2) {
      __syncthreads();  // for the exchanges of the step before
      for (u32 i = threadIdx.x; i < N / 2; i += THREADS) {
        const u32 a = 2 * i - (i & (step - 1)), b = a + step;
        const E x = e[a], y = e[b];
        if (better(y, x) == ((a & size) == 0)) e[a] = y, e[b] = x;
      }
    }
  __syncthreads();  // for the whole order
}

struct Search {
  u32 count[256], digit, left, among, warps[32];
};
/// The last of the k best ones of `size` entries, as far as it takes to tell them from the others: 0 < k ≤ size. entry_of(i): entry i.
/// At least 256 threads.
template <int THREADS, class E, class EntryOf>
__device__ __forceinline__ E last_of_best(EntryOf entry_of, u32 size, u32 k, Search& shared) {
  E last = {};
  u32 left = k;  // of those that begin as `last` does
  for (int i = 0; i < Bytes<E>::COUNT; ++i) {
    if (threadIdx.x < 256) shared.count[threadIdx.x] = 0;
    __syncthreads();  // for the zeros
    for (u32 j = threadIdx.x; j < size; j += THREADS) {
      const E e = entry_of(j);
      if (begins(e, last, i)) atomicAdd(&shared.count[byte(e, i)], 1u);
    }
    __syncthreads();  // for the counts of all
    const u32 digit = 255 - threadIdx.x, mine = threadIdx.x < 256 ? shared.count[digit] : 0;
    u32 all;
    const u32 above = fold::before_thread<THREADS>(mine, fold::Sum{}, 0u, all, shared.warps);
    if (above < left && left <= above + mine) shared.digit = digit, shared.left = left - above, shared.among = mine;
    __syncthreads();  // for the one digit
    last = with_byte(last, i, shared.digit);
    left = shared.left;
    if (left == shared.among) break;  // all that begin so are taken
    __syncthreads();                  // for those who still read
  }
  return last;
}

}  // namespace topk
