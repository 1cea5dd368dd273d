// Depthwise convolutions. Channels last: a thread has 8 (16-bit) or 4 (f32) channels of several outputs along the last dim, its block's
// weights lie in shared memory as floats. Channels first: a block has one plane of the output, a thread four outputs of a row, the
// plane's weights lie in registers.
#include <algorithm>
#include <array>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/conv_common.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::ConvProblem;

constexpr int64_t kMostDepthwiseTaps = 49;

/// Sizes of the last two spatial dims; one spatial dim is a plane of one row.
struct Plane {
  Dim in_y = 1, in_x, out_y = 1, out_x, pad_y = 0, pad_x;
  int64_t kernel_y = 1, kernel_x = 1, stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
};
Plane plane_of(const ConvProblem& p) {
  const size_t x = p.in_spatial.size() - 1;
  Plane out;
  out.in_x = p.in_spatial[x], out.out_x = p.out_spatial[x], out.pad_x = p.pads[x];
  out.kernel_x = *p.kernel[x].constant(), out.stride_x = p.strides[x], out.dilation_x = p.dilations[x];
  if (x == 0) return out;
  out.in_y = p.in_spatial[0], out.out_y = p.out_spatial[0], out.pad_y = p.pads[0];
  out.kernel_y = *p.kernel[0].constant(), out.stride_y = p.strides[0], out.dilation_y = p.dilations[0];
  return out;
}
int64_t taps_of(const Plane& g) { return g.kernel_y * g.kernel_x; }
int64_t channels_each(const ConvProblem& p) { return p.x == DType::f32 ? 4 : 8; }

engine::Verdict supports_conv_depthwise(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ConvProblem>();
  if (!p) return engine::no(kOtherKind);
  if (const engine::Verdict verdict = takes_conv(*p); !verdict.ok) return verdict;
  if (p->transposed || Dim(p->groups) != p->c) return engine::no("wants one channel a group");
  if (p->in_spatial.size() > 2) return engine::no("wants one or two spatial dims");
  const Plane g = plane_of(*p);
  if (taps_of(g) > kMostDepthwiseTaps) return engine::no("has at most 49 weights a channel");
  if (p->channels_last && p->m != p->c) return engine::no("channels last, it wants as many results as channels");
  if (p->channels_last && *p->c.constant() % channels_each(*p) != 0) return engine::no("channels last, it wants them in whole vectors");
  return takes_finish(finish_of(*p));
}

/// Statements: sums of `outputs` neighbours of a row from the window that begins at (y0, x0), `each` channels at once. `address`, `weight`:
/// texts of where the vector at (iy, ix) lies, and of the weight of (tap, e). A row of the window is loaded at once, zeros outside.
std::string window_text(KernelWriter& w, const Plane& g, std::string_view type, int64_t outputs, int64_t each, const std::string& address,
                        const std::string& weight) {
  const int64_t span = (outputs - 1) * g.stride_x + (g.kernel_x - 1) * g.dilation_x + 1;
  std::string out = strf("  float sum[{}][{}] = {{}};\n#pragma unroll\n  for (int ky = 0; ky < {}; ++ky) {{\n", outputs, each, g.kernel_y);
  out += strf("    const int iy = y0 + ky * {};\n    {} line[{}][{}];\n#pragma unroll\n", g.dilation_y, type, span, each);
  out += strf("    for (int j = 0; j < {}; ++j) {{\n      const int ix = x0 + j;\n", span);
  out += strf("      load_each_or_zero(line[j], {}, u32(iy) < u32({}) && u32(ix) < u32({}));\n    }}\n", address, int_size(w, g.in_y),
              int_size(w, g.in_x));
  out += strf("#pragma unroll\n    for (int kx = 0; kx < {}; ++kx)\n#pragma unroll\n      for (int o = 0; o < {}; ++o)\n", g.kernel_x,
              outputs);
  out += strf("#pragma unroll\n        for (int e = 0; e < {}; ++e) {{\n          const int tap = ky * {} + kx;\n", each, g.kernel_x);
  out += strf("          sum[o][e] += float(line[o * {} + kx * {}][e]) * {};\n        }}\n  }}\n", g.stride_x, g.dilation_x, weight);
  return out;
}

/// Outputs of a thread: fewer where there is little work.
constexpr std::array<int64_t, 3> kOutputs = {4, 2, 1};

std::vector<int64_t> outputs_each(const ConvProblem& p, const engine::DeviceFacts& device, const DimValues& sizes) {
  const Plane g = plane_of(p);
  const double threads = guess(p.n * g.out_y * g.out_x * p.c, sizes) / static_cast<double>(channels_each(p));
  std::vector<int64_t> out;
  for (const int64_t each : kOutputs) {
    if (each == 1 || guess(g.out_x, sizes) >= static_cast<double>(each)) out.push_back(each);
  }
  const auto enough = [&](int64_t each) {
    return each == 1 || threads / static_cast<double>(each) >= static_cast<double>(device.units * 256);
  };
  std::stable_partition(out.begin(), out.end(), enough);  // the most outputs with work for all, then the others
  return out;
}

std::string config_of(int64_t outputs) { return strf("outputs {}", outputs); }

std::vector<std::string> configs_of_conv_depthwise(const engine::Problem& problem, const engine::DeviceFacts& device,
                                                   const DimValues& sizes) {
  const ConvProblem& p = *problem.as<ConvProblem>();
  if (!p.channels_last) return {""};
  std::vector<std::string> out;
  for (const int64_t each : outputs_each(p, device, sizes)) out.push_back(config_of(each));
  return out;
}

Result<engine::Kernel> channels_last(const ConvProblem& p, const tune::BuildCtx& ctx) {
  const Plane g = plane_of(p);
  const int64_t each = channels_each(p), c = *p.c.constant(), vectors = c / each, taps = taps_of(g);
  // A block: `slab` vectors of channels, whose weights it holds, at `places` places.
  int64_t slab = std::min<int64_t>(vectors, 32);
  while (vectors % slab != 0 || taps * slab * each * 4 > 32 * 1024) --slab;
  const int64_t places = 128 / slab, threads = slab * places;
  int64_t outputs = outputs_each(p, ctx.device, ctx.sizes)[0];
  for (const int64_t each : kOutputs)
    if (ctx.config == config_of(each)) outputs = each;
  FinishSpec finish = finish_of(p);
  finish.column = "column", finish.columns = strf("{}", c), finish.each = each, finish.whole = true;
  KernelWriter w(inputs_of(p), outputs_of(finish), p.epilogue.operands.size());
  w.raw_top(std::string(kVectors) + finish_text(w, finish));
  const std::string_view type = storage_type(p.x);
  const Dim across = blocks(g.out_x, outputs), all = p.n * g.out_y * across;
  const auto fetch = [&] {
    w.line("for (int i = threadIdx.x; i < {}; i += {})", slab * each * taps, threads);
    w.line("  weights[i % {}][i / {}] = float(static_cast<const {}*>(p.in1)[i64(c0) * {} + i]);", taps, taps, type, taps);
  };
  w.line("__shared__ __align__(16) float weights[{}][{}];", taps, slab * each);
  w.line("const int c0 = int(blockIdx.x) % {} * {};", vectors / slab, slab * each);
  w.line("const int local = int(threadIdx.x) % {} * {};", slab, each);
  w.line("const int place = int(blockIdx.x) / {} * {} + int(threadIdx.x) / {};", vectors / slab, places, slab);
  if (p.w_static) fetch();
  w.line("trigger(); wait();");
  if (!p.w_static) fetch();
  w.line("__syncthreads();");
  w.line("if (place >= {}) return;", int_size(w, all));
  w.line("const int first = place % {} * {}, line_y = place / {};", int_size(w, across), outputs, int_size(w, across));
  w.line("const int image = line_y / {}, y0 = line_y % {} * {} - {};", int_size(w, g.out_y), int_size(w, g.out_y), g.stride_y,
         int_size(w, g.pad_y));
  w.line("const int x0 = first * {} - {};", g.stride_x, int_size(w, g.pad_x));
  w.line("const {}* const from = static_cast<const {}*>(p.in0) + i64(image) * {} + c0 + local;", type, type, w.size(g.in_y * g.in_x * p.c));
  w.raw(window_text(w, g, type, outputs, each, strf("from + (i64(iy) * {} + ix) * {}", int_size(w, g.in_x), c), "weights[tap][local + e]"));
  w.raw("#pragma unroll\n");
  w.line("for (int o = 0; o < {}; ++o)", outputs);
  w.line("  if (first + o < {}) Finish::store(p, 0, line_y * {} + first + o, c0 + local, sum[o]);", int_size(w, g.out_x),
         int_size(w, g.out_x));
  const Dim grid = blocks(all, places) * Dim(vectors / slab);
  return w.finish(ctx, {.grid = {grid}, .threads = threads, .mode = mode_of(ctx, grid)});
}

Result<engine::Kernel> channels_first(const ConvProblem& p, const tune::BuildCtx& ctx) {
  constexpr int64_t kConvDepthwiseThreads = 128, kEach = 4;
  const Plane g = plane_of(p);
  const int64_t taps = taps_of(g), m = *p.m.constant(), c = *p.c.constant();
  FinishSpec finish = finish_of(p);
  finish.row = "row", finish.each = kEach, finish.whole = divides(kEach, g.out_x);
  KernelWriter w(inputs_of(p), outputs_of(finish), p.epilogue.operands.size());
  finish.columns = strf("(at_column / {} + 1) * {}", int_size(w, g.out_x), int_size(w, g.out_x));
  w.raw_top(std::string(kVectors) + finish_text(w, finish));
  const std::string_view type = storage_type(p.x);
  const Dim across = blocks(g.out_x, kEach), each_plane = blocks(g.out_y * across, kConvDepthwiseThreads);
  w.line("const int plane = int(blockIdx.x) / {}, m = plane % {};", int_size(w, each_plane), m);
  w.line("const int place = int(blockIdx.x) % {} * {} + int(threadIdx.x);", int_size(w, each_plane), kConvDepthwiseThreads);
  w.line("trigger(); wait();");
  w.line("if (place >= {}) return;", int_size(w, g.out_y * across));
  w.line("float weights[{}];", taps);
  w.raw("#pragma unroll\n");
  w.line("for (int i = 0; i < {}; ++i) weights[i] = float(static_cast<const {}*>(p.in1)[m * {} + i]);", taps, type, taps);
  w.line("const int oy = place / {}, first = place % {} * {};", int_size(w, across), int_size(w, across), kEach);
  w.line("const int y0 = oy * {} - {}, x0 = first * {} - {};", g.stride_y, int_size(w, g.pad_y), g.stride_x, int_size(w, g.pad_x));
  w.line("const {}* const from = static_cast<const {}*>(p.in0) + (i64(plane / {}) * {} + m / {}) * {};", type, type, m, c, m / c,
         w.size(g.in_y * g.in_x));
  w.raw(window_text(w, g, type, kEach, 1, strf("from + i64(iy) * {} + ix", int_size(w, g.in_x)), "weights[tap]"));
  w.line("const float v[4] = {{sum[0][0], sum[1][0], sum[2][0], sum[3][0]}};");
  w.line("Finish::store(p, 0, plane, oy * {} + first, v);", int_size(w, g.out_x));
  const Dim grid = p.n * p.m * each_plane;
  return w.finish(ctx, {.grid = {grid}, .threads = kConvDepthwiseThreads, .mode = mode_of(ctx, grid)});
}

Result<engine::Kernel> build_conv_depthwise(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const ConvProblem& p = *problem.as<ConvProblem>();
  return p.channels_last ? channels_last(p, ctx) : channels_first(p, ctx);
}

}  // namespace

tune::Tactic conv_depthwise() { return {"conv_depthwise", supports_conv_depthwise, build_conv_depthwise, configs_of_conv_depthwise}; }

}  // namespace tenon::cuda
