// Squeeze-and-excitation in one launch: RANKS blocks of a cluster share an image, first by rows of its area, then by channels. Each sends
// the others its sums of their channels and its share of the squeezed layer; every sum is taken in the order of the ranks.
// Config: T, THREADS, RANKS, C, M, SLICE (channels of a rank, a multiple of 8), STATIC; area(p); x, w1, w2, b1, b2 (p), inner(float),
// store(p, image, channel, value).

template <class Config, class Args>
struct SqueezeExcite : Config {
  typedef typename Config::T T;
  enum : int {
    EACH = 8,
    CHUNKS = Config::C / EACH,
    LANES = Config::THREADS / CHUNKS > 0 ? Config::THREADS / CHUNKS : 1,
    M4 = (Config::M + 3) / 4 * 4,
    // In floats: sums of this rank [LANES][C], sums of its channels by rank [RANKS][SLICE], its means [SLICE], shares of the squeezed layer
    // of this rank [M4] and by rank [RANKS][M4], the layer [M4], the biases [M4], [SLICE]; behind them w1's columns [M][SLICE] and w2's
    // rows [SLICE][M].
    SUMS = LANES * Config::C,
    FLOATS = SUMS + (Config::RANKS + 2) * Config::SLICE + (Config::RANKS + 3) * M4
  };

  const Args& p;
  float *const sums, *const parts, *const means, *const share, *const shares, *const squeezed, *const bias1, *const bias2;
  T *const w1, *const w2;
  const int rank, image, first, count;

  __device__ __forceinline__ explicit SqueezeExcite(const Args& args)
      : p(args),
        sums(reinterpret_cast<float*>(dynamic_shared())),
        parts(sums + SUMS),
        means(parts + Config::RANKS * Config::SLICE),
        share(means + Config::SLICE),
        shares(share + M4),
        squeezed(shares + Config::RANKS * M4),
        bias1(squeezed + M4),
        bias2(bias1 + M4),
        w1(reinterpret_cast<T*>(sums + FLOATS)),
        w2(w1 + Config::M * Config::SLICE),
        rank(int(blockIdx.x) % Config::RANKS),
        image(int(blockIdx.x) / Config::RANKS),
        first(rank * Config::SLICE),
        count(Config::C - first < 0               ? 0
              : Config::C - first < Config::SLICE ? Config::C - first
                                                  : Config::SLICE) {}

  __device__ __forceinline__ void fetch() const {
    enum : int { PIECE = 16 / int(sizeof(T)) };
    for (int i = int(threadIdx.x); i < Config::M * (count / PIECE); i += Config::THREADS) {
      const int row = i / (count / PIECE), column = i % (count / PIECE) * PIECE;
      cp_async16(w1 + row * Config::SLICE + column, Config::w1(p) + i64(row) * Config::C + first + column, true);
    }
    for (int i = int(threadIdx.x) * PIECE; i < count * Config::M; i += Config::THREADS * PIECE)
      cp_async16(w2 + i, Config::w2(p) + i64(first) * Config::M + i, true);
    cp_async_commit();
    for (int m = int(threadIdx.x); m < Config::M; m += Config::THREADS) bias1[m] = float(Config::b1(p)[m]);
    for (int c = int(threadIdx.x); c < count; c += Config::THREADS) bias2[c] = float(Config::b2(p)[first + c]);
  }

  static __device__ __forceinline__ void arrive() {
    if (Config::RANKS > 1) cluster_arrive();
  }
  static __device__ __forceinline__ void meet() {
    if (Config::RANKS > 1)
      cluster_wait();
    else
      __syncthreads();  // what a cluster's barrier is to it
  }
  static __device__ __forceinline__ void send(float* to, int to_rank, float4 value) {
    if (Config::RANKS > 1)
      store_remote(to, to_rank, value);
    else
      *reinterpret_cast<float4*>(to) = value;
  }

  /// This rank's rows, all channels.
  __device__ __forceinline__ void sum_rows() const {
    const i64 area = Config::area(p);
    const int begin = int(area * rank / Config::RANKS), end = int(area * (rank + 1) / Config::RANKS), lane = int(threadIdx.x) / CHUNKS;
    const T* const x = Config::x(p) + i64(image) * area * Config::C;
    for (int chunk = int(threadIdx.x) % CHUNKS; lane < LANES && chunk < CHUNKS; chunk += Config::THREADS) {
      float sum[EACH] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll 4
      for (int row = begin + lane; row < end; row += LANES) {
        T read[EACH];
        load_each(read, x + i64(row) * Config::C + chunk * EACH);
#pragma unroll
        for (int e = 0; e < EACH; ++e) sum[e] += float(read[e]);
      }
#pragma unroll
      for (int e = 0; e < EACH; ++e) sums[lane * Config::C + chunk * EACH + e] = sum[e];
    }
  }
  __device__ __forceinline__ void send_sums() const {
    for (int quad = int(threadIdx.x); quad < Config::C / 4; quad += Config::THREADS) {
      float4 sum = make_float4(0, 0, 0, 0);
      for (int lane = 0; lane < LANES; ++lane) {
        const float4 more = *reinterpret_cast<const float4*>(sums + lane * Config::C + quad * 4);
        sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
      }
      send(parts + rank * Config::SLICE + quad * 4 % Config::SLICE, quad * 4 / Config::SLICE, sum);
    }
  }
  __device__ __forceinline__ void take_means() const {
    for (int c = int(threadIdx.x); c < Config::SLICE; c += Config::THREADS) {
      float sum = 0;
#pragma unroll
      for (int r = 0; r < Config::RANKS; ++r) sum += parts[r * Config::SLICE + c];
      means[c] = c < count ? sum / float(Config::area(p)) : 0;
    }
  }
  /// What this rank's channels add to the squeezed layer, a warp a row.
  __device__ __forceinline__ void squeeze() const {
    const int lane = int(threadIdx.x) % 32;
    for (int row = int(threadIdx.x) / 32; row < M4; row += Config::THREADS / 32) {
      float sum = 0;
      if (row < Config::M)
        for (int c = lane; c < count; c += 32) sum += float(w1[row * Config::SLICE + c]) * means[c];
#pragma unroll
      for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (lane == 0) share[row] = sum;
    }
  }
  __device__ __forceinline__ void send_share() const {
    for (int i = int(threadIdx.x); i < M4 / 4 * Config::RANKS; i += Config::THREADS) {
      const int quad = i / Config::RANKS * 4;
      send(shares + rank * M4 + quad, i % Config::RANKS, *reinterpret_cast<const float4*>(share + quad));
    }
  }
  __device__ __forceinline__ void take_squeezed() const {
    for (int m = int(threadIdx.x); m < Config::M; m += Config::THREADS) {
      float sum = bias1[m];
#pragma unroll
      for (int r = 0; r < Config::RANKS; ++r) sum += shares[r * M4 + m];
      squeezed[m] = Config::inner(sum);
    }
  }
  /// Eight lanes a channel.
  __device__ __forceinline__ void excite() const {
    const int lane = int(threadIdx.x) % 8;
    for (int base = 0; base < count; base += Config::THREADS / 8) {
      const int c = base + int(threadIdx.x) / 8;
      float sum = 0;
      if (c < count)
        for (int m = lane; m < Config::M; m += 8) sum += float(w2[c * Config::M + m]) * squeezed[m];
#pragma unroll
      for (int mask = 4; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
      if (c < count && lane == 0) Config::store(p, image, first + c, sum + bias2[c]);
    }
  }

  __device__ __forceinline__ void run() const {
    if (Config::STATIC) fetch();
    trigger();
    wait();
    if (!Config::STATIC) fetch();
    arrive();
    sum_rows();
    __syncthreads();  // all sums are there
    meet();           // every block of the cluster has begun
    send_sums();
    arrive();
    meet();  // all parts are here
    take_means();
    cp_async_wait<0>();
    __syncthreads();  // means and weights are there
    squeeze();
    __syncthreads();  // the share is there
    send_share();
    arrive();
    meet();  // all shares are here
    take_squeezed();
    __syncthreads();  // the layer is there
    excite();
  }
};
