// softmax(scale · q · kᵀ + mask) · v for each head; the scores never leave the chip. A block has BM queries of one head and walks over its
// keys in steps of STEP, which a ring of STAGES holds in shared memory, filled by cp.async; every row keeps its largest score and the sum
// of its weights so far. Flow: q, k, v → shared memory → scores, weights and sums in registers → shared memory → whole vectors of out.
// Arguments are structs: Config (numbers below; tq, tk of the problem; units of scores), Heads (where q, k, v and the mask lie), Finish.

__device__ __forceinline__ float no_score() { return __uint_as_float(0xff800000u); }  // -infinity

// Rows [first, first + COUNT) of heads to shared memory; zeros where a row is not below `end`, and behind `width`.
template <class T, int COLUMNS, int COUNT, int WIDTH, bool WHOLE, int THREADS>
struct Rows {
  enum : int {
    EACH = 16 / int(sizeof(T)),
    CHUNKS = COLUMNS / EACH,
    PITCH = 16 * (CHUNKS | 1),
    BYTES = COUNT * PITCH
  };  // odd: no conflicts
  static_assert(COLUMNS % EACH == 0, "rows are whole chunks");
  static __device__ __forceinline__ void issue(char* to, const T* base, i64 stride, int first, int end) {
#pragma unroll
    for (int i = 0; i < (COUNT * CHUNKS + THREADS - 1) / THREADS; ++i) {
      const int at = int(threadIdx.x) + i * THREADS;
      if (COUNT * CHUNKS % THREADS != 0 && at >= COUNT * CHUNKS) continue;
      const int row = at / CHUNKS, column = at % CHUNKS * EACH;
      const bool inside = first + row < end;
      const T* const from = base + i64(first + row) * stride + column;
      char* const chunk = to + row * PITCH + column * int(sizeof(T));
      if constexpr (WHOLE) {
        const bool valid = inside && column < WIDTH;
        cp_async16(chunk, valid ? from : base, valid);
      } else if constexpr (sizeof(T) == 4) {
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
          const bool valid = inside && column + e < WIDTH;
          cp_async4(chunk + 4 * e, valid ? from + e : base, valid);
        }
      } else {
        u32 words[4] = {0, 0, 0, 0};
#pragma unroll
        for (int e = 0; e < EACH; ++e)
          if (inside && column + e < WIDTH) words[e / 2] |= u32(from[e].bits) << (16 * (e % 2));
        *reinterpret_cast<uint4*>(chunk) = make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
};

// What both kernels do alike: the block's place, and the ring.
template <class C, class Heads, class Args>
struct Walk {
  typedef typename C::T T;
  typedef Rows<T, C::D, C::BM, C::WIDTH, C::WHOLE_Q, C::THREADS> Q;
  typedef Rows<T, C::D, C::STEP, C::WIDTH, C::WHOLE_K, C::THREADS> K;
  typedef Rows<T, C::DV, C::STEP, C::WIDTH_V, C::WHOLE_V, C::THREADS> V;
  const Args& p;
  int tq, tk, row0, head, batch, shift, end, steps;  // shift: query i sees keys up to i + shift; end: of the keys that some row sees
  char* const shared;

  __device__ __forceinline__ explicit Walk(const Args& args) : p(args), tq(C::tq(args)), tk(C::tk(args)), shared(dynamic_shared()) {
    const int tiles = (tq + C::BM - 1) / C::BM, block = int(blockIdx.x);
    row0 = block % tiles * C::BM;
    head = block / tiles % C::heads(p), batch = block / tiles / C::heads(p);
    shift = tk - tq;
    end = tk;
    if (C::CAUSAL && row0 + C::BM + shift < end) end = row0 + C::BM + shift > 0 ? row0 + C::BM + shift : 0;
    steps = (end + C::STEP - 1) / C::STEP;
  }
  __device__ __forceinline__ char* stage(int i) const { return shared + Q::BYTES + i % C::STAGES * (K::BYTES + V::BYTES); }
  __device__ __forceinline__ void issue(int i) const {
    if (i < steps) {
      K::issue(stage(i), Heads::k(p, batch, head), Heads::k_stride(p), i * C::STEP, tk);
      V::issue(stage(i) + K::BYTES, Heads::v(p, batch, head), Heads::v_stride(p), i * C::STEP, tk);
    }
    cp_async_commit();
  }
  __device__ __forceinline__ void begin() const {
    Q::issue(shared, Heads::q(p, batch, head), Heads::q_stride(p), row0, tq);
#pragma unroll
    for (int i = 0; i < C::STAGES; ++i) issue(i);
  }
  __device__ __forceinline__ void arrive() const {
    cp_async_wait<C::STAGES - 1>();
    __syncthreads();  // the stage is there for all
  }
  __device__ __forceinline__ void next(int i) const {
    if (i + C::STAGES < steps) {
      __syncthreads();  // all have left stage i
      issue(i + C::STAGES);
    } else {
      cp_async_commit();
    }
  }
  /// A product of q and k in the units of the softmax, -infinity where the key is none of the row's.
  __device__ __forceinline__ float score(float product, float mask, int row, int key) const {
    const bool seen = key < tk && (!C::CAUSAL || key <= row + shift);
    return seen ? C::MASK ? product * C::scale() + mask : product * C::scale() : no_score();
  }
  /// A sum over keys, and the sum of its weights.
  __device__ __forceinline__ float part_of(float sum, float inverse, float weights) const {
    return C::NAN_TO_ZERO && !(weights > 0) ? 0 : sum * inverse;
  }
  __device__ __forceinline__ float mask(int row, int key) const {
    if (row >= tq || key >= tk) return 0;
    return float(Heads::mask(p, batch, head, row)[i64(key) * Heads::mask_step(p)]);
  }
};

// The shift of a row's exponents: its largest score, unless there is none yet.
__device__ __forceinline__ float shift_of(float most) { return most == no_score() ? 0 : most; }

// By tensor cores: ROWS · PARTS warps; one has 16 queries and KEYS keys of each step, every PARTS-th share. Weights are rounded to the type
// of v before they meet it.
template <class C, class Heads, class Finish, class Args>
__device__ __forceinline__ void attention_mma(const Args& p) {
  typedef typename C::T T;
  const Walk<C, Heads, Args> walk(p);
  typedef Walk<C, Heads, Args> W;
  trigger();
  wait();
  walk.begin();
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, rows = warp % C::ROWS * 16, part = warp / C::ROWS;
  const int row = walk.row0 + rows + lane / 4;  // and row + 8
  u32 q[C::D / 16][4];
  float sum[C::DV / 8][4], most[2] = {no_score(), no_score()}, weight[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < C::DV / 8; ++i) sum[i][0] = sum[i][1] = sum[i][2] = sum[i][3] = 0;

  for (int i = 0; i < walk.steps; ++i) {
    const int key0 = i * C::STEP + part * C::KEYS, key = key0 + lane % 4 * 2;  // and the next, and those 8 further on
    const bool active = key0 < walk.end;
    float mask[C::MASK ? C::KEYS / 8 : 1][4];
    if constexpr (C::MASK)
      if (active)
#pragma unroll
        for (int j = 0; j < C::KEYS / 8; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) mask[j][e] = walk.mask(row + e / 2 * 8, key + j * 8 + e % 2);
    walk.arrive();
    if (i == 0)
#pragma unroll
      for (int j = 0; j < C::D / 16; ++j)
        ldmatrix_x4<false>(q[j], walk.shared + (rows + lane % 16) * W::Q::PITCH + (j * 16 + lane / 16 * 8) * 2);
    if (active) {
      const char* const k = walk.stage(i) + part * C::KEYS * W::K::PITCH;
      const char* const v = walk.stage(i) + W::K::BYTES + part * C::KEYS * W::V::PITCH;
      float score[C::KEYS / 8][4];
#pragma unroll
      for (int j = 0; j < C::KEYS / 8; ++j) score[j][0] = score[j][1] = score[j][2] = score[j][3] = 0;
#pragma unroll
      for (int l = 0; l < C::D / 16; ++l)
#pragma unroll
        for (int j = 0; j < C::KEYS / 16; ++j) {
          u32 y[4];
          ldmatrix_x4<false>(y, k + (j * 16 + lane % 8 + lane / 16 * 8) * W::K::PITCH + (l * 16 + lane / 8 % 2 * 8) * 2);
          const u32 low[2] = {y[0], y[1]}, high[2] = {y[2], y[3]};
          mma_m16n8k16(score[2 * j], q[l], low, T());
          mma_m16n8k16(score[2 * j + 1], q[l], high, T());
        }
      float now[2] = {most[0], most[1]};
#pragma unroll
      for (int j = 0; j < C::KEYS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          score[j][e] = walk.score(score[j][e], C::MASK ? mask[C::MASK ? j : 0][e] : 0, row + e / 2 * 8, key + j * 8 + e % 2);
          now[e / 2] = fmaxf(now[e / 2], score[j][e]);
        }
      float shift[2], factor[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        now[r] = fmaxf(now[r], __shfl_xor_sync(0xffffffffu, now[r], 1));
        now[r] = fmaxf(now[r], __shfl_xor_sync(0xffffffffu, now[r], 2));
        shift[r] = shift_of(now[r]);
        factor[r] = exp2_approx((most[r] - shift[r]) * C::unit());
        most[r] = now[r];
        weight[r] *= factor[r];
      }
#pragma unroll
      for (int j = 0; j < C::KEYS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          score[j][e] = exp2_approx((score[j][e] - shift[e / 2]) * C::unit());
          weight[e / 2] += score[j][e];
        }
#pragma unroll
      for (int j = 0; j < C::DV / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) sum[j][e] *= factor[e / 2];
#pragma unroll
      for (int l = 0; l < C::KEYS / 16; ++l) {
        const u32 x[4] = {pack_pair(score[2 * l][0], score[2 * l][1], T()), pack_pair(score[2 * l][2], score[2 * l][3], T()),
                          pack_pair(score[2 * l + 1][0], score[2 * l + 1][1], T()),
                          pack_pair(score[2 * l + 1][2], score[2 * l + 1][3], T())};
#pragma unroll
        for (int j = 0; j < C::DV / 16; ++j) {
          u32 y[4];
          ldmatrix_x4<true>(y, v + (l * 16 + lane % 16) * W::V::PITCH + (j * 16 + lane / 16 * 8) * 2);
          const u32 low[2] = {y[0], y[1]}, high[2] = {y[2], y[3]};
          mma_m16n8k16(sum[2 * j], x, low, T());
          mma_m16n8k16(sum[2 * j + 1], x, high, T());
        }
      }
    }
    walk.next(i);
  }
  cp_async_wait<0>();
  __syncthreads();  // the parts' sums take the place of the stages

  enum : int { PITCH = C::DV + 4, CHUNKS = (C::WIDTH_V + 7) / 8 };
  float* const tile = reinterpret_cast<float*>(walk.shared);
  float* const mosts = tile + C::PARTS * C::BM * PITCH;
  float* const weights = mosts + C::PARTS * C::BM;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    weight[r] += __shfl_xor_sync(0xffffffffu, weight[r], 1);
    weight[r] += __shfl_xor_sync(0xffffffffu, weight[r], 2);
    const int at = part * C::BM + rows + lane / 4 + r * 8;
    if (lane % 4 == 0) mosts[at] = most[r], weights[at] = weight[r];
#pragma unroll
    for (int j = 0; j < C::DV / 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) tile[at * PITCH + j * 8 + lane % 4 * 2 + e] = sum[j][2 * r + e];
  }
  __syncthreads();  // the sums of all parts are there
  for (int unit = int(threadIdx.x); unit < C::BM * CHUNKS; unit += C::THREADS) {
    const int r = unit / CHUNKS, column = unit % CHUNKS * 8;
    if (walk.row0 + r >= walk.tq) continue;
    float all = no_score(), total = 0, factor[C::PARTS], out[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll
    for (int s = 0; s < C::PARTS; ++s) all = fmaxf(all, mosts[s * C::BM + r]);
#pragma unroll
    for (int s = 0; s < C::PARTS; ++s) {
      factor[s] = exp2_approx((mosts[s * C::BM + r] - shift_of(all)) * C::unit());
      total += weights[s * C::BM + r] * factor[s];
    }
    const float inverse = walk.tk > 0 ? 1 / total : 0;
#pragma unroll
    for (int s = 0; s < C::PARTS; ++s)
#pragma unroll
      for (int e = 0; e < 8; ++e) out[e] += tile[(s * C::BM + r) * PITCH + column + e] * factor[s];
#pragma unroll
    for (int e = 0; e < 8; ++e) out[e] = walk.part_of(out[e], inverse, total);
    Finish::store(p, walk.batch * C::heads(p) + walk.head, walk.row0 + r, column, out);
  }
}

// In FP32 by fused multiply-adds: 128 threads, 16 of them for rows i and i + 8; a thread has every 16th key of a step, then every 16th
// group of four columns.
template <class C, class Heads, class Finish, class Args>
__device__ __forceinline__ void attention_f32(const Args& p) {
  enum : int { KEYS = C::STEP / 16, GROUPS = (C::DV / 4 + 15) / 16, PITCH = C::STEP + 4 };
  static_assert(C::THREADS == 128 && C::BM == 16 && C::STEP % 16 == 0, "16 threads share two of 16 rows");
  trigger();
  wait();
  const Walk<C, Heads, Args> walk(p);
  typedef Walk<C, Heads, Args> W;
  walk.begin();
  const int x = int(threadIdx.x) % 16, y = int(threadIdx.x) / 16;
  float* const weights = reinterpret_cast<float*>(walk.shared + W::Q::BYTES + C::STAGES * (W::K::BYTES + W::V::BYTES));
  float most[2] = {no_score(), no_score()}, weight[2] = {0, 0};
  float sum[2][GROUPS][4];
#pragma unroll
  for (int i = 0; i < 8 * GROUPS; ++i) sum[i / 4 / GROUPS][i / 4 % GROUPS][i % 4] = 0;
  const auto four = [](const char* from) { return *reinterpret_cast<const float4*>(from); };

  for (int i = 0; i < walk.steps; ++i) {
    walk.arrive();
    float score[2][KEYS];
#pragma unroll
    for (int j = 0; j < 2 * KEYS; ++j) score[j / KEYS][j % KEYS] = 0;
#pragma unroll 4
    for (int l = 0; l < C::D / 4; ++l) {
      const float4 a = four(walk.shared + y * W::Q::PITCH + l * 16), b = four(walk.shared + (y + 8) * W::Q::PITCH + l * 16);
#pragma unroll
      for (int j = 0; j < KEYS; ++j) {
        const float4 k = four(walk.stage(i) + (x + j * 16) * W::K::PITCH + l * 16);
        score[0][j] += a.x * k.x, score[0][j] += a.y * k.y, score[0][j] += a.z * k.z, score[0][j] += a.w * k.w;
        score[1][j] += b.x * k.x, score[1][j] += b.y * k.y, score[1][j] += b.z * k.z, score[1][j] += b.w * k.w;
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = walk.row0 + y + r * 8;
      float now = most[r];
#pragma unroll
      for (int j = 0; j < KEYS; ++j) {
        const int key = i * C::STEP + x + j * 16;
        float mask = 0;
        if constexpr (C::MASK) mask = walk.mask(row, key);
        score[r][j] = walk.score(score[r][j], mask, row, key);
        now = fmaxf(now, score[r][j]);
      }
#pragma unroll
      for (int lanes = 8; lanes > 0; lanes /= 2) now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, lanes));
      const float shift = shift_of(now), factor = exp2_approx((most[r] - shift) * C::unit());
      most[r] = now;
      weight[r] *= factor;
#pragma unroll
      for (int j = 0; j < KEYS; ++j) {
        score[r][j] = exp2_approx((score[r][j] - shift) * C::unit());
        weight[r] += score[r][j];
        weights[(y + r * 8) * PITCH + x + j * 16] = score[r][j];
      }
#pragma unroll
      for (int g = 0; g < 4 * GROUPS; ++g) sum[r][g / 4][g % 4] *= factor;
    }
    __syncwarp();  // a row's weights come from the 16 threads of one half
#pragma unroll 2
    for (int j = 0; j < C::STEP; j += 4) {
      float a[2][4];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float4 w = *reinterpret_cast<const float4*>(weights + (y + r * 8) * PITCH + j);
        a[r][0] = w.x, a[r][1] = w.y, a[r][2] = w.z, a[r][3] = w.w;
      }
#pragma unroll
      for (int g = 0; g < GROUPS; ++g) {
        if (C::DV / 4 % 16 != 0 && x + g * 16 >= C::DV / 4) continue;
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const float4 v = four(walk.stage(i) + W::K::BYTES + (j + e) * W::V::PITCH + (x + g * 16) * 16);
#pragma unroll
          for (int r = 0; r < 2; ++r)
            sum[r][g][0] += a[r][e] * v.x, sum[r][g][1] += a[r][e] * v.y, sum[r][g][2] += a[r][e] * v.z, sum[r][g][3] += a[r][e] * v.w;
        }
      }
    }
    __syncwarp();  // the weights have been read
    walk.next(i);
  }
  cp_async_wait<0>();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
#pragma unroll
    for (int lanes = 8; lanes > 0; lanes /= 2) weight[r] += __shfl_xor_sync(0xffffffffu, weight[r], lanes);
    const float inverse = walk.tk > 0 ? 1 / weight[r] : 0;
    const int row = walk.row0 + y + r * 8;
    if (row >= walk.tq) continue;
#pragma unroll
    for (int g = 0; g < GROUPS; ++g) {
      const int column = (x + g * 16) * 4;
      if (column >= C::WIDTH_V) continue;
      float out[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) out[e] = walk.part_of(sum[r][g][e], inverse, weight[r]);
      Finish::store(p, walk.batch * C::heads(p) + walk.head, row, column, out);
    }
  }
}
