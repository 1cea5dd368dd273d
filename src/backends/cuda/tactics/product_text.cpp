#include "backends/cuda/tactics/product_text.h"

#include <algorithm>
#include <cmath>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"

namespace tenon::cuda {
namespace {

/// Candidates. With tensor cores a warp has 16 · i columns and 8 · j rows of the tile; without, a thread m / parts_m by n / parts_n.
constexpr Tile kTensorTiles[] = {
    {.m = 128, .n = 128, .k = 32, .stages = 4, .parts_m = 4, .parts_n = 2},
    {.m = 128, .n = 64, .k = 64, .stages = 3, .parts_m = 4, .parts_n = 1},
    {.m = 64, .n = 128, .k = 64, .stages = 3, .parts_m = 2, .parts_n = 2},
    {.m = 64, .n = 64, .k = 64, .stages = 4, .parts_m = 2, .parts_n = 2},
    {.m = 64, .n = 64, .k = 64, .stages = 4, .parts_m = 2, .parts_n = 1, .slices = 4},
    {.m = 32, .n = 64, .k = 64, .stages = 4, .parts_m = 1, .parts_n = 2, .slices = 2},
    {.m = 32, .n = 64, .k = 64, .stages = 4, .parts_m = 1, .parts_n = 2, .slices = 4},
    {.m = 24, .n = 64, .k = 64, .stages = 4, .parts_m = 1, .parts_n = 2, .slices = 4},
    {.m = 16, .n = 64, .k = 128, .stages = 3, .parts_m = 1, .parts_n = 1, .slices = 8},
    {.m = 8, .n = 64, .k = 128, .stages = 3, .parts_m = 1, .parts_n = 1, .slices = 8},
    {.m = 128, .n = 32, .k = 64, .stages = 3, .parts_m = 4, .parts_n = 1},
    {.m = 64, .n = 32, .k = 64, .stages = 4, .parts_m = 2, .parts_n = 1, .slices = 2},
    {.m = 32, .n = 32, .k = 64, .stages = 4, .parts_m = 1, .parts_n = 1, .slices = 4},
    {.m = 16, .n = 32, .k = 128, .stages = 4, .parts_m = 1, .parts_n = 1, .slices = 8},
    {.m = 8, .n = 32, .k = 128, .stages = 4, .parts_m = 1, .parts_n = 1, .slices = 8},
};
constexpr Tile kPlainTiles[] = {
    {.m = 128, .n = 64, .k = 16, .stages = 3, .parts_m = 16, .parts_n = 16},
    {.m = 64, .n = 64, .k = 16, .stages = 4, .parts_m = 16, .parts_n = 16},
    {.m = 64, .n = 32, .k = 16, .stages = 4, .parts_m = 16, .parts_n = 8, .slices = 2},
    {.m = 32, .n = 64, .k = 32, .stages = 3, .parts_m = 8, .parts_n = 16, .slices = 2},
    {.m = 32, .n = 32, .k = 32, .stages = 3, .parts_m = 8, .parts_n = 8, .slices = 4},
    {.m = 16, .n = 32, .k = 64, .stages = 3, .parts_m = 4, .parts_n = 8, .slices = 8},
    {.m = 8, .n = 32, .k = 64, .stages = 3, .parts_m = 2, .parts_n = 8, .slices = 8},
};

constexpr int64_t kSharedBytes = 110 * 1024;  // two blocks a multiprocessor, or the next kernel cannot begin beside this one

struct Sizes {
  double m = 1, n = 1, k = 1, batch = 1;
};
Sizes sizes_of(const ProductSpec& spec) { return {guess(spec.m), guess(spec.n), guess(spec.k), guess(spec.batch)}; }

int64_t threads_of(const ProductSpec& spec, const Tile& t) { return t.parts_m * t.parts_n * t.slices * (spec.tensor_cores ? 32 : 1); }
int64_t elem_bytes(const ProductSpec& spec) { return bits_of(spec.type) / 8; }

/// As kernels/product.cuh lays an operand out.
int64_t side_bytes(const ProductSpec& spec, const Lines& lines, int64_t rows, int64_t k) {
  const int64_t each = 16 / elem_bytes(spec);
  return (lines.k_inner ? rows : k) * 16 * (((lines.k_inner ? k : rows) / each) | 1);
}
int64_t stage_bytes(const ProductSpec& spec, const Tile& t) {
  return side_bytes(spec, spec.a, t.m, t.k) + side_bytes(spec, spec.b, t.n, t.k);
}
int64_t tile_pitch(const Tile& t) { return t.n + 4; }
int64_t received_at(const ProductSpec& spec, const Tile& t) {
  return std::max(t.stages * stage_bytes(spec, t), t.slices * t.m * tile_pitch(t) * 4);
}
int64_t shared_bytes(const ProductSpec& spec, const Tile& t) { return received_at(spec, t) + (t.split > 1 ? t.m * t.n * 4 : 0); }

bool has_clusters(const engine::DeviceFacts& device) { return device.arch >= "sm_90"; }

}  // namespace

double guess(const Dim& dim) {
  std::vector<std::string> symbols;
  dim.collect(symbols);
  DimValues values;
  for (const std::string& symbol : symbols) values[symbol] = 32;
  const auto value = evaluate(dim, values);
  return value.ok() ? std::max<double>(1, static_cast<double>(*value)) : 1;
}

engine::Verdict takes_sizes(const ProductSpec& spec) {
  constexpr int64_t kMost = INT32_MAX - 4096;  // the kernels count in 32 bits; a tile reaches beyond the end
  for (const Dim* dim : {&spec.m, &spec.n, &spec.k, &spec.batch})
    if (dim->constant() && *dim->constant() > kMost) return engine::no("a size does not fit 32 bits");
  return {};
}

double product_us(const ProductSpec& spec, const Tile& t, const engine::DeviceFacts& device) {
  const Sizes s = sizes_of(spec);
  const double units = static_cast<double>(std::max<int64_t>(device.units, 1));
  const auto d = [](int64_t x) { return static_cast<double>(x); };
  const double tiles = std::ceil(s.m / d(t.m)) * std::ceil(s.n / d(t.n)) * s.batch, blocks = tiles * d(t.split);
  const double steps = std::ceil(std::ceil(s.k / d(t.k)) / d(t.split));
  // mma.sync reaches about 0.6 of what wgmma does; FMAs without it are bound by shared memory.
  const double flops = (spec.tensor_cores ? 0.6 * device.f16_flops_per_us : 0.5 * device.f32_flops_per_us) / units;
  const double warps = d(threads_of(spec, t)) / 32, busy = std::min(1.0, warps / 8);  // of a unit, by one block
  const double bytes = d(t.m + t.n) * d(t.k) * d(elem_bytes(spec));
  const double scalar = (spec.a.whole ? 0 : d(t.m)) + (spec.b.whole ? 0 : d(t.n));  // lines gathered element by element
  const double math = 2 * d(t.m) * d(t.n) * d(t.k) / flops, load = bytes / (device.l2_bytes_per_us / units) + scalar * d(t.k) * 1e-5;
  const double step = std::max(math, load);                                                    // throughput of a full unit
  const double alone = std::max(math / busy, load) + 0.05 + 0.02 * d(t.k) / 16 / d(t.slices);  // and what one block needs: latencies
  const double end = d(t.m * t.n * (t.slices + 1) * 4) / 30000 + (t.split > 1 ? 0.7 + d(t.m * t.n * 8) / 30000 : 0);
  const double queue = std::ceil(blocks / units);
  const double memory = (s.m * s.k + s.k * s.n + s.m * s.n) * s.batch * d(elem_bytes(spec)) / device.memory_bytes_per_us;
  return device.launch_us + 0.8 + std::max({memory, queue * steps * step, steps * alone}) + end * queue;
}

Tile choose_tile(const ProductSpec& spec, const engine::DeviceFacts& device) {
  Tile best;
  double least = HUGE_VAL;
  const auto consider = [&](Tile t) {
    for (t.split = 1; t.split <= 8; t.split *= 2) {
      if (t.split > 1 && (!has_clusters(device) || guess(spec.k) < 128.0 * static_cast<double>(t.split))) break;
      if (t.split > 1 && t.m * t.n % (8 * t.split) != 0) break;
      Tile fits = t;
      while (fits.stages > 2 && shared_bytes(spec, fits) > std::min(kSharedBytes, device.shared_bytes)) --fits.stages;
      if (shared_bytes(spec, fits) > device.shared_bytes) continue;
      const double us = product_us(spec, fits, device);
      if (us < least) least = us, best = fits;
    }
  };
  if (spec.tensor_cores)
    for (const Tile& tile : kTensorTiles) consider(tile);
  else
    for (Tile tile : kPlainTiles) {
      if (elem_bytes(spec) == 2) tile.k *= 2;  // chunks of 16 bytes hold twice as much
      consider(tile);
    }
  return best;
}

Result<engine::Kernel> write_product(KernelWriter& w, const ProductSpec& spec, const tune::BuildCtx& ctx) {
  const Tile t = choose_tile(spec, ctx.device);
  const int64_t threads = threads_of(spec, t);
  std::string top(kPtx);
  top += kVectors;
  top += kProduct;
  const auto side = [&](const Lines& lines, int64_t rows) {
    return strf("Side<{}, {}, {}, {}, {}>", storage_type(spec.type), rows, t.k, lines.k_inner, lines.whole);
  };
  top += strf("struct Config {{\n  typedef {} A;\n  typedef {} B;\n  typedef {}<Config> Math;\n", side(spec.a, t.m), side(spec.b, t.n),
              spec.tensor_cores ? "TensorCores" : "CudaCores");
  top += strf("  enum : int {{ BM = {}, BN = {}, BK = {}, STAGES = {}, PARTS_M = {}, PARTS_N = {}, SLICES = {}, SPLIT = {} }};\n", t.m, t.n,
              t.k, t.stages, t.parts_m, t.parts_n, t.slices, t.split);
  top += strf("  enum : int {{ THREADS = {}, TILE_PITCH = {}, RECEIVED = {} }};\n  static constexpr bool B_FIRST = {};\n", threads,
              tile_pitch(t), received_at(spec, t), spec.b_static);
  for (const auto& [name, dim] : {std::pair("m", &spec.m), std::pair("n", &spec.n), std::pair("k", &spec.k)})
    top += strf("  static __device__ __forceinline__ int {}(const Args& p) {{ return {}; }}\n", name, int_size(w, *dim));
  top += "};\n" + spec.sources + finish_text(w, spec.finish);
  w.raw_top(top);
  w.line("product<Config, SourceA, SourceB, Finish>(p);");
  const Dim grid = blocks(spec.m, t.m) * blocks(spec.n, t.n) * spec.batch * Dim(t.split);
  const bool resident = grid.constant() && *grid.constant() <= 4 * ctx.device.units;
  KernelWriter::Geometry geometry{.grid = {grid}, .threads = threads, .shared_bytes = shared_bytes(spec, t)};
  if (t.split > 1) geometry.cluster = {Dim(t.split)};
  if (resident) geometry.mode = engine::LaunchMode::dependent;
  return w.finish(ctx, geometry);
}

}  // namespace tenon::cuda
