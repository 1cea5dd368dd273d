// kernels/ptx.cuh on the CPU, after emulator/cuda_on_cpu.h: tensor cores, copies in the background, clusters, dynamic shared memory.
// Found besides wrong results: a copy that is read before its group was waited for (it lands only then).
#pragma once
#include <array>
#include <bit>
#include <deque>
#include <map>

#include "backends/cuda/emulator/cuda_on_cpu.h"

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace tenon_emulator {

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool valid;
};
struct Background {
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
  unsigned products = 0, arrivals = 0;
};
struct Cluster {
  std::vector<Block> blocks;
  std::vector<std::vector<char>> shared;
  std::map<const Fiber*, Background> background;
  std::map<const Block*, std::vector<std::array<unsigned, 6>>> fragments[2];
  size_t arrived = 0, threads = 0;
};
inline Cluster* g_cluster = nullptr;
inline Background& background() { return g_cluster->background[&fiber()]; }

inline void land(const std::vector<Copy>& group) {
  for (const Copy& copy : group) {
    if (copy.valid)
      std::memcpy(copy.to, copy.from, copy.bytes);
    else
      std::memset(copy.to, 0, copy.bytes);
  }
}

inline void begin_fibers(Block& b, size_t first) {
  for (size_t i = 0; i < b.fibers.size(); ++i) {
    begin(b.fibers[i], first + i);
    b.fibers[i].index = {static_cast<unsigned>(i), 0, 0};
  }
}

inline std::string run_cluster(Cluster& c) {
  g_cluster = &c;
  std::memset(__start_tenon_shared, 0xff, static_cast<size_t>(__stop_tenon_shared - __start_tenon_shared));
  size_t fibers = 0;
  for (Block& b : c.blocks) {
    begin_fibers(b, fibers);
    fibers += b.fibers.size();
  }
  for (;;) {
    bool moved = false, left = false;
    for (Block& b : c.blocks) {
      g_block = &b;
      bool here = false, waiting = false;
      for (Fiber& f : b.fibers) {
        if (f.state == State::ready) {
          resume(b, f);
          here = true;
        }
        waiting = waiting || f.state != State::done;
      }
      if (!b.error.empty()) return b.error;
      if (!here && waiting) here = release();
      moved = moved || here;
      left = left || waiting;
    }
    if (!left) return {};
    if (!moved) return "threads wait for others that never come";
  }
}

/// A grid of one dim, cluster after cluster.
inline std::string run_clusters(std::function<void()> body, unsigned grid, unsigned threads, unsigned cluster, size_t shared_bytes) {
  for (unsigned first = 0; first < grid; first += cluster) {
    Cluster c;
    c.blocks.resize(cluster);
    c.threads = size_t{cluster} * threads;
    for (unsigned i = 0; i < cluster; ++i) {
      Block& b = c.blocks[i];
      b.body = body;
      b.grid = {grid, 1, 1}, b.size = {threads, 1, 1}, b.index = {first + i, 0, 0};
      b.fibers.resize(threads);
      b.lanes[0].resize(threads), b.lanes[1].resize(threads);
      c.fragments[0][&b].resize(threads), c.fragments[1][&b].resize(threads);
      c.shared.emplace_back(shared_bytes + 128, '\xff');
    }
    const std::string error = run_cluster(c);
    g_block = nullptr, g_cluster = nullptr;
    if (!error.empty()) return error;
  }
  return {};
}

template <bool TRANS, int N>
void ldmatrix(unsigned (&out)[N], const void* from) {
  const unsigned l = lane();
  for (unsigned i = 0; i < N; ++i) {
    unsigned short both[2];
    for (unsigned e = 0; e < 2; ++e) {
      const unsigned row = TRANS ? l % 4 * 2 + e : l / 4, column = TRANS ? l / 4 : l % 4 * 2 + e;
      const auto* line = exchange(static_cast<const unsigned short*>(from), i * 8 + row);
      if (reinterpret_cast<uintptr_t>(line) % 16 != 0) block().error = "ldmatrix of a row that is not aligned";
      both[e] = line[column];
    }
    out[i] = both[0] | unsigned{both[1]} << 16;
  }
}

}  // namespace tenon_emulator

inline char* dynamic_shared() {
  tenon_emulator::Cluster& c = *tenon_emulator::g_cluster;
  char* begin = c.shared[static_cast<size_t>(&tenon_emulator::block() - c.blocks.data())].data();
  return begin + (128 - reinterpret_cast<uintptr_t>(begin) % 128) % 128;
}

inline void cp_async16(void* to, const void* from, bool valid) {
  if (reinterpret_cast<uintptr_t>(to) % 16 || (valid && reinterpret_cast<uintptr_t>(from) % 16))
    tenon_emulator::block().error = "a copy of 16 bytes that is not aligned";
  if (valid) tenon_emulator::touch(from, 16);
  tenon_emulator::background().open.push_back({to, from, 16, valid});
}
inline void cp_async4(void* to, const void* from, bool valid) {
  if (valid) tenon_emulator::touch(from, 4);
  tenon_emulator::background().open.push_back({to, from, 4, valid});
}
inline void cp_async_commit() {
  auto& b = tenon_emulator::background();
  b.groups.push_back(std::move(b.open));
  b.open.clear();
}
template <int LEFT>
void cp_async_wait() {
  auto& groups = tenon_emulator::background().groups;
  for (; groups.size() > LEFT; groups.pop_front()) tenon_emulator::land(groups.front());
}

template <bool TRANS>
void ldmatrix_x4(unsigned (&out)[4], const void* from) {
  tenon_emulator::ldmatrix<TRANS>(out, from);
}
template <bool TRANS>
void ldmatrix_x2(unsigned (&out)[2], const void* from) {
  tenon_emulator::ldmatrix<TRANS>(out, from);
}

namespace tenon_emulator {

/// m16n8 of `K` elements along k, `EACH` of them in a word; value(word, k): element k of the word that holds it.
template <int K, int EACH, class Value>
void multiply_fragments(float (&sum)[4], const unsigned (&x)[4], const unsigned (&y)[2], const Value& value) {
  auto& all = g_cluster->fragments[background().products++ % 2][&block()];
  const auto self = static_cast<size_t>(&fiber() - block().fibers.data()), first = self / 32 * 32;
  all[self] = {x[0], x[1], x[2], x[3], y[0], y[1]};
  meet(State::at_warp);
  for (int i = 0; i < 4; ++i) {
    const int row = static_cast<int>(lane()) / 4 + i / 2 * 8, column = static_cast<int>(lane()) % 4 * 2 + i % 2;
    float total = 0;
    for (int k = 0; k < K; ++k) {
      const int half = k / (K / 2), in_half = k % (K / 2) / EACH;  // four words a row and half
      const auto& of_x = all[first + static_cast<size_t>(row % 8 * 4 + in_half)];
      const auto& of_y = all[first + static_cast<size_t>(column * 4 + in_half)];
      total += value(of_x[static_cast<size_t>(row / 8 + half * 2)], k) * value(of_y[static_cast<size_t>(4 + half)], k);
    }
    sum[i] += total;
  }
}

}  // namespace tenon_emulator

template <class T>
void mma_m16n8k16(float (&sum)[4], const unsigned (&x)[4], const unsigned (&y)[2], T) {
  tenon_emulator::multiply_fragments<16, 2>(sum, x, y, [](unsigned word, int k) {
    T out;
    out.bits = static_cast<unsigned short>(k % 2 ? word >> 16 : word);
    return static_cast<float>(out);
  });
}
inline unsigned round_tf32(unsigned bits) {  // ties away from zero
  const bool finite = (bits & 0x7f800000U) != 0x7f800000U;
  return finite ? (bits + 0x1000U) & ~0x1fffU : bits;
}
inline void mma_m16n8k8(float (&sum)[4], const unsigned (&x)[4], const unsigned (&y)[2]) {
  tenon_emulator::multiply_fragments<8, 1>(sum, x, y, [](unsigned word, int) { return std::bit_cast<float>(word & ~0x1fffU); });
}

/// Whoever polls lets the others go on.
inline void load_words(const unsigned long long* from, unsigned long long& a, unsigned long long& b) {
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0) tenon_emulator::block().error = "two words that are not aligned";
  tenon_emulator::meet(tenon_emulator::State::ready);
  a = from[0], b = from[1];
}
inline void store_word(unsigned long long* to, unsigned long long word) { *to = word; }
inline void stop_kernel() { tenon_emulator::block().error = "a kernel stopped itself"; }

inline float exp2_approx(float x) { return exp2f(x); }
template <class T>
unsigned pack_pair(float low, float high, T) {
  return unsigned{T(low).bits} | unsigned{T(high).bits} << 16;
}

inline void cluster_arrive() {
  ++tenon_emulator::background().arrivals;
  ++tenon_emulator::g_cluster->arrived;
}
inline void cluster_wait() {
  const size_t wanted = tenon_emulator::background().arrivals * tenon_emulator::g_cluster->threads;
  while (tenon_emulator::g_cluster->arrived < wanted) tenon_emulator::meet(tenon_emulator::State::ready);
}
inline void store_remote(void* to, int rank, float4 value) {
  tenon_emulator::Cluster& c = *tenon_emulator::g_cluster;
  char* const mine = dynamic_shared();
  tenon_emulator::Block* const self = tenon_emulator::g_block;
  tenon_emulator::g_block = &c.blocks[static_cast<size_t>(rank)];
  char* const there = dynamic_shared();
  tenon_emulator::g_block = self;
  std::memcpy(there + (static_cast<char*>(to) - mine), &value, 16);
}
