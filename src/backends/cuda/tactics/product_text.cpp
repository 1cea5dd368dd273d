#include "backends/cuda/tactics/product_text.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/product_model.h"

namespace tenon::cuda {
namespace {

constexpr size_t kMostConfigs = 64, kMostShapes = 24;  // worth measuring
constexpr int64_t kSharedBytes = 110 * 1024;           // two blocks a multiprocessor, or the next kernel cannot begin beside this one

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
int64_t moments_at(const ProductSpec& spec, const Tile& t) { return received_at(spec, t) + (t.split > 1 ? t.m * t.n * 4 : 0); }
bool is_normalised(const ProductSpec& spec) { return spec.finish.row_norm != engine::RowNorm::none; }
int64_t shared_bytes(const ProductSpec& spec, const Tile& t) {
  return moments_at(spec, t) + (is_normalised(spec) ? (t.slices + (t.split > 1 ? t.split : 0)) * t.m * 8 : 0);
}

/// Tiles of 4 or 8 warps that hold what a thread's registers can; a warp has 16 i columns and 8 j rows. `each`: elements of 16 bytes.
void add_tensor_tiles(std::vector<Tile>& out, int64_t each) {
  for (const int64_t n : {16, 32, 64, 128})
    for (const int64_t m : {8, 16, 24, 32, 40, 48, 56, 64, 72, 96, 104, 128})
      for (const int64_t k : {4 * each, 8 * each, 16 * each})
        for (const int64_t parts_n : {1, 2, 4})
          for (const int64_t parts_m : {1, 2, 4})
            for (const int64_t slices : {1, 2, 4, 8}) {
              const int64_t warps = parts_m * parts_n * slices;
              if ((warps != 4 && warps != 8) || m % (8 * parts_m) != 0 || n % (16 * parts_n) != 0 || k % (2 * each * slices) != 0) continue;
              if (m * n / (parts_m * parts_n) > 32 * 64) continue;
              out.push_back({.m = m, .n = n, .k = k, .parts_m = parts_m, .parts_n = parts_n, .slices = slices});
            }
}

/// The same for threads with 2 to 8 rows and columns each; `each`: elements of 16 bytes.
void add_plain_tiles(std::vector<Tile>& out, int64_t each) {
  for (const int64_t n : {32, 64, 128})
    for (const int64_t m : {8, 16, 32, 64, 128})
      for (const int64_t k : {4 * each, 8 * each, 16 * each})
        for (const int64_t of_thread : {2, 4, 8})
          for (const int64_t slices : {1, 2, 4, 8}) {
            if (m % of_thread != 0 || n % 4 != 0 || k % (each * slices) != 0) continue;
            const Tile tile{.m = m, .n = n, .k = k, .parts_m = m / of_thread, .parts_n = n / 4, .slices = slices};
            const int64_t threads = tile.parts_m * tile.parts_n * slices;
            if (threads == 128 || threads == 256) out.push_back(tile);
          }
}

}  // namespace

std::string config_text(const Tile& t) {
  return strf("{}x{}x{} stages {} parts {}x{}x{} split {}", t.m, t.n, t.k, t.stages, t.parts_m, t.parts_n, t.slices, t.split);
}

double guess(const Dim& dim, const DimValues& sizes) {
  std::vector<std::string> symbols;
  dim.collect(symbols);
  DimValues values = sizes;
  for (const std::string& symbol : symbols) values.try_emplace(symbol, tune::kGuess);
  const auto value = evaluate(dim, values);
  return value.ok() ? std::max<double>(1, static_cast<double>(*value)) : 1;
}

engine::Verdict takes_sizes(const ProductSpec& spec) {
  constexpr int64_t kMost = INT32_MAX - 4096;  // the kernels count in 32 bits; a tile reaches beyond the end
  for (const Dim* dim : {&spec.m, &spec.n, &spec.k, &spec.batch})
    if (dim->constant() && *dim->constant() > kMost) return engine::no("a size does not fit 32 bits");
  return {};
}

std::vector<Tile> product_tiles(const ProductSpec& spec, const engine::DeviceFacts& device) {
  std::vector<Tile> tiles;
  if (spec.tensor_cores)
    add_tensor_tiles(tiles, 16 / elem_bytes(spec));
  else
    add_plain_tiles(tiles, 16 / elem_bytes(spec));
  const double k = guess(spec.k, spec.sizes);
  std::vector<std::pair<double, Tile>> timed;
  for (Tile t : tiles)
    for (t.split = 1; t.split <= 8; t.split *= 2) {
      if (t.split > 1 && (!engine::has_clusters(device.arch) || k < 128.0 * static_cast<double>(t.split))) break;
      if (t.m * t.n % (8 * t.split) != 0) break;
      Tile fits = t;
      while (fits.stages > 2 && shared_bytes(spec, fits) > std::min(kSharedBytes, device.shared_bytes)) --fits.stages;
      if (shared_bytes(spec, fits) > device.shared_bytes) continue;
      timed.push_back({tile_us(spec, fits, threads_of(spec, fits), shared_bytes(spec, fits), device), fits});
    }
  std::stable_sort(timed.begin(), timed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Tile> out;
  for (const auto& [us, tile] : timed) out.push_back(tile);
  return out;
}

std::vector<std::string> product_configs(const ProductSpec& spec, const engine::DeviceFacts& device) {
  const std::vector<Tile> tiles = product_tiles(spec, device);
  // First the best of each shape, since the model errs more between shapes than within one.
  std::vector<const Tile*> out;
  std::set<std::tuple<int64_t, int64_t, int64_t, int64_t>> shapes;
  for (const Tile& tile : tiles)
    if (out.size() < kMostShapes && shapes.insert({tile.m, tile.n, tile.split, threads_of(spec, tile)}).second) out.push_back(&tile);
  for (const Tile& tile : tiles)
    if (out.size() < kMostConfigs && std::find(out.begin(), out.end(), &tile) == out.end()) out.push_back(&tile);
  std::vector<std::string> names;
  for (const Tile* tile : out) names.push_back(config_text(*tile));
  return names;
}

std::string linear_text(std::string_view columns, std::string_view step) {
  return strf("  static constexpr bool LINEAR = true;\n  __device__ __forceinline__ i64 step() const {{ return {}; }}\n", step) +
         strf("  __device__ __forceinline__ int k_end() const {{ return {}; }}\n", columns);
}

std::string lines_text(std::string_view type, std::string_view rows, std::string_view columns, std::string_view row_step,
                       std::string_view column_step) {
  std::string out = "  struct Row {\n    i64 at;\n    bool there;\n  };\n  typedef Row Column;\n" + linear_text(columns, column_step);
  out += strf("  __device__ __forceinline__ Row row(int r) const {{ return {{i64(r) * {}, r < {}}}; }}\n", row_step, rows);
  out += strf("  __device__ __forceinline__ Column column(int k) const {{ return {{i64(k) * {}, k < {}}}; }}\n", column_step, columns);
  out += "  __device__ __forceinline__ bool there(const Row& row, const Column& column) const { return row.there && column.there; }\n";
  out += strf(
      "  __device__ __forceinline__ const {}* at(const Row& row, const Column& column) const {{ return base + row.at + column.at; }}\n",
      type);
  return out;
}

Result<engine::Kernel> write_product(KernelWriter& w, const ProductSpec& spec, const tune::BuildCtx& ctx) {
  const std::vector<Tile> tiles = product_tiles(spec, ctx.device);
  const auto named =
      std::find_if(tiles.begin(), tiles.end(), [&](const Tile& tile) { return ctx.config.empty() || config_text(tile) == ctx.config; });
  if (named == tiles.end()) return fail(ErrorKind::not_found, "there is no tile '{}' for this product", ctx.config);
  const Tile t = *named;
  const int64_t threads = threads_of(spec, t);
  std::string top(kPtx);
  top += kVectors;
  top += kMoments;
  top += kTensorCores;
  top += kProduct;
  const auto side = [&](const Lines& lines, int64_t rows) {
    return strf("Side<{}, {}, {}, {}, {}>", storage_type(spec.type), rows, t.k, lines.k_inner, lines.whole);
  };
  top += strf("struct Config {{\n  typedef {} A;\n  typedef {} B;\n  typedef {}<Config> Math;\n", side(spec.a, t.m), side(spec.b, t.n),
              spec.tensor_cores ? "TensorCores" : "CudaCores");
  top += strf("  enum : int {{ BM = {}, BN = {}, BK = {}, STAGES = {}, PARTS_M = {}, PARTS_N = {}, SLICES = {}, SPLIT = {} }};\n", t.m, t.n,
              t.k, t.stages, t.parts_m, t.parts_n, t.slices, t.split);
  top += strf("  enum : int {{ THREADS = {}, TILE_PITCH = {}, RECEIVED = {} }};\n  static constexpr bool B_FIRST = {}, EVEN = {};\n",
              threads, tile_pitch(t), received_at(spec, t), spec.b_static, divides(t.k, spec.k));
  const bool normalised = is_normalised(spec);
  top += strf("  enum : int {{ MOMENTS_AT = {} }};\n  static constexpr bool NORMALISED = {}, CENTRED = {};\n", moments_at(spec, t),
              normalised, spec.finish.row_norm == engine::RowNorm::layer);
  top += strf("  static __device__ __forceinline__ float epsilon() {{ return {:a}f; }}\n", static_cast<float>(spec.epsilon));
  top += strf("  typedef {}Moments<Config> Moments;\n", normalised ? "Row" : "No");
  for (const auto& [name, dim] : {std::pair("m", &spec.m), std::pair("n", &spec.n), std::pair("k", &spec.k)})
    top += strf("  static __device__ __forceinline__ int {}(const Args& p) {{ return {}; }}\n", name, int_size(w, *dim));
  top += "};\n" + spec.sources + finish_text(w, spec.finish);
  w.raw_top(top);
  w.line("product<Config, SourceA, SourceB, Finish>(p);");
  const Dim grid = blocks(spec.m, t.m) * blocks(spec.n, t.n) * spec.batch * Dim(t.split);
  KernelWriter::Geometry geometry{.grid = {grid}, .threads = threads, .shared_bytes = shared_bytes(spec, t), .mode = mode_of(ctx, grid)};
  if (t.split > 1) geometry.cluster = {Dim(t.split)};
  return w.finish(ctx, geometry);
}

}  // namespace tenon::cuda
