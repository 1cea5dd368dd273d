// Images read at the points of a grid, by kernels/grid_sample.cuh. A thread has a point and some channels: it finds places and weights
// once.
#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::GridMode;
using engine::GridSampleProblem;

constexpr int64_t kGridThreads = 128, kChannels = 8;
constexpr size_t kMostGridDims = 3;

bool is_computed(DType type) { return compute_type(type) == "float" || type == DType::f64; }

engine::Verdict supports_grid_sample(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<GridSampleProblem>();
  if (!p) return engine::no(kOtherKind);
  if (p->in_spatial.empty() || p->in_spatial.size() != p->out_spatial.size()) return engine::no("the rank is not known");
  if (p->in_spatial.size() > kMostGridDims) return engine::no("more than three dims");
  if (!is_computed(p->type) || !is_computed(p->grid_type)) return engine::no("no kernel interpolates elements of that type");
  return {};
}

Result<engine::Kernel> build_grid_sample(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<GridSampleProblem>();
  const size_t rank = p.in_spatial.size();
  const int taps = p.mode == GridMode::nearest ? 1 : p.mode == GridMode::linear ? 2 : 4;
  const Dim points = Shape(p.out_spatial).elems(), plane = Shape(p.in_spatial).elems(), groups = blocks(p.c, kChannels);
  const Dim count = p.n * groups * points;
  const std::string_view index = index_type(count), type = storage_type(p.type), wide = compute_type(p.type);
  KernelWriter w(2, 1);
  w.raw_top(kGridSample);
  w.line("const {} i = {}(blockIdx.x) * {} + threadIdx.x;", index, index, kGridThreads);
  w.line("trigger(); wait();");
  w.line("if (i >= {}) return;", w.size(count));
  w.raw(split_text(w, {p.n, groups, points}, "i", "c"));
  const std::string channels = w.size(p.c), in = w.size(plane), out = w.size(points);
  w.line("const i64 first = i64(c1) * {}, left = {} - first, row = i64(c0) * {} + first;", kChannels, channels, channels);
  w.line("const i64 point = (i64(c0) * {} + c2) * {};", out, rank);
  for (size_t d = 0; d < rank; ++d) {
    // The last coordinate is that of the first spatial dim.
    const std::string at = loaded(p.grid_type, strf("load<{}>(p.in1, point + {}).v[0]", storage_type(p.grid_type), rank - 1 - d));
    w.line("i64 o{}[{}];\n  {} w{}[{}];", d, taps, wide, d, taps);
    w.line("grid::taps<{}, {}, {}>(double({}), {}, o{}, w{});", static_cast<int>(p.mode), static_cast<int>(p.padding), p.align_corners, at,
           w.size(p.in_spatial[d]), d, d);
  }
  w.line("{} sum[{}] = {{}};", wide, kChannels);
  std::string place = "o0[k0]", weight = "w0[k0]", inside = "o0[k0] >= 0";
  for (size_t d = 0; d < rank; ++d) {
    w.raw("#pragma unroll\n");
    w.line("for (int k{} = 0; k{} < {}; ++k{}) {{", d, d, taps, d);
    if (d == 0) continue;
    place = strf("({}) * {} + o{}[k{}]", place, w.size(p.in_spatial[d]), d, d);
    weight += strf(" * w{}[k{}]", d, d);
    inside += strf(" && o{}[k{}] >= 0", d, d);
  }
  w.line("if ({}) {{", inside);
  w.line("const i64 at = row * {} + {};", in, place);
  w.line("const {} weight = {};", wide, weight);
  w.raw("#pragma unroll\n");
  w.line("for (int c = 0; c < {}; ++c)", kChannels);
  w.line("  if (c < left) sum[c] += weight * {};", loaded(p.type, strf("load<{}>(p.in0, at + c * i64({})).v[0]", type, in)));
  w.line("{}", std::string(rank + 1, '}'));
  w.raw("#pragma unroll\n");
  w.line("for (int c = 0; c < {}; ++c)", kChannels);
  w.line("  if (c < left) static_cast<{}*>(p.out0)[(row + c) * {} + c2] = {};", type, out, stored(p.type, "sum[c]"));
  const Dim grid = some_blocks(count, kGridThreads);
  return w.finish(ctx, {.grid = {grid}, .threads = kGridThreads, .mode = mode_of(ctx, grid)});
}

}  // namespace

tune::Tactic grid_sample() { return {"grid_sample", supports_grid_sample, build_grid_sample}; }

}  // namespace tenon::cuda
