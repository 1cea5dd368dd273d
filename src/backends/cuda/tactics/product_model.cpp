#include "backends/cuda/tactics/product_model.h"

#include <algorithm>
#include <cmath>

namespace tenon::cuda {
namespace {

/// Microseconds, fitted to the times of an H100's tiles that tuning wrote for products and convolutions at batch 1 in 16 bits.
constexpr double kLaunch = 1.06;
constexpr double kCode = 0.0004;                                                         // fetching an instruction of a step
constexpr double kStep = 0.075, kBarrier = 0.0108;                                       // a step; a warp that meets the others in it
constexpr double kMma = 0.0046, kLoadMatrix = 0.0135, kCopy = 0.0023, kGather = 0.0072;  // a warp's or thread's part of it
constexpr double kEnd = 0.23, kUnit = 0.19, kSlice = 0.0023, kWarp = 0.022;  // the end; a thread's vector of results; an element of a slice
constexpr double kCluster = 1.36, kRank = 0.022, kRemote = 0.0041;           // meeting in a cluster; a block of it; an element that travels
constexpr double kBlock = 0.22;                                              // what a block costs the others of its multiprocessor
constexpr double kRegisters = 2.5;                                           // that a sum takes
constexpr double kOfL2 = 0.72;                                               // of the bandwidth of L2 is reached

double d(int64_t x) { return static_cast<double>(x); }

/// What a step of a block's warp or thread consists of.
struct Work {
  double mma = 0, load_matrix = 0, chunks = 0, scalars = 0;
};
Work work_of(const ProductSpec& spec, const Tile& t, int64_t threads) {
  const double each = d(128 / bits_of(spec.type)), steps = d(t.k) / (2 * each) / d(t.slices);  // of 32 bytes along k
  Work out;
  out.mma = d(t.m * t.n) / d(t.parts_m * t.parts_n) / 128 * steps;
  out.load_matrix = (d(t.n) / d(t.parts_n) / 16 + d(t.m) / d(t.parts_m) / 16) * steps;
  out.chunks = d((t.m + t.n) * t.k) / each / d(threads);
  out.scalars = ((spec.a.whole ? 0 : d(t.m)) + (spec.b.whole ? 0 : d(t.n))) * d(t.k) / d(threads);
  return out;
}

}  // namespace

double tile_us(const ProductSpec& spec, const Tile& t, int64_t threads, int64_t shared_bytes, const engine::DeviceFacts& device) {
  const double m = guess(spec.m, spec.sizes), n = guess(spec.n, spec.sizes), k = guess(spec.k, spec.sizes);
  const double batch = guess(spec.batch, spec.sizes);
  const double units = std::max(1.0, d(device.units)), bytes = d(bits_of(spec.type) / 8);
  const double blocks = std::ceil(m / d(t.m)) * std::ceil(n / d(t.n)) * batch * d(t.split);
  const double steps = std::ceil(std::ceil(k / d(t.k)) / d(t.split));
  const Work work = work_of(spec, t, threads);

  // What a multiprocessor can do in a step of one block. mma.sync reaches about 0.6 of what wgmma does, half of it in TF32; FMAs without
  // tensor cores are bound by shared memory.
  const double tensor = (bytes == 4 ? 0.3 : 0.6) * device.f16_flops_per_us;
  const double flops = (spec.tensor_cores ? tensor : 0.5 * device.f32_flops_per_us) / units;
  const double math = 2 * d(t.m * t.n * t.k) / flops, load = d((t.m + t.n) * t.k) * bytes / (kOfL2 * device.l2_bytes_per_us / units);

  // One block by itself: latencies.
  const double warps = d(threads) / 32;
  double step = kStep + kBarrier * warps + kCopy * work.chunks * warps / 4 + kGather * work.scalars;
  step += spec.tensor_cores ? kMma * work.mma + kLoadMatrix * work.load_matrix : math / std::min(1.0, d(threads) / 256);
  double end = kEnd + kWarp * warps + kUnit * std::ceil(d(t.m * t.n) / 8 / d(t.split) / d(threads));
  end += 4 * kSlice * d(t.m * t.n * t.slices) / d(threads);
  if (t.split > 1) end += kCluster + kRank * d(t.split) + 4 * kRemote * d(t.m * t.n) / d(threads);
  const double alone = kCode * (work.mma + 2 * work.load_matrix + 3 * work.chunks) + steps * step + end;

  // Blocks of a multiprocessor that are there at once.
  const double registers = std::min(255.0, 64 + kRegisters * d(t.m * t.n) / d(t.parts_m * t.parts_n) / 32);
  const double by_memory = std::floor(d(device.unit_shared_bytes) / d(shared_bytes + 1024));
  const double by_threads = std::floor(d(device.unit_threads) / d(threads));
  const double by_registers = std::floor(d(device.unit_registers) / (d(threads) * registers));
  const double at_once = std::max(1.0, std::min({by_memory, by_threads, by_registers})), queue = std::ceil(blocks / units);
  const double body = std::max(std::ceil(queue / at_once) * alone, queue * (steps * std::max(load, math) + kBlock) + 0.5 * alone);
  const double memory = (m * k + k * n + m * n) * batch * bytes / (2 * device.memory_bytes_per_us);  // much of it lies in L2
  return device.launch_us - 0.6 + kLaunch + std::max(memory, body);
}

}  // namespace tenon::cuda
