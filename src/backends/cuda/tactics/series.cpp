// Integers that follow from sizes: a thread writes one.
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::SeriesProblem;

constexpr int64_t kSeriesThreads = 256;

engine::Verdict supports_series(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<SeriesProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank() || p->values.empty()) return engine::no("the rank or the first value is not known");
  if (compute_type(p->type) != "i64" && p->type != DType::boolean) return engine::no("no kernel writes elements of that type");
  return {};
}

Result<engine::Kernel> build_series(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<SeriesProblem>();
  KernelWriter w(0, 1);
  const Dim count = p.shape.elems();
  const size_t last = p.values.size() - 1;
  w.line("const i64 i = i64(blockIdx.x) * {} + threadIdx.x;", kSeriesThreads);
  w.line("trigger(); wait();");
  w.line("if (i >= {}) return;", w.size(count));
  w.line("i64 x = {} + (i - {}) * {};", w.size(p.values[last]), last, w.size(p.step));
  for (size_t k = 0; k < last; ++k) w.line("if (i == {}) x = {};", k, w.size(p.values[k]));
  const std::string value = p.type == DType::boolean ? "x != 0" : "x";
  w.line("static_cast<{}*>(p.out0)[i] = {};", storage_type(p.type), stored(p.type, value));
  const Dim grid = some_blocks(count, kSeriesThreads);
  return w.finish(ctx, {.grid = {grid}, .threads = kSeriesThreads, .mode = mode_of(ctx, grid)});
}

}  // namespace

tune::Tactic series() { return {"series", supports_series, build_series}; }

}  // namespace tenon::cuda
