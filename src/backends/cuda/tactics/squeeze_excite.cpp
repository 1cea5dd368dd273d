// Squeeze-and-excitation as one kernel of kernels/squeeze_excite.cuh.
#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::SqueezeExciteProblem;

constexpr int64_t kThreads = 512, kEach = 8;
constexpr int64_t kMostBytes = 110 * 1024;  // two blocks a multiprocessor

struct Split {
  int64_t ranks, slice;  // blocks of an image, channels of a block
};
/// As many blocks as are resident at once, up to a cluster.
Split split_of(const SqueezeExciteProblem& p, const engine::DeviceFacts& device) {
  int64_t ranks = engine::has_clusters(device.arch) ? 8 : 1;
  while (ranks > 1 && p.n.constant() && *p.n.constant() * ranks > 4 * device.units) ranks /= 2;
  const int64_t c = *p.c.constant();
  return {ranks, (c + ranks * kEach - 1) / (ranks * kEach) * kEach};
}

/// As kernels/squeeze_excite.cuh lays it out.
int64_t shared_bytes(const SqueezeExciteProblem& p, const Split& s) {
  const int64_t c = *p.c.constant(), m = *p.m.constant(), m4 = (m + 3) / 4 * 4;
  const int64_t lanes = std::max<int64_t>(1, kThreads / (c / kEach));
  return 4 * (lanes * c + (s.ranks + 2) * s.slice + (s.ranks + 3) * m4) + 2 * m * s.slice * bits_of(p.type) / 8;
}

engine::Verdict supports_squeeze_excite(const engine::Problem& problem, const engine::DeviceFacts& device) {
  const auto* p = problem.as<SqueezeExciteProblem>();
  if (!p) return engine::no(kOtherKind);
  if (p->type != DType::f16 && p->type != DType::bf16 && p->type != DType::f32) return engine::no("wants f32, f16 or bf16");
  if (!p->c.constant() || !p->m.constant()) return engine::no("the channels are known only when it runs");
  const int64_t c = *p->c.constant(), m = *p->m.constant();
  if (c < kEach || c % kEach != 0 || m < 1) return engine::no("wants channels by eights, and a layer that is not empty");
  if (p->n.constant() > INT32_MAX / 8 || p->area.constant() > INT32_MAX / 8) return engine::no("a size does not fit 32 bits");
  if (shared_bytes(*p, split_of(*p, device)) > kMostBytes) return engine::no("the weights do not fit a block's shared memory");
  if (!has_text(p->inner) || p->inner.results.size() > 1) return engine::no("no text for the inner expression");
  if (!p->inner.empty() && compute_type(p->inner.type_of(p->inner.results[0])) != "float") return engine::no("the inner layer is no float");
  return takes_epilogue(p->epilogue);
}

std::string config_text(KernelWriter& w, const SqueezeExciteProblem& p, const Split& s) {
  const std::string_view t = storage_type(p.type);
  std::string out = strf("struct Config {{\n  typedef {} T;\n", t);
  out += strf("  enum : int {{ THREADS = {}, RANKS = {}, C = {}, M = {}, SLICE = {} }};\n", kThreads, s.ranks, *p.c.constant(),
              *p.m.constant(), s.slice);
  out += strf("  static constexpr bool STATIC = {};\n", p.w_static);
  out += strf("  static __device__ __forceinline__ i64 area(const Args& p) {{ return {}; }}\n", w.size(p.area));
  constexpr std::string_view kNames[] = {"x", "w1", "w2", "b1", "b2"};
  for (size_t i = 0; i < std::size(kNames); ++i)
    out += strf("  static __device__ __forceinline__ const {}* {}(const Args& p) {{ return static_cast<const {}*>(p.in{}); }}\n", t,
                kNames[i], t, i);
  out += "  static __device__ __forceinline__ float inner(float value) {\n";
  if (p.inner.empty()) {
    out += "    return value;\n";
  } else {
    const ExprText inner = expr_text(p.inner, {"x"}, "t");
    out += strf("  const float x = {};\n{}  return {};\n", loaded(p.type, stored(p.type, "value")), inner.statements, inner.results[0]);
  }
  out += "  }\n  static __device__ __forceinline__ void store(const Args& p, int image, int channel, float value) {\n";
  const Shape shape(p.out_dims());
  ResultText result(w, p.epilogue, 5, p.type, shape, {{0, shape.dims().size(), "o"}});
  return out + "  const i64 o = i64(image) * C + channel;\n" + result.store("value", "o") + "  }\n};\n";
}

Result<engine::Kernel> build_squeeze_excite(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<SqueezeExciteProblem>();
  const Split s = split_of(p, ctx.device);
  KernelWriter w(5 + p.epilogue.operands.size(), std::max<size_t>(1, p.epilogue.expr.results.size()), p.epilogue.operands.size());
  std::string top(kPtx);
  top += kVectors;
  top += kSqueezeExcite;
  w.raw_top(top + config_text(w, p, s));
  w.line("SqueezeExcite<Config, Args>(p).run();");
  const Dim grid = p.n * Dim(s.ranks);
  std::vector<Dim> cluster;
  if (s.ranks > 1) cluster.emplace_back(s.ranks);
  return w.finish(
      ctx, {.grid = {grid}, .cluster = cluster, .threads = kThreads, .shared_bytes = shared_bytes(p, s), .mode = mode_of(ctx, grid)});
}

}  // namespace

tune::Tactic squeeze_excite() { return {"squeeze_excite", supports_squeeze_excite, build_squeeze_excite}; }

}  // namespace tenon::cuda
