// out[m, n] = finish(sum over k of a[m, k] b[n, k]), for matrices and convolutions: the operands come from anywhere, in 16-byte chunks, by
// a Source that knows the address of (row, k). A block computes BM x BN of it: a ring of STAGES holds BM x BK of a and BN x BK of b, filled
// by cp.async ahead of the mathematics; SLICES groups of threads share each stage along k; SPLIT blocks of a cluster share k. The partial
// sums meet in shared memory as floats and are added in a fixed order; then each thread finishes whole vectors of the output.
// Arguments are structs: Config (numbers below, and m, n, k of the problem), Finish, and Source: base, row(r) and column(k), from which
// there() tells whether an element lies inside and at() where. Where the columns before k_end() lie step() elements apart it is LINEAR.

// An operand's share of a stage: lines along k (K_INNER: a line per row) or along the rows (a line per k).
template <class T_, int ROWS_, int BK_, bool K_INNER_, bool WHOLE_>
struct Side {
  typedef T_ T;
  static constexpr bool K_INNER = K_INNER_;
  static constexpr bool WHOLE = WHOLE_;  // a chunk is 16 aligned bytes of memory, all inside or all outside
  enum : int {
    ROWS = ROWS_,
    BK = BK_,
    EACH = 16 / int(sizeof(T_)),
    CHUNKS = (K_INNER_ ? BK_ : ROWS_) / EACH,
    LINES = K_INNER_ ? ROWS_ : BK_,
    PITCH = 16 * (CHUNKS | 1),  // odd: a column of eight lines lies in all banks
    BYTES = LINES * PITCH,
  };
  static_assert(ROWS_ % EACH == 0 && BK_ % EACH == 0, "lines are whole chunks");
};

// A thread's part of the way from global memory to a stage. What an address owes to its row is computed once, what it owes to k once a
// stage where all chunks of a thread have the same k.
template <class S, class Source, int THREADS>
struct Copier {
  typedef typename Source::Row Row;
  typedef typename Source::Column Column;
  typedef typename S::T T;
  enum : int {
    COUNT = S::LINES * S::CHUNKS,
    STEPS = (COUNT + THREADS - 1) / THREADS,
    HELD = !S::K_INNER && THREADS % S::CHUNKS == 0 ? 1 : STEPS,  // 1: all steps of a thread have the same rows
    LANES = S::K_INNER || S::WHOLE ? 1 : S::EACH,                // rows of a chunk that need an address of their own
    COLUMNS = S::K_INNER && !S::WHOLE ? S::EACH : 1,             // and columns
  };
  static constexpr bool SAME_COLUMNS = S::K_INNER && THREADS % S::CHUNKS == 0;
  Row rows[HELD][LANES];

  __device__ __forceinline__ void begin(const Source& source, int first, int) {
#pragma unroll
    for (int i = 0; i < HELD; ++i)
#pragma unroll
      for (int e = 0; e < LANES; ++e) {
        const int at = int(threadIdx.x) + i * THREADS;
        rows[i][e] = source.row(first + (S::K_INNER ? at / S::CHUNKS : at % S::CHUNKS * S::EACH + e));
      }
  }
  __device__ __forceinline__ void issue(const Source& source, char* to, int k0) const {
    Column columns[COLUMNS];
    const auto find = [&](int at) {
#pragma unroll
      for (int e = 0; e < COLUMNS; ++e) columns[e] = source.column(k0 + (S::K_INNER ? at % S::CHUNKS * S::EACH + e : at / S::CHUNKS));
    };
    if constexpr (SAME_COLUMNS) find(int(threadIdx.x));
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      const int at = int(threadIdx.x) + i * THREADS;
      if (COUNT % THREADS != 0 && at >= COUNT) continue;
      if constexpr (!SAME_COLUMNS) find(at);
      chunk(source, to + at / S::CHUNKS * S::PITCH + at % S::CHUNKS * 16, rows[HELD == 1 ? 0 : i], columns);
    }
  }

 private:
  static __device__ __forceinline__ void chunk(const Source& source, char* to, const Row (&row)[LANES], const Column (&column)[COLUMNS]) {
    if constexpr (S::WHOLE) {
      const bool there = source.there(row[0], column[0]);
      cp_async16(to, there ? source.at(row[0], column[0]) : source.base, there);
    } else if constexpr (sizeof(T) == 4) {
#pragma unroll
      for (int e = 0; e < S::EACH; ++e) {
        const bool there = source.there(row[e % LANES], column[e % COLUMNS]);
        cp_async4(to + 4 * e, there ? source.at(row[e % LANES], column[e % COLUMNS]) : source.base, there);
      }
    } else {
      u32 words[4] = {0, 0, 0, 0};
#pragma unroll
      for (int e = 0; e < S::EACH; ++e)
        if (source.there(row[e % LANES], column[e % COLUMNS]))
          words[e / 2] |= u32(source.at(row[e % LANES], column[e % COLUMNS])->bits) << (16 * (e % 2));
      *reinterpret_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
};

// The same where all chunks are whole and the source is linear: an address is the last stage's and a constant. Stages come in order.
// EVEN: all of them are full.
template <class S, class Source, int THREADS, bool EVEN>
struct LinearCopier {
  enum : int { COUNT = S::LINES * S::CHUNKS, STEPS = (COUNT + THREADS - 1) / THREADS };
  static_assert(STEPS <= 32, "a bit a step");
  const typename S::T* from[STEPS];
  u32 inside;  // whether the row of a step is one of the operand's

  static __device__ __forceinline__ int k_of(int at) { return S::K_INNER ? at % S::CHUNKS * S::EACH : at / S::CHUNKS; }
  __device__ __forceinline__ void begin(const Source& source, int first, int k0) {
    inside = 0;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      const int at = int(threadIdx.x) + i * THREADS;
      const typename Source::Row row = source.row(first + (S::K_INNER ? at / S::CHUNKS : at % S::CHUNKS * S::EACH));
      if (at < COUNT && source.there(row, source.column(0))) inside |= u32(1) << i;
      from[i] = source.at(row, source.column(k0 + k_of(at)));
    }
  }
  __device__ __forceinline__ void issue(const Source& source, char* to, int k0) {
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      const int at = int(threadIdx.x) + i * THREADS;
      if (COUNT % THREADS == 0 || at < COUNT) {
        const bool there = (inside >> i & 1) != 0 && (EVEN || k0 + k_of(at) < source.k_end());
        cp_async16(to + at / S::CHUNKS * S::PITCH + at % S::CHUNKS * 16, from[i], there);
      }
      from[i] += S::BK * source.step();
    }
  }
};
template <class S, class Source, int THREADS, bool EVEN, bool LINEAR = S::WHOLE&& Source::LINEAR>
struct CopierOf {
  typedef Copier<S, Source, THREADS> Type;
};
template <class S, class Source, int THREADS, bool EVEN>
struct CopierOf<S, Source, THREADS, EVEN, true> {
  typedef LinearCopier<S, Source, THREADS, EVEN> Type;
};

// TensorCores' mathematics (tensor_cores.cuh) by fused multiply-adds in FP32: a thread has BM / PARTS_M rows and BN / PARTS_N columns.
template <class C>
struct CudaCores {
  typedef typename C::A A;
  typedef typename C::B B;
  enum : int { TM = C::BM / C::PARTS_M, TN = C::BN / C::PARTS_N, EACH = A::EACH, THREADS = C::PARTS_M * C::PARTS_N };
  static_assert(C::BK % (EACH * C::SLICES) == 0, "slices are whole chunks");
  float sum[TM][TN];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < TM * TN; ++i) sum[i / TN][i % TN] = 0;
  }
  // Rows of a thread: neighbours where a line runs along the rows, since they come in one load; else neighbours are those of the next
  // threads, whose lines lie in other banks.
  template <class S, int PARTS>
  struct Rows {
    enum : int { COUNT = S::ROWS / PARTS, RUN = S::K_INNER ? 1 : COUNT < S::EACH ? COUNT : S::EACH };
    static __device__ __forceinline__ int at(int part, int i) { return i / RUN * (PARTS * RUN) + part * RUN + i % RUN; }
    static __device__ __forceinline__ void load(float (&to)[COUNT][EACH], const char* from, int part, int chunk) {
      if constexpr (S::K_INNER) {
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
          typename S::T line[EACH];
          load_each(line, reinterpret_cast<const typename S::T*>(from + at(part, i) * S::PITCH + chunk * 16));
#pragma unroll
          for (int e = 0; e < EACH; ++e) to[i][e] = float(line[e]);
        }
      } else {
#pragma unroll
        for (int e = 0; e < EACH; ++e)
#pragma unroll
          for (int i = 0; i < COUNT; i += RUN) {
            typename S::T line[RUN];
            load_each(line, reinterpret_cast<const typename S::T*>(from + (chunk * EACH + e) * S::PITCH) + at(part, i));
#pragma unroll
            for (int l = 0; l < RUN; ++l) to[i + l][e] = float(line[l]);
          }
      }
    }
  };
  __device__ __forceinline__ void step(const char* a, const char* b, int thread, int slice) {
#pragma unroll
    for (int j = 0; j < C::BK / EACH / C::SLICES; ++j) {
      float x[TM][EACH], y[TN][EACH];
      Rows<A, C::PARTS_M>::load(x, a, thread / C::PARTS_N, j * C::SLICES + slice);
      Rows<B, C::PARTS_N>::load(y, b, thread % C::PARTS_N, j * C::SLICES + slice);
#pragma unroll
      for (int e = 0; e < EACH; ++e)
#pragma unroll
        for (int i = 0; i < TM * TN; ++i) sum[i / TN][i % TN] += x[i / TN][e] * y[i % TN][e];
    }
  }
  __device__ __forceinline__ void store(float* tile, int thread) const {
#pragma unroll
    for (int i = 0; i < TM * TN; ++i)
      tile[Rows<A, C::PARTS_M>::at(thread / C::PARTS_N, i / TN) * C::TILE_PITCH + Rows<B, C::PARTS_N>::at(thread % C::PARTS_N, i % TN)] =
          sum[i / TN][i % TN];
  }
};

// Four neighbours of the tile: the slices' sums, added in order.
template <class C>
__device__ __forceinline__ float4 of_slices(const float* tile, int row, int column) {
  float4 out = *reinterpret_cast<const float4*>(tile + row * C::TILE_PITCH + column);
#pragma unroll
  for (int s = 1; s < C::SLICES; ++s) {
    const float4 more = *reinterpret_cast<const float4*>(tile + (s * C::BM + row) * C::TILE_PITCH + column);
    out.x += more.x, out.y += more.y, out.z += more.z, out.w += more.w;
  }
  return out;
}

template <class C, class SourceA, class SourceB, class Finish, class Args>
__device__ __forceinline__ void product(const Args& p) {
  typedef typename C::Math Math;
  char* const shared = dynamic_shared();
  const int m = C::m(p), n = C::n(p), k = C::k(p);
  const int tiles_m = (m + C::BM - 1) / C::BM, tiles_n = (n + C::BN - 1) / C::BN;
  const int rank = int(blockIdx.x) % C::SPLIT, block = int(blockIdx.x) / C::SPLIT;
  const int batch = block / tiles_n / tiles_m, m0 = block / tiles_n % tiles_m * C::BM, n0 = block % tiles_n * C::BN;
  const int all = (k + C::BK - 1) / C::BK, share = (all + C::SPLIT - 1) / C::SPLIT;
  const int first = rank * share, steps = all - first < share ? all - first : share;

  const SourceA a(p, batch);
  const SourceB b(p, batch);
  typename CopierOf<typename C::A, SourceA, C::THREADS, C::EVEN>::Type copy_a;
  typename CopierOf<typename C::B, SourceB, C::THREADS, C::EVEN>::Type copy_b;
  copy_a.begin(a, m0, first * C::BK);
  copy_b.begin(b, n0, first * C::BK);
  // Loops stay loops: between two runs of a network a kernel's code leaves the instruction caches, and fetching it takes longer than
  // what unrolling saves.
  enum : int { STAGE = C::A::BYTES + C::B::BYTES };
  if constexpr (C::SPLIT > 1) cluster_arrive();
  if constexpr (C::B_FIRST)
#pragma unroll 1
    for (int i = 0; i < C::STAGES - 1; ++i)
      if (i < steps) copy_b.issue(b, shared + i * STAGE + C::A::BYTES, (first + i) * C::BK);
  trigger();
  wait();
#pragma unroll 1
  for (int i = 0; i < C::STAGES - 1; ++i) {
    if (i < steps) {
      copy_a.issue(a, shared + i * STAGE, (first + i) * C::BK);
      if constexpr (!C::B_FIRST) copy_b.issue(b, shared + i * STAGE + C::A::BYTES, (first + i) * C::BK);
    }
    cp_async_commit();
  }

  Math math;
  math.clear();
  const int thread = int(threadIdx.x) % Math::THREADS, slice = int(threadIdx.x) / Math::THREADS;
  char *from = shared, *to = shared + (C::STAGES - 1) * STAGE;
  const auto next = [&](char* stage) { return stage == shared + (C::STAGES - 1) * STAGE ? shared : stage + STAGE; };
#pragma unroll 1
  for (int i = 0; i < steps; ++i, from = next(from), to = next(to)) {
    cp_async_wait<C::STAGES - 2>();
    __syncthreads();  // stage i is there for all; all have left stage i - 1
    if (i + C::STAGES - 1 < steps) {
      copy_a.issue(a, to, (first + i + C::STAGES - 1) * C::BK);
      copy_b.issue(b, to + C::A::BYTES, (first + i + C::STAGES - 1) * C::BK);
    }
    cp_async_commit();
    math.step(from, from + C::A::BYTES, thread, slice);
  }
  cp_async_wait<0>();
  __syncthreads();  // the tile takes the place of the stages
  float* const tile = reinterpret_cast<float*>(shared);
  math.store(tile + slice * (C::BM * C::TILE_PITCH), thread);
  if constexpr (C::NORMALISED) math.moments.store(shared, thread, slice);
  __syncthreads();

  enum : int { EACH = Finish::EACH, QUADS = EACH / 4, UNITS = C::BM * C::BN / EACH / C::SPLIT };
  float4* const received = reinterpret_cast<float4*>(shared + C::RECEIVED);
  if constexpr (C::SPLIT > 1) {
    cluster_wait();  // every block of the cluster has begun
    for (int q = int(threadIdx.x); q < C::BM * C::BN / 4; q += C::THREADS)
      store_remote(received + rank * (UNITS * QUADS) + q % (UNITS * QUADS), q / (UNITS * QUADS),
                   of_slices<C>(tile, q / (C::BN / 4), q % (C::BN / 4) * 4));
    if constexpr (C::NORMALISED) C::Moments::send(shared, rank);
    cluster_arrive();
    cluster_wait();  // all shares are here
  }
  for (int unit = int(threadIdx.x); unit < UNITS; unit += C::THREADS) {
    const int at = (C::SPLIT > 1 ? rank * UNITS + unit : unit) * EACH, row = at / C::BN, column = at % C::BN;
    if (m0 + row >= m || n0 + column >= n) continue;
    float v[EACH];
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      float4 sum;
      if constexpr (C::SPLIT > 1) {
        sum = received[unit * QUADS + q];
#pragma unroll
        for (int s = 1; s < C::SPLIT; ++s) {
          const float4 more = received[(s * UNITS + unit) * QUADS + q];
          sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
        }
      } else {
        sum = of_slices<C>(tile, row, column + q * 4);
      }
      v[4 * q] = sum.x, v[4 * q + 1] = sum.y, v[4 * q + 2] = sum.z, v[4 * q + 3] = sum.w;
    }
    if constexpr (C::NORMALISED)
      Finish::store(p, batch, m0 + row, n0 + column, v, C::Moments::of(shared, row, k));
    else
      Finish::store(p, batch, m0 + row, n0 + column, v);
  }
}
