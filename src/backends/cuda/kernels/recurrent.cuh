// The steps of a recurrent layer in one launch: from `gates` (what the inputs give to each gate at each step) and R to all hidden states.
// A warp owns one hidden unit of one direction, its rows of R stay in registers (or in shared memory, or in L2, as Config says), the grid
// is resident as a whole. A step: hidden states of all blocks come through L2 → shared memory → each warp's products with its rows,
// summed over the lanes → gates and cell in one lane for each batch row → Y, and the word that everybody waits for.
//
// Exchange: a hidden state travels as a 64-bit word {epoch, value}, so a reader polls the data itself. Exchange e of a launch uses slot
// e % 2 and epoch base + 1 + e; base lies in the workspace and grows with each launch. A block writes exchange e + 1 only after it has read
// e from all blocks, and they had read e - 1 before they wrote e: nobody overwrites what somebody still reads.
namespace rnn {

struct Share {
  int warp, lane, direction, unit;
  bool mine;  // the warp has a unit
};
template <class C>
__device__ __forceinline__ Share share_of() {
  Share s;
  s.warp = int(threadIdx.x) / 32, s.lane = int(threadIdx.x) % 32;
  s.direction = int(blockIdx.x) / C::BLOCKS;
  s.unit = int(blockIdx.x) % C::BLOCKS * C::UNITS + s.warp;
  s.mine = s.unit < C::H;
  return s;
}

/// Sums each of V values over the warp's lanes; lane l gets the sum of value l * V / 32. V: a power of two up to 32.
template <int V, int STEP = 16>
__device__ __forceinline__ float spread_sum(float (&x)[V], int lane) {
  if constexpr (STEP == 0) {
    return x[0];
  } else if constexpr (V > 1) {
    float half[V / 2];
    const bool upper = lane & STEP;
#pragma unroll
    for (int i = 0; i < V / 2; ++i) {
      const float given = __shfl_xor_sync(0xffffffffu, upper ? x[i] : x[i + V / 2], STEP);
      half[i] = (upper ? x[i + V / 2] : x[i]) + given;
    }
    return spread_sum<V / 2, STEP / 2>(half, lane);
  } else {
    x[0] += __shfl_xor_sync(0xffffffffu, x[0], STEP);
    return spread_sum<V, STEP / 2>(x, lane);
  }
}

/// The rows of R that belong to a warp's unit: one for each gate, 4 neighbouring columns to a lane at a time.
template <class C>
struct Rows {
  float kept[C::IN_REGISTERS ? C::GATES : 1][C::IN_REGISTERS ? C::VECTORS : 1][4];
  const typename C::T* from[C::GATES];

  __device__ __forceinline__ static void read(const typename C::T* row, int column, float (&out)[4]) {
    if constexpr (C::H % 4 == 0) {
      Pack<typename C::T, 4> pack;
      if (column < C::H) pack = load<typename C::T, 4>(row, column);
#pragma unroll
      for (int v = 0; v < 4; ++v) out[v] = column < C::H ? float(pack.v[v]) : 0.0f;
    } else {
#pragma unroll
      for (int v = 0; v < 4; ++v) out[v] = column + v < C::H ? float(row[column + v]) : 0.0f;
    }
  }
  /// `shared`: room for the block's rows, where they stay there.
  __device__ __forceinline__ void begin(const void* r, const Share& s, typename C::T* shared) {
#pragma unroll
    for (int g = 0; g < C::GATES; ++g) {
      const int unit = s.mine ? s.unit : 0;
      from[g] = static_cast<const typename C::T*>(r) + (i64(s.direction * C::GATES + g) * C::H + unit) * C::H;
      if constexpr (C::IN_SHARED) {
        typename C::T* const to = shared + (s.warp * C::GATES + g) * C::SHARED_ROW;
        for (int column = s.lane; column < C::H; column += 32) to[column] = from[g][column];
        from[g] = to;
      }
      if constexpr (C::IN_REGISTERS) {
#pragma unroll
        for (int j = 0; j < C::VECTORS; ++j) read(from[g], (j * 32 + s.lane) * 4, kept[g][j]);
      }
    }
    __syncwarp();  // a warp reads what its own lanes copied
  }
  __device__ __forceinline__ void get(int g, int j, int lane, float (&out)[4]) const {
    if constexpr (C::IN_REGISTERS) {
#pragma unroll
      for (int v = 0; v < 4; ++v) out[v] = kept[g][j][v];
    } else {
      read(from[g], (j * 32 + lane) * 4, out);
    }
  }
};

/// Products of ROWS states in shared memory with the rows of gates FIRST … FIRST + COUNT. Lanes of batch row n = lane * ROWS / 32 get its
/// sums.
template <class C, int ROWS, int FIRST, int COUNT>
__device__ __forceinline__ void multiply(const Rows<C>& rows, const float* states, int lane, float (&out)[COUNT]) {
  constexpr int PLACES = COUNT == 3 ? 4 : COUNT, VALUES = ROWS * PLACES;
  float sum[VALUES];
#pragma unroll
  for (int i = 0; i < VALUES; ++i) sum[i] = 0;
#pragma unroll(C::IN_REGISTERS ? C::VECTORS : 1)
  for (int j = 0; j < C::VECTORS; ++j) {
    float w[COUNT][4];
#pragma unroll
    for (int g = 0; g < COUNT; ++g) rows.get(FIRST + g, j, lane, w[g]);
#pragma unroll
    for (int n = 0; n < ROWS; ++n) {
      const float4 h = *reinterpret_cast<const float4*>(states + n * C::PITCH + (j * 32 + lane) * 4);
#pragma unroll
      for (int g = 0; g < COUNT; ++g) {
        sum[n * PLACES + g] += w[g][0] * h.x;
        sum[n * PLACES + g] += w[g][1] * h.y;
        sum[n * PLACES + g] += w[g][2] * h.z;
        sum[n * PLACES + g] += w[g][3] * h.w;
      }
    }
  }
  const float total = spread_sum<VALUES>(sum, lane);
#pragma unroll
  for (int g = 0; g < COUNT; ++g) out[g] = __shfl_sync(0xffffffffu, total, lane / (32 / ROWS) * (32 / ROWS) + g * (32 / VALUES));
}

template <class C>
struct Exchange {
  u64* words;  // of the block's direction: slots of [batch, WORDS]
  i64 slot;    // words of a slot
  u32 base;

  __device__ __forceinline__ u64* at(u32 e, int n) const { return words + (e & 1) * slot + i64(n) * C::WORDS; }
  __device__ __forceinline__ void publish(u32 e, int n, int unit, float value) const {
    store_word(at(e, n) + unit, u64(base + 1 + e) << 32 | __float_as_uint(value));
  }
  /// Batch rows n … n + rows of exchange e into shared memory. Whoever reads them passes a barrier first.
  __device__ __forceinline__ void receive(u32 e, int n, int rows, float* states) const {
    constexpr int TOGETHER = 4, PAIRS = C::WORDS / 2;
    const u64* const from = at(e, n);
    const u32 epoch = base + 1 + e;
    const int pairs = rows * PAIRS;
    for (int first = threadIdx.x; first < pairs; first += C::THREADS * TOGETHER) {
      u32 missing = 0;
#pragma unroll
      for (int j = 0; j < TOGETHER; ++j)
        if (first + j * C::THREADS < pairs) missing |= 1u << j;
      for (u32 polls = 0; missing; ++polls) {
        u64 a[TOGETHER], b[TOGETHER];
#pragma unroll
        for (int j = 0; j < TOGETHER; ++j)
          if (missing >> j & 1) load_words(from + i64(first + j * C::THREADS) * 2, a[j], b[j]);
#pragma unroll
        for (int j = 0; j < TOGETHER; ++j) {
          const int pair = first + j * C::THREADS, row = pair / PAIRS, column = pair % PAIRS * 2;
          // The last word of an odd row belongs to nobody.
          const bool single = C::H % 2 != 0 && column + 1 >= C::H;
          if (!(missing >> j & 1) || u32(a[j] >> 32) != epoch || !(single || u32(b[j] >> 32) == epoch)) continue;
          states[row * C::PITCH + column] = __uint_as_float(u32(a[j]));
          if (!single) states[row * C::PITCH + column + 1] = __uint_as_float(u32(b[j]));
          missing &= ~(1u << j);
        }
        if (polls == MOST_POLLS) stop_kernel();
      }
    }
  }
  // Some ten seconds: longer than any step, and an end where a block is lost.
#ifdef TENON_EMULATOR
  static constexpr u32 MOST_POLLS = 1u << 12;
#else
  static constexpr u32 MOST_POLLS = 1u << 24;
#endif
};

/// All steps, ROWS batch rows at a time. SINGLE: there are no more.
template <class C, int ROWS, bool SINGLE>
__device__ __forceinline__ void run(const Args& p) {
  const Share s = share_of<C>();
  char* const shared = dynamic_shared();
  float* const states = reinterpret_cast<float*>(shared);  // two of [ROWS, PITCH], taken in turn
  wait();
  Rows<C> rows;
  rows.begin(p.in1, s, reinterpret_cast<typename C::T*>(shared + C::ROWS_AT));
  const int batch = C::batch(p), seq = C::seq(p);
  const int row = s.lane / (32 / ROWS);
  const bool leads = s.mine && s.lane % (32 / ROWS) == 0;
  if (seq == 0) {
    for (int n = row; leads && n < batch; n += ROWS) C::end(p, s, n, C::first_h(p, s, n), C::first_c(p, s, n));
    return;
  }
  u64* const words = static_cast<u64*>(p.ws0);
  Exchange<C> exchange;
  exchange.slot = i64(batch) * C::WORDS;
  exchange.words = words + 2 + s.direction * 2 * exchange.slot;
  u64 base, unused;
  load_words(words, base, unused);
  if (s.direction == 1) base = unused;
  exchange.base = u32(base);
  for (int i = threadIdx.x; i < 2 * C::MOST_ROWS * C::PITCH; i += C::THREADS) states[i] = 0;
  __syncthreads();  // for zeros behind H; and everybody has read base before anybody publishes
  float c = 0;
  for (int n = row; leads && n < batch; n += ROWS) {
    exchange.publish(0, n, s.unit, C::first_h(p, s, n));
    if (C::HAS_CELL && SINGLE) c = C::first_c(p, s, n);
    if (C::HAS_CELL && !SINGLE) C::keep_c(p, s, n, C::first_c(p, s, n));
  }
  int turn = 0;
  for (int k = 0; k < seq; ++k) {
    for (int first = 0; first < batch; first += ROWS) {
      const int n = first + row, count = batch - first < ROWS ? batch - first : ROWS;
      const bool leading = leads && n < batch;
      // What does not depend on the others, while their words are on the way.
      float x[C::GATES] = {}, sums[C::GATES], h = 0;
      const int length = leading ? C::length(p, n) : 0;
      const int t = C::time(s.direction, k, length);
      if (leading && k < length) C::load_gates(p, s, t, n, x);
      if (C::HAS_CELL && !SINGLE && leading) c = C::kept_c(p, s, n);
      float* at = states + turn * C::MOST_ROWS * C::PITCH;
      turn ^= 1;
      exchange.receive(k * C::EXCHANGES, first, count, at);
      __syncthreads();  // for the states; who is one turn behind reads the other ones
      if (leading) h = at[row * C::PITCH + s.unit];
      if constexpr (C::EXCHANGES == 1) {
        multiply<C, ROWS, 0, C::GATES>(rows, at, s.lane, sums);
      } else {
        float two[2], last[1];
        multiply<C, ROWS, 0, 2>(rows, at, s.lane, two);
        sums[0] = two[0], sums[1] = two[1];
        if (leading) exchange.publish(k * 2 + 1, n, s.unit, C::gated(s.direction, x, sums, h));
        at = states + turn * C::MOST_ROWS * C::PITCH;
        turn ^= 1;
        exchange.receive(k * 2 + 1, first, count, at);
        __syncthreads();  // as above
        multiply<C, ROWS, 2, 1>(rows, at, s.lane, last);
        sums[2] = last[0];
      }
      if (!leading) continue;
      if (k < length) h = C::cell(p, s, x, sums, h, c);
      if (k + 1 < seq) exchange.publish((k + 1) * C::EXCHANGES, n, s.unit, h);
      C::store_y(p, s, k < length ? t : k, n, k < length ? h : 0.0f);
      if (C::HAS_CELL && !SINGLE) C::keep_c(p, s, n, c);
      if (k + 1 == seq) C::end(p, s, n, h, c);
    }
  }
  trigger();
  // This block has had a word of every block of its direction, so all have read base.
  if (threadIdx.x == 0 && blockIdx.x % C::BLOCKS == 0) store_word(words + s.direction, u64(u32(base) + u32(seq) * C::EXCHANGES));
}

}  // namespace rnn
