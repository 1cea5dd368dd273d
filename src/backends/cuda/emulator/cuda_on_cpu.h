// A kernel's text as C++: this header stands before it, and emulate() after it runs a grid on the CPU. Blocks run one after another; the
// threads of a block are fibers, and barriers and shuffles are where they meet. Found besides wrong results: a thread that leaves
// without wait(), or touches what may change before it (memory_on_cpu.h), a barrier that some threads never reach, shared memory that
// nobody wrote (it holds NaN when a block begins).
// Not for kernels that share memory by `extern __shared__`, nor for clusters. Compile with -std=c++20 -fno-strict-aliasing
// -DTENON_EMULATOR.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/emulator/memory_on_cpu.h"
#include "tensor/float_bits.h"

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static __attribute__((section("tenon_shared")))
#define __align__(bytes) __attribute__((aligned(bytes)))

struct uint2 {
  unsigned x, y;
};
struct float2 {
  float x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

extern "C" char __start_tenon_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_tenon_shared[] __attribute__((weak, visibility("hidden")));

namespace tenon_emulator {

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
};

enum class State { ready, at_block, at_warp, done };

constexpr size_t kStackBytes = 256 << 10;

struct Fiber {
  ucontext_t start;
  jmp_buf at;  // where it goes on: swapcontext would be a system call each time
  bool begun = false;
  Size3 index;
  State state = State::ready;
  bool waited = false;
  unsigned shuffles = 0;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<uint64_t> lanes[2];  // what the threads of a warp show each other, this time and the next
  jmp_buf scheduler;
  Fiber* running = nullptr;
  Size3 index, size, grid;
  std::string error;
  std::function<void()> body;
};

inline Block* g_block = nullptr;
inline Block& block() { return *g_block; }
inline Fiber& fiber() { return *g_block->running; }

inline void meet(State where) {
  fiber().state = where;
  if (!_setjmp(fiber().at)) _longjmp(block().scheduler, 1);
}

/// Runs a thread until it meets others, waits for the kernel ahead, or ends. What may change is within its reach once it has waited.
inline void resume(Block& b, Fiber& f) {
  b.running = &f;
  open_memory(f.waited);
  if (!_setjmp(b.scheduler)) {
    if (f.begun) _longjmp(f.at, 1);
    f.begun = true;
    setcontext(&f.start);
  }
  if (g_fault[0]) b.error = g_fault;
}

inline void enter() {
  block().body();
  if (!fiber().waited) block().error = "a thread leaves without wait()";
  fiber().state = State::done;
  _longjmp(block().scheduler, 1);
}

/// Stacks stay for the launches that follow: `number` tells those apart that are in use at once.
inline char* stack(size_t number) {
  static std::vector<std::unique_ptr<char[]>> stacks;
  while (stacks.size() <= number) stacks.emplace_back(new char[kStackBytes]);
  return stacks[number].get();
}

inline void begin(Fiber& f, size_t number) {
  f.state = State::ready;
  f.begun = f.waited = false;
  f.shuffles = 0;
  getcontext(&f.start);
  f.start.uc_stack.ss_sp = stack(number);
  f.start.uc_stack.ss_size = kStackBytes;
  f.start.uc_link = nullptr;
  makecontext(&f.start, enter, 0);
}

/// Lets those who have all met go on. False: nobody can.
inline bool release() {
  auto& fibers = block().fibers;
  bool any = false;
  for (size_t first = 0; first < fibers.size(); first += 32) {
    const size_t last = std::min(first + 32, fibers.size());
    const auto all = std::all_of(fibers.begin() + first, fibers.begin() + last, [](const Fiber& f) { return f.state == State::at_warp; });
    for (size_t i = first; all && i < last; ++i) fibers[i].state = State::ready;
    any = any || all;
  }
  if (any) return true;
  if (!std::all_of(fibers.begin(), fibers.end(), [](const Fiber& f) { return f.state == State::at_block; })) return false;
  for (Fiber& f : fibers) f.state = State::ready;
  return true;
}

inline void run_block() {
  Block& b = block();
  std::memset(__start_tenon_shared, 0xff, static_cast<size_t>(__stop_tenon_shared - __start_tenon_shared));
  for (size_t i = 0; i < b.fibers.size(); ++i) {
    Fiber& f = b.fibers[i];
    begin(f, i);
    f.index = {static_cast<unsigned>(i) % b.size.x, static_cast<unsigned>(i) / b.size.x % b.size.y,
               static_cast<unsigned>(i) / (b.size.x * b.size.y)};
  }
  while (b.error.empty()) {
    bool moved = false, left = false;
    for (Fiber& f : b.fibers) {
      if (f.state == State::ready) {
        resume(b, f);
        moved = true;
      }
      left = left || f.state != State::done;
    }
    if (!left) return;
    if (!moved && !release()) b.error = "threads wait for others that never come";
  }
}

/// The reason why it went wrong, empty where it did not.
inline std::string run(std::function<void()> body, Size3 grid, Size3 size) {
  Block b;
  b.body = std::move(body);
  b.grid = grid, b.size = size;
  b.fibers.resize(size_t{size.x} * size.y * size.z);
  b.lanes[0].resize(b.fibers.size()), b.lanes[1].resize(b.fibers.size());
  g_block = &b;
  for (unsigned z = 0; z < grid.z && b.error.empty(); ++z)
    for (unsigned y = 0; y < grid.y && b.error.empty(); ++y)
      for (unsigned x = 0; x < grid.x && b.error.empty(); ++x) {
        b.index = {x, y, z};
        run_block();
      }
  g_block = nullptr;
  return b.error;
}

/// The value that the thread `source` (its index in the warp) shows.
template <class T>
T exchange(T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  Block& b = block();
  const auto self = static_cast<size_t>(&fiber() - b.fibers.data());
  // Two sets: nobody shows the value after the next before all have read this one.
  std::vector<uint64_t>& lanes = b.lanes[fiber().shuffles++ % 2];
  std::memcpy(&lanes[self], &value, sizeof(T));
  meet(State::at_warp);
  const size_t from = self / 32 * 32 + source % 32;
  T out = value;
  if (from < lanes.size()) std::memcpy(&out, &lanes[from], sizeof(T));
  return out;
}
inline unsigned lane() { return static_cast<unsigned>(&fiber() - block().fibers.data()) % 32; }

}  // namespace tenon_emulator

#define threadIdx (tenon_emulator::fiber().index)
#define blockIdx (tenon_emulator::block().index)
#define blockDim (tenon_emulator::block().size)
#define gridDim (tenon_emulator::block().grid)

inline void __syncthreads() { tenon_emulator::meet(tenon_emulator::State::at_block); }
inline void __syncwarp(unsigned = 0xffffffffu) { tenon_emulator::meet(tenon_emulator::State::at_warp); }
template <class T>
T __shfl_sync(unsigned, T value, int source) {
  return tenon_emulator::exchange(value, static_cast<unsigned>(source));
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return tenon_emulator::exchange(value, tenon_emulator::lane() ^ static_cast<unsigned>(mask));
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  const unsigned from = tenon_emulator::lane() + delta;
  return tenon_emulator::exchange(value, from < 32 ? from : tenon_emulator::lane());
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned delta) {
  const unsigned self = tenon_emulator::lane();
  return tenon_emulator::exchange(value, self >= delta ? self - delta : self);
}
/// Fibers of a block take turns, and so do its blocks.
inline unsigned atomicAdd(unsigned* at, unsigned by) { return (*at += by) - by; }

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long bits) { return std::bit_cast<double>(bits); }
/// Towards zero.
inline float __double2float_rz(double x) {
  const auto near = static_cast<float>(x);
  if (x != x || fabs(static_cast<double>(near)) <= fabs(x)) return near;
  return std::bit_cast<float>(std::bit_cast<unsigned>(near) - 1);
}
inline float rsqrtf(float x) { return 1 / sqrtf(x); }

// What kernels/prelude.cuh leaves to the machine.
inline unsigned short f16_bits(float x) { return tenon::float_bits::to_half(x); }
inline float f16_value(unsigned short bits) { return tenon::float_bits::from_half(bits); }
inline unsigned short bf16_bits(float x) { return tenon::float_bits::to_bfloat(x); }
inline void trigger() {}
/// Others come first, up to their own: one change of protection for all threads of a block.
inline void wait() {
  if (tenon_emulator::fiber().waited) return;
  tenon_emulator::fiber().waited = true;
  tenon_emulator::meet(tenon_emulator::State::ready);
}
inline void __nanosleep(unsigned) { tenon_emulator::meet(tenon_emulator::State::ready); }
template <class T>
T __ldg(const T* at) {
  tenon_emulator::check_constant(at);
  return *at;
}
