// What a product's threads do with a stage of it (product.cuh) on tensor cores.

// Fragments of mma.sync for the 32 bytes along k of step `step` of a stage: 16-bit elements are 16, 32-bit ones 8. ldmatrix moves words, so
// it serves both, but it transposes 16-bit elements alone.
template <class S>
struct Fragments {
  typedef typename S::T T;
  enum : int { K = 32 / int(sizeof(T)), BY_LDMATRIX = S::K_INNER || sizeof(T) == 2 };
  static __device__ __forceinline__ u32 word(const char* stage, int row, int k) {
    return *reinterpret_cast<const u32*>(stage + k * S::PITCH + row * 4);
  }
  // Rows r to r + 15: the first operand.
  static __device__ __forceinline__ void sixteen(u32 (&out)[4], const char* stage, int r, int step, int lane) {
    if constexpr (S::K_INNER)
      ldmatrix_x4<false>(out, stage + (r + lane % 16) * S::PITCH + step * 32 + lane / 16 * 16);
    else if constexpr (BY_LDMATRIX)
      ldmatrix_x4<true>(out, stage + (step * K + lane % 8 + lane / 16 * 8) * S::PITCH + (r + lane / 8 % 2 * 8) * 2);
    else
#pragma unroll
      for (int e = 0; e < 4; ++e) out[e] = word(stage, r + lane / 4 + e % 2 * 8, step * K + lane % 4 + e / 2 * 4);
    round(out);
  }
  // Rows r to r + 7, and r + 8 to r + 15: the second operand, twice.
  static __device__ __forceinline__ void twice_eight(u32 (&low)[2], u32 (&high)[2], const char* stage, int r, int step, int lane) {
    if constexpr (BY_LDMATRIX) {
      u32 both[4];
      ldmatrix_x4<!S::K_INNER>(both, S::K_INNER ? stage + (r + lane % 8 + lane / 16 * 8) * S::PITCH + step * 32 + lane / 8 % 2 * 16
                                                : stage + (step * K + lane % 16) * S::PITCH + (r + lane / 16 * 8) * 2);
      low[0] = both[0], low[1] = both[1], high[0] = both[2], high[1] = both[3];
      round(low), round(high);
    } else {
      eight(low, stage, r, step, lane), eight(high, stage, r + 8, step, lane);
    }
  }
  static __device__ __forceinline__ void eight(u32 (&out)[2], const char* stage, int r, int step, int lane) {
    if constexpr (BY_LDMATRIX)
      ldmatrix_x2<!S::K_INNER>(out, S::K_INNER ? stage + (r + lane % 8) * S::PITCH + step * 32 + lane / 8 % 2 * 16
                                               : stage + (step * K + lane % 16) * S::PITCH + r * 2);
    else
#pragma unroll
      for (int e = 0; e < 2; ++e) out[e] = word(stage, r + lane / 4, step * K + lane % 4 + e * 4);
    round(out);
  }

 private:
  template <int N>
  static __device__ __forceinline__ void round(u32 (&words)[N]) {
    if constexpr (sizeof(T) == 4)
#pragma unroll
      for (int e = 0; e < N; ++e) words[e] = round_tf32(words[e]);
  }
};

// Mathematics of one thread on a stage by tensor cores: b's rows (channels) are the 16 of m16n8, a's rows the 8.
template <class C>
struct TensorCores {
  typedef typename C::A A;
  typedef typename C::B B;
  typedef Fragments<A> OfA;
  typedef Fragments<B> OfB;
  enum : int { XI = C::BN / C::PARTS_N / 16, YI = C::BM / C::PARTS_M / 8, THREADS = 32 * C::PARTS_M * C::PARTS_N };
  static_assert(XI * C::PARTS_N * 16 == C::BN && YI * C::PARTS_M * 8 == C::BM, "a warp has whole fragments");
  static_assert(C::BK % (OfA::K * C::SLICES) == 0, "slices are whole steps");
  float sum[XI][YI][4];
  typename C::Moments moments;

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < XI * YI * 4; ++i) sum[i / 4 / YI][i / 4 % YI][i % 4] = 0;
    moments.clear();
  }
  __device__ __forceinline__ void step(const char* a, const char* b, int thread, int slice) {
    const int lane = thread % 32, warp = thread / 32;
    const int y0 = warp % C::PARTS_M * (YI * 8), x0 = warp / C::PARTS_M * (XI * 16);
#pragma unroll
    for (int j = 0; j < C::BK / OfA::K / C::SLICES; ++j) {
      const int at = j * C::SLICES + slice;
      u32 x[XI][4], y[YI][2];
#pragma unroll
      for (int i = 0; i < XI; ++i) OfB::sixteen(x[i], b, x0 + i * 16, at, lane);
#pragma unroll
      for (int i = 0; i + 1 < YI; i += 2) OfA::twice_eight(y[i], y[i + 1], a, y0 + i * 8, at, lane);
      if constexpr (YI % 2 == 1) OfA::eight(y[YI - 1], a, y0 + (YI - 1) * 8, at, lane);
#pragma unroll
      for (int i = 0; i < XI; ++i)
#pragma unroll
        for (int l = 0; l < YI; ++l) mma_m16n8(sum[i][l], x[i], y[l], typename A::T());
      if (C::Moments::takes_part(warp)) moments.step(y);
    }
  }
  __device__ __forceinline__ void store(float* tile, int thread) const {
    const int lane = thread % 32, warp = thread / 32;
    const int y0 = warp % C::PARTS_M * (YI * 8) + lane % 4 * 2, x0 = warp / C::PARTS_M * (XI * 16) + lane / 4;
#pragma unroll
    for (int i = 0; i < XI; ++i)
#pragma unroll
      for (int l = 0; l < YI; ++l)
#pragma unroll
        for (int e = 0; e < 4; ++e) tile[(y0 + l * 8 + e % 2) * C::TILE_PITCH + x0 + i * 16 + e / 2 * 8] = sum[i][l][e];
  }
};
