// Attention as one kernel of kernels/attention.cuh: attention_mma for 16-bit types on tensor cores, attention_f32 in FP32.
#include <algorithm>
#include <cmath>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/finish_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::AttentionProblem;
using engine::HeadsView;

constexpr int64_t kMostWidth = 128;
constexpr int64_t kTwoBlocksBytes = 110 * 1024;  // two blocks a multiprocessor
constexpr double kLog2OfE = 1.4426950408889634;

/// One block's part: 16 · rows queries, and rows · parts warps (without tensor cores 16 queries and four warps).
struct AttentionTile {
  int64_t rows = 1, parts = 4, keys = 32, stages = 2;
  int64_t queries() const { return 16 * rows; }
  int64_t step() const { return parts * keys; }
};

/// An operand's strides, dense or not, and whether its rows are whole chunks of 16 bytes.
struct Place {
  Dim offset, batch, head, row, width;
  bool whole(DType type) const {
    const Dim each = 128 / bits_of(type);
    const auto fits = [&](const Dim& dim) { return exact_div(dim, each).has_value(); };
    return fits(offset) && fits(batch) && fits(head) && fits(row) && fits(width);
  }
};
Place place_of(const HeadsView& view, const Dim& heads, const Dim& times, const Dim& width) {
  if (view.strides.size() == 3) return {view.offset, view.strides[0], view.strides[1], view.strides[2], width};
  return {0, heads * times * width, times * width, width, width};
}
struct Places {
  Place q, k, v;
};
Places places_of(const AttentionProblem& p) {
  return {place_of(p.q, p.heads, p.tq, p.d), place_of(p.k, p.kv_heads, p.tk, p.d), place_of(p.v, p.kv_heads, p.tk, p.dv)};
}

int64_t number_of(const Dim& dim) { return dim.constant().value_or(0); }
int64_t padded(int64_t width, int64_t to) { return (width + to - 1) / to * to; }

/// A size for choices between tiles: what is not known or expected is one sequence of 128.
double likely(const Dim& dim, double unknown, const DimValues& sizes) {
  const auto value = evaluate(dim, sizes);
  return value.ok() ? static_cast<double>(*value) : unknown;
}

double tiles_of(const AttentionProblem& p, int64_t queries, const DimValues& sizes) {
  return std::ceil(likely(p.tq, 128, sizes) / static_cast<double>(queries)) * likely(p.heads, 12, sizes) * likely(p.batch, 1, sizes);
}

/// As kernels/attention.cuh lays rows out.
int64_t rows_bytes(int64_t rows, int64_t columns, int64_t elem_bytes) { return rows * 16 * ((columns * elem_bytes / 16) | 1); }

int64_t shared_bytes(const AttentionProblem& p, const AttentionTile& t, bool tensor_cores) {
  const int64_t bytes = tensor_cores ? 2 : 4, to = tensor_cores ? 16 : 4;
  const int64_t d = padded(number_of(p.d), to), dv = padded(number_of(p.dv), to);
  const int64_t ring = rows_bytes(t.queries(), d, bytes) + t.stages * (rows_bytes(t.step(), d, bytes) + rows_bytes(t.step(), dv, bytes));
  if (!tensor_cores) return ring + 16 * (t.step() + 4) * 4;  // and the weights
  return std::max(ring, t.parts * t.queries() * (dv + 4 + 2) * 4);
}

/// "16 queries, 4 parts of 32 keys, 2 stages": a tile as the tactic's configuration.
std::string name_of(const AttentionTile& t) {
  return strf("{} queries, {} parts of {} keys, {} stages", t.queries(), t.parts, t.keys, t.stages);
}

/// Tiles worth measuring. First the one with most queries that leaves most multiprocessors a block: warps without rows share the keys.
std::vector<AttentionTile> tiles_for(const AttentionProblem& p, bool tensor_cores, const engine::DeviceFacts& device,
                                     const DimValues& sizes) {
  const int64_t width = std::max(number_of(p.d), number_of(p.dv));
  const double queries = likely(p.tq, 128, sizes), keys = likely(p.tk, 128, sizes);
  const auto staged = [&](AttentionTile t) {
    if (p.tk.constant() && *p.tk.constant() <= t.step()) t.stages = 1;
    while (t.stages > 1 && shared_bytes(p, t, tensor_cores) > kTwoBlocksBytes) --t.stages;
    return t;
  };
  if (!tensor_cores) return {staged({.rows = 1, .parts = 4, .keys = keys <= 32 ? 8 : 16})};
  std::vector<AttentionTile> out;
  constexpr std::pair<int64_t, int64_t> kWarps[] = {{4, 1}, {2, 2}, {1, 4}, {2, 4}, {1, 8}};
  for (const auto& [rows, parts] : kWarps) {
    if (rows > 1 && queries <= static_cast<double>(8 * rows)) continue;
    if (rows * parts == 8 && keys <= 64) continue;
    const bool few_keys = width > 64 || keys <= 64;
    int64_t each = rows == 4 ? (width > 64 ? 32 : 64) : rows == 2 ? 32 : few_keys ? 16 : 32;
    if (rows == 2 && parts == 4 && keys > 128 && width <= 64) each = 64;  // many short sequences are one step
    for (const int64_t size : {each, each == 16 ? each * 2 : each / 2}) out.push_back(staged({rows, parts, size, 2}));
  }
  const auto fills = [&](const AttentionTile& t) {
    return t.rows == 1 || tiles_of(p, t.queries(), sizes) >= 0.7 * static_cast<double>(device.units);
  };
  std::stable_partition(out.begin(), out.end(), fills);
  return out;
}

FinishSpec finish_of(const AttentionProblem& p, bool tensor_cores) {
  std::vector<Dim> dims = p.out_dims();
  FinishSpec finish{.column_dims = {dims.back()}, .column = "column", .out = p.type, .epilogue = &p.epilogue};
  dims.pop_back();
  finish.row_dims = std::move(dims);
  finish.inputs = p.has_mask ? 4 : 3;
  finish.each = tensor_cores ? 8 : 4;
  finish.whole = number_of(p.dv) % finish.each == 0;
  return finish;
}

engine::Verdict takes(const AttentionProblem& p) {
  constexpr int64_t kMost = INT32_MAX - 4096;  // the kernels count in 32 bits; a tile reaches beyond the end
  for (const Dim* width : {&p.d, &p.dv}) {
    if (!width->constant()) return engine::no("the width of the heads is known only when it runs");
    if (*width->constant() < 1 || *width->constant() > kMostWidth) return engine::no("wants heads of 1 to 128 elements");
  }
  for (const Dim* dim : {&p.batch, &p.heads, &p.tq, &p.tk})
    if (dim->constant() && *dim->constant() > kMost) return engine::no("a size does not fit 32 bits");
  if (number_of(p.kv_heads) == 0 && p.kv_heads.is_constant()) return engine::no("no heads of k and v");
  if (!exact_div(p.heads, p.kv_heads)) return engine::no("whether heads share k and v is known only when it runs");
  if (p.has_mask) {
    if (!p.mask.has_rank() || p.mask.rank() > 4) return engine::no("the mask has no rank, or more than four dims");
    if (compute_type(p.mask_type) != "float") return engine::no("wants a mask of f32, f16 or bf16");
  }
  return takes_finish(finish_of(p, true));
}

template <bool kTensorCores>
engine::Verdict supports_attention(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<AttentionProblem>();
  if (!p) return engine::no(kOtherKind);
  if (kTensorCores && p->type != DType::f16 && p->type != DType::bf16) return engine::no("wants operands of f16 or bf16");
  if (!kTensorCores && p->type != DType::f32) return engine::no("wants operands of f32");
  return takes(*p);
}

/// Where a row of an operand's head begins.
std::string row_text(KernelWriter& w, std::string_view name, size_t input, DType type, const Place& at, std::string_view head) {
  const std::string_view t = storage_type(type);
  std::string out = strf("  static __device__ __forceinline__ const {}* {}(const Args& p, int batch, int head) {{\n", t, name);
  out += strf("    return static_cast<const {}*>(p.in{}) + {} + i64(batch) * {} + i64({}) * {};\n  }}\n", t, input, w.size(at.offset),
              w.size(at.batch), head, w.size(at.head));
  return out + strf("  static __device__ __forceinline__ i64 {}_stride(const Args& p) {{ return {}; }}\n", name, w.size(at.row));
}

std::string heads_text(KernelWriter& w, const AttentionProblem& p) {
  const Places at = places_of(p);
  const Dim group = *exact_div(p.heads, p.kv_heads);
  const std::string shared = group == Dim(1) ? "head" : strf("head / int({})", w.size(group));
  std::string out = "struct Heads {\n" + row_text(w, "q", 0, p.type, at.q, "head") + row_text(w, "k", 1, p.type, at.k, shared) +
                    row_text(w, "v", 2, p.type, at.v, shared);
  if (p.has_mask) {
    const Shape scores{p.batch, p.heads, p.tq, p.tk};
    const std::vector<Shape> masks = {p.mask};
    const Walk walk = broadcast_walk(scores, masks, 0, 4);
    const std::string_view t = storage_type(p.mask_type);
    const std::vector<Stride> rows(walk.operands[0].begin(), walk.operands[0].begin() + 3);
    out += strf("  static __device__ __forceinline__ const {}* mask(const Args& p, int m0, int m1, int m2) {{\n", t);
    out += strf("    return static_cast<const {}*>(p.in3) + {};\n  }}\n", t, offset_text(w, rows, "m"));
    out += strf("  static __device__ __forceinline__ i64 mask_step(const Args& p) {{ return {}; }}\n", stride_text(w, walk.operands[0][3]));
  }
  return out + "};\n";
}

std::string config_text(KernelWriter& w, const AttentionProblem& p, const AttentionTile& t, bool tensor_cores) {
  const int64_t to = tensor_cores ? 16 : 4;
  const Places at = places_of(p);
  std::string out = strf("struct Config {{\n  typedef {} T;\n", storage_type(p.type));
  out += strf("  enum : int {{ BM = {}, ROWS = {}, PARTS = {}, KEYS = {}, STEP = {}, STAGES = {}, THREADS = {} }};\n", t.queries(), t.rows,
              t.parts, t.keys, t.step(), t.stages, 32 * t.rows * t.parts);
  out += strf("  enum : int {{ WIDTH = {}, WIDTH_V = {}, D = {}, DV = {} }};\n", number_of(p.d), number_of(p.dv),
              padded(number_of(p.d), to), padded(number_of(p.dv), to));
  out += strf("  static constexpr bool MASK = {}, CAUSAL = {}, NAN_TO_ZERO = {}, WHOLE_Q = {}, WHOLE_K = {}, WHOLE_V = {};\n", p.has_mask,
              p.causal, p.nan_to_zero, at.q.whole(p.type), at.k.whole(p.type), at.v.whole(p.type));
  // With a mask scores have its unit, since a large negative one must not become -infinity; else they are powers of two from the start.
  const double scale = p.has_mask ? p.scale : p.scale * kLog2OfE, unit = p.has_mask ? kLog2OfE : 1;
  for (const auto& [name, value] : {std::pair("scale", scale), std::pair("unit", unit)})
    out += strf("  static __device__ __forceinline__ constexpr float {}() {{ return float({:a}); }}\n", name, value);
  for (const auto& [name, dim] : {std::pair("tq", &p.tq), std::pair("tk", &p.tk), std::pair("heads", &p.heads)})
    out += strf("  static __device__ __forceinline__ int {}(const Args& p) {{ return int({}); }}\n", name, w.size(*dim));
  return out + "};\n";
}

/// Text of a row's place in the result, for Finish.
std::string result_row_text(KernelWriter& w, const AttentionProblem& p) {
  const Dim* const sizes[] = {&p.batch, &p.heads, &p.tq};
  const std::string heads = strf("int({})", w.size(p.heads));
  const std::string at[] = {strf("(batch / {})", heads), strf("(batch % {})", heads), "row"};
  std::string out;
  for (size_t i = 0; i < 3; ++i) {
    const auto axis = p.perm.empty() ? i : static_cast<size_t>(p.perm[i]);
    out = i == 0 ? "i64" + (at[axis][0] == '(' ? at[axis] : "(" + at[axis] + ")")
                 : strf("({}) * {} + {}", out, w.size(*sizes[axis]), at[axis]);
  }
  return out;
}

std::vector<std::string> configs_of_attention(const engine::Problem& problem, const engine::DeviceFacts& device, const DimValues& sizes) {
  std::vector<std::string> out;
  for (const AttentionTile& tile : tiles_for(*problem.as<AttentionProblem>(), true, device, sizes)) out.push_back(name_of(tile));
  return out;
}

template <bool kTensorCores>
Result<engine::Kernel> build_attention(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<AttentionProblem>();
  const std::vector<AttentionTile> tiles = tiles_for(p, kTensorCores, ctx.device, ctx.sizes);
  const auto named = std::find_if(tiles.begin(), tiles.end(),
                                  [&](const AttentionTile& tile) { return ctx.config.empty() || name_of(tile) == ctx.config; });
  if (named == tiles.end()) return fail(ErrorKind::not_found, "there is no tile '{}' for this attention", ctx.config);
  const AttentionTile& t = *named;
  FinishSpec finish = finish_of(p, kTensorCores);
  KernelWriter w(finish.inputs + p.epilogue.operands.size(), outputs_of(finish), p.epilogue.operands.size());
  finish.row = result_row_text(w, p);
  finish.columns = w.size(p.dv);
  std::string top(kPtx);
  top += kVectors;
  top += kAttention;
  w.raw_top(top + config_text(w, p, t, kTensorCores) + heads_text(w, p) + finish_text(w, finish));
  w.line("attention_{}<Config, Heads, Finish>(p);", kTensorCores ? "mma" : "f32");
  const Dim grid = blocks(p.tq, t.queries()) * p.heads * p.batch;
  return w.finish(
      ctx,
      {.grid = {grid}, .threads = 32 * t.rows * t.parts, .shared_bytes = shared_bytes(p, t, kTensorCores), .mode = mode_of(ctx, grid)});
}

}  // namespace

tune::Tactic attention_mma() { return {"attention_mma", supports_attention<true>, build_attention<true>, configs_of_attention}; }
tune::Tactic attention_f32() { return {"attention_f32", supports_attention<false>, build_attention<false>}; }

}  // namespace tenon::cuda
