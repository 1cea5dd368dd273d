// Moments of a's rows, taken while a product passes over them: inverse (sum of a b - mean sums_of_b) is the product of normalised
// rows, without the rows ever being stored. One product of the tensor cores gives both: the 16 rows of its first operand are eight rows of
// a and eight rows of ones, its second operand the same eight rows of a, so its diagonal holds the sums of squares and its lower half the
// sums. Sums of squares less the squared mean: right as long as a mean is not hundreds of deviations large.
template <class C>
struct RowMoments {
  enum : int { YI = C::BM / C::PARTS_M / 8, MINE = C::BM * 8, RECEIVED = C::MOMENTS_AT + C::SLICES * MINE };
  float sums[YI][4];

  static __device__ __forceinline__ bool takes_part(int warp) { return warp / C::PARTS_M == 0; }  // one of those that share the rows
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < YI * 4; ++i) sums[i / 4][i % 4] = 0;
  }
  __device__ __forceinline__ void step(const u32 (&y)[YI][2]) {
    typedef typename C::A::T T;
    const u32 ones = pack_pair(1, 1, T());
#pragma unroll
    for (int l = 0; l < YI; ++l) {
      const u32 x[4] = {y[l][0], ones, y[l][1], ones};
      mma_m16n8k16(sums[l], x, y[l], T());
    }
  }
  // {sum, sum of squares} of each row, a slice after another.
  __device__ __forceinline__ void store(char* shared, int thread, int slice) const {
    const int lane = thread % 32, warp = thread / 32, row = lane / 4;
    if (!takes_part(warp) || row / 2 != lane % 4) return;
    float2* const to = reinterpret_cast<float2*>(shared + C::MOMENTS_AT + slice * MINE) + warp % C::PARTS_M * (YI * 8) + row;
#pragma unroll
    for (int l = 0; l < YI; ++l) to[l * 8] = row % 2 ? make_float2(sums[l][3], sums[l][1]) : make_float2(sums[l][2], sums[l][0]);
  }
  static __device__ __forceinline__ float2 of_slices(const char* shared, int row) {
    float2 out = reinterpret_cast<const float2*>(shared + C::MOMENTS_AT)[row];
#pragma unroll
    for (int s = 1; s < C::SLICES; ++s) {
      const float2 more = reinterpret_cast<const float2*>(shared + C::MOMENTS_AT + s * MINE)[row];
      out.x += more.x, out.y += more.y;
    }
    return out;
  }
  // To all blocks of the cluster, between its barriers.
  static __device__ __forceinline__ void send(char* shared, int rank) {
    for (int q = int(threadIdx.x); q < C::BM / 2 * C::SPLIT; q += C::THREADS) {
      const int pair = q % (C::BM / 2);
      const float2 a = of_slices(shared, 2 * pair), b = of_slices(shared, 2 * pair + 1);
      store_remote(shared + RECEIVED + rank * MINE + pair * 16, q / (C::BM / 2), make_float4(a.x, a.y, b.x, b.y));
    }
  }
  // {mean, 1 / deviation} of a row of the tile.
  static __device__ __forceinline__ float2 of(const char* shared, int row, int k) {
    float2 all;
    if constexpr (C::SPLIT > 1) {
      all = reinterpret_cast<const float2*>(shared + RECEIVED)[row];
#pragma unroll
      for (int s = 1; s < C::SPLIT; ++s) {
        const float2 more = reinterpret_cast<const float2*>(shared + RECEIVED + s * MINE)[row];
        all.x += more.x, all.y += more.y;
      }
    } else {
      all = of_slices(shared, row);
    }
    const float mean = C::CENTRED ? all.x / float(k) : 0, variance = all.y / float(k) - mean * mean;
    const float inverse = 1 / sqrtf((variance > 0 ? variance : 0) + C::epsilon());
    return make_float2(mean, inverse);
  }
};
// Of a product without normalised rows.
template <class C>
struct NoMoments {
  static __device__ __forceinline__ bool takes_part(int) { return false; }
  __device__ __forceinline__ void clear() {}
  template <class Y>
  __device__ __forceinline__ void step(const Y&) {}
};
