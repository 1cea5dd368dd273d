// Elements to other places: out[i] = in[offset + sum i_d strides_d]. Elements are bytes; runs that lie contiguous on both sides move as
// vectors. Where the dim that runs on the one side is not the one that runs on the other, tiles of 32 x 32 pass through shared memory.
#include <algorithm>

#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::CopyProblem;

constexpr int64_t kCopyThreads = 256, kTile = 32;

engine::Verdict supports_copy(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<CopyProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank() || p->strides.size() != p->shape.dims().size()) return engine::no("the rank is not known");
  if (bits_of(p->type) < 8) return engine::no("elements are not whole bytes");
  return {};
}

/// The problem in elements of `bytes` bytes.
struct Move {
  Walk walk;  // one operand: the input
  Dim offset;
  int64_t bytes = 1;
  Stride& stride(size_t d) { return walk.operands[0][d]; }
};

Move move_of(const CopyProblem& p) {
  Walk walk{p.shape.dims(), {{}}};
  for (const Dim& stride : p.strides) walk.operands[0].push_back({stride, {}});
  Move move{collapse(walk), p.offset, bits_of(p.type) / 8};
  // Wider elements, as long as runs and what lies between them are whole ones.
  while (move.bytes < 16 && !move.walk.dims.empty() && move.stride(move.walk.dims.size() - 1).is(1)) {
    const Dim two = 2;
    Move wide{.offset = 0, .bytes = 2 * move.bytes};
    const auto offset = exact_div(move.offset, two), run = exact_div(move.walk.dims.back(), two);
    if (!offset || !run) break;
    wide.offset = *offset;
    wide.walk = move.walk;
    wide.walk.dims.back() = *run;
    bool fits = true;
    for (size_t d = 0; d + 1 < move.walk.dims.size(); ++d) {
      const auto stride = exact_div(move.stride(d).step, two);
      fits = fits && stride;
      if (fits) wide.stride(d).step = *stride;
    }
    if (!fits) break;
    move = std::move(wide);
  }
  return move;
}

/// The dim that runs in the input, where it is not the last and both are long enough for tiles.
std::optional<size_t> transposed_dim(const Move& move) {
  const auto& dims = move.walk.dims;
  const auto is_long = [](const Dim& dim) { return dim.constant().value_or(kTile) >= kTile / 2; };
  if (dims.size() < 2 || !is_long(dims.back()) || move.walk.last(0).is(1)) return std::nullopt;
  for (size_t d = 0; d + 1 < dims.size(); ++d)
    if (move.walk.operands[0][d].is(1) && is_long(dims[d])) return d;
  return std::nullopt;
}

engine::Kernel transpose(Move& move, size_t runs, const tune::BuildCtx& ctx) {
  KernelWriter w(1, 1);
  const auto& dims = move.walk.dims;
  const size_t last = dims.size() - 1;
  // Coordinates of a block: the other dims, then tiles along both.
  std::vector<Dim> blocks_of, dense(dims.size(), 1);
  std::vector<Stride> from, to;
  for (size_t d = last; d-- > 0;) dense[d] = dense[d + 1] * dims[d + 1];
  for (size_t d = 0; d < last; ++d) {
    if (d == runs) continue;
    blocks_of.push_back(dims[d]);
    from.push_back(move.stride(d));
    to.push_back({dense[d], {}});
  }
  for (const size_t d : {runs, last}) {
    blocks_of.push_back(blocks(dims[d], kTile));
    from.push_back({move.stride(d).step * Dim(kTile), {}});
    to.push_back({dense[d] * Dim(kTile), {}});
  }
  const Dim grid = Shape(blocks_of).elems();
  const std::string_view type = bytes_type(move.bytes);
  const std::string tile_j = strf("c{}", blocks_of.size() - 2), tile_l = strf("c{}", blocks_of.size() - 1);
  w.line("__shared__ {} tile[{}][{}];", type, kTile, kTile + 1);
  w.line("const u32 x = threadIdx.x % {}, y = threadIdx.x / {};", kTile, kTile);
  w.raw(split_text(w, blocks_of, strf("{}(blockIdx.x)", index_type(grid)), "c"));
  w.line("const {}* from = static_cast<const {}*>(p.in0) + ({}) + {};", type, type, w.size(move.offset), offset_text(w, from, "c"));
  w.line("{}* to = static_cast<{}*>(p.out0) + {};", type, type, offset_text(w, to, "c"));
  // What is left of both dims from the tile on.
  w.line("const i64 left_j = {} - i64({}) * {}, left_l = {} - i64({}) * {};", w.size(dims[runs]), tile_j, kTile, w.size(dims[last]), tile_l,
         kTile);
  w.line("trigger(); wait();");
  w.raw("#pragma unroll\n");
  w.line("for (u32 l = y; l < {}; l += {})", kTile, kCopyThreads / kTile);
  w.line("  if (x < left_j && l < left_l) tile[l][x] = from[x + i64(l) * ({})];", w.size(move.stride(last).step));
  w.line("__syncthreads();  // for the whole tile");
  w.raw("#pragma unroll\n");
  w.line("for (u32 j = y; j < {}; j += {})", kTile, kCopyThreads / kTile);
  w.line("  if (x < left_l && j < left_j) to[x + i64(j) * ({})] = tile[x][j];", w.size(dense[runs]));
  const Dim some = max(grid, Dim(1));
  return w.finish(ctx, {.grid = {some}, .threads = kCopyThreads, .mode = mode_of(ctx, some)});
}

engine::Kernel gather(Move& move, const tune::BuildCtx& ctx) {
  KernelWriter w(1, 1);
  const Dim count = move.walk.elems();
  const int64_t number = count.constant().value_or(INT32_MAX);
  const int64_t each = move.bytes >= 16 || number < 8 * ctx.device.units * kCopyThreads ? 1 : 4;
  const std::string_view type = bytes_type(move.bytes), index = index_type(count);
  w.line("const {} first = {}(blockIdx.x) * {} + threadIdx.x;", index, index, kCopyThreads * each);
  w.line("trigger(); wait();");
  w.line("{} x[{}];", type, each);
  const std::string size = w.size(count);
  const auto loop = [&](const std::string& body) {
    w.raw("#pragma unroll\n");
    w.line("for (int u = 0; u < {}; ++u) {{", each);
    w.line("const {} i = first + u * {};", index, kCopyThreads);
    w.line("if (i < {}) {{", size);
    w.raw(body);
    w.line("}}}}");
  };
  const std::string split = split_text(w, move.walk.dims, "i", "c");
  loop(split +
       strf("  x[u] = static_cast<const {}*>(p.in0)[({}) + {}];\n", type, w.size(move.offset), offset_text(w, move.walk.operands[0], "c")));
  loop(strf("  static_cast<{}*>(p.out0)[i] = x[u];\n", type));
  const Dim grid = some_blocks(count, kCopyThreads * each);
  return w.finish(ctx, {.grid = {grid}, .threads = kCopyThreads, .mode = mode_of(ctx, grid)});
}

Result<engine::Kernel> build_copy(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  Move move = move_of(*problem.as<CopyProblem>());
  if (const auto runs = transposed_dim(move)) return transpose(move, *runs, ctx);
  return gather(move, ctx);
}

}  // namespace

tune::Tactic copy() { return {"copy", supports_copy, build_copy}; }

}  // namespace tenon::cuda
