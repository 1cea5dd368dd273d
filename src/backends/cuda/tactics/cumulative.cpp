// Running sums and products along an axis, in FP32 (f64 in double, integers in 64 bits). Two schedules: where slices lie contiguous, lanes
// have neighbouring elements and what a round folds to is carried to the next; where slices lie side by side, a thread has a stretch of
// one, which it reads twice if others are ahead of it.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

using engine::CumulativeProblem;

constexpr int64_t kElemsOfLane = 4;  // of a round

engine::Verdict supports_cumulative(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<CumulativeProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank() || p->axis < 0 || p->axis >= p->shape.rank()) return engine::no("the rank is not known");
  if (compute_type(p->type).empty()) return engine::no("elements that no kernel computes with");
  return {};
}

class CumulativeText {
 public:
  CumulativeText(const CumulativeProblem& p, const tune::BuildCtx& ctx)
      : p_(p), ctx_(ctx), w_(1, 1), sum_(compute_type(p.type)), fold_(p.product ? "fold::Product{}" : "fold::Sum{}") {
    size_ = p.shape[p.axis], outer_ = inner_ = 1;
    for (int64_t d = p.axis + 1; d < p.shape.rank(); ++d) inner_ = inner_ * p.shape[d];
    for (int64_t d = 0; d < p.axis; ++d) outer_ = outer_ * p.shape[d];
    count_ = outer_ * inner_;
    rows_ = inner_ == Dim(1);
    team_ = rows_ ? team_of_rows(count_, size_, kElemsOfLane, ctx.device.units) : team_of_columns(count_, size_, ctx.device.units);
  }

  engine::Kernel build() {
    const std::string_view index = index_type(count_);
    if (team_.shared()) w_.line("__shared__ {} part[{}];", sum_, team_.shared());
    w_.line("const {} slice = {}(blockIdx.x) * {} + {};", index, index, team_.slices, team_.slice_text());
    w_.line("const u32 lane = {};", team_.lane_text());
    w_.line("const bool inside = slice < {};", w_.size(count_));
    w_.line("const i64 size = {};", w_.size(size_));
    w_.raw(split_text(w_, {outer_, max(inner_, Dim(1))}, "slice", "c"));  // threads of no slice divide too
    w_.line("const i64 base = i64(c0) * size * {} + c1;", w_.size(inner_));
    w_.line("const auto at = [&](i64 i) {{ return base + {} * {}; }};", p_.reverse ? "(size - 1 - i)" : "i", w_.size(inner_));
    w_.line("const auto f = {};", fold_);
    w_.line("const {} none = {};", sum_, p_.product ? 1 : 0);
    w_.line("trigger(); wait();");
    if (rows_) {
      rows();
    } else {
      columns();
    }
    const Dim grid = some_blocks(count_, team_.slices);
    return w_.finish(ctx_, {.grid = {grid}, .threads = team_.threads(), .mode = mode_of(ctx_, grid)});
  }

 private:
  std::string read(std::string_view at) const { return loaded(p_.type, strf("load<{}>(p.in0, at({})).v[0]", storage_type(p_.type), at)); }
  /// From what is ahead of element `at` to the element, and on.
  void write(std::string_view at, std::string_view x) {
    w_.line("const {} next = f(left, {});", sum_, x);
    w_.line("static_cast<{}*>(p.out0)[at({})] = {};", storage_type(p_.type), at, stored(p_.type, p_.exclusive ? "left" : "next"));
    w_.line("left = next;");
  }

  void rows() {
    const int64_t round = team_.lanes * kElemsOfLane;
    w_.line("{} carried = none;", sum_);
    w_.line("for (i64 first = 0; first < size; first += {}) {{", round);
    w_.line("const i64 mine = first + lane * {};", kElemsOfLane);
    w_.line("{} x[{}], sum = none, whole;", sum_, kElemsOfLane);
    w_.raw("#pragma unroll\n");
    w_.line("for (int e = 0; e < {}; ++e) x[e] = inside && mine + e < size ? {} : none;", kElemsOfLane, read("mine + e"));
    w_.raw("#pragma unroll\n");
    w_.line("for (int e = 0; e < {}; ++e) sum = f(sum, x[e]);", kElemsOfLane);
    if (team_.lanes > 32) {
      w_.line("{} left = f(carried, fold::before_thread<{}>(sum, f, none, whole, part));", sum_, team_.lanes);
    } else {
      w_.line("{} left = f(carried, fold::before_lane<{}>(sum, f, none, whole));", sum_, team_.lanes);
    }
    w_.raw("#pragma unroll\n");
    w_.line("for (int e = 0; e < {}; ++e) {{", kElemsOfLane);
    w_.line("if (!inside || mine + e >= size) continue;");
    write("mine + e", "x[e]");
    w_.line("}}");
    w_.line("carried = f(carried, whole);\n  }}");
  }

  void columns() {
    const std::string stretch = team_.lanes == 1 ? "size" : strf("(size + {}) / {}", team_.lanes - 1, team_.lanes);
    w_.line("const i64 stretch = {}, first = lane * stretch, last = first + stretch < size ? first + stretch : size;", stretch);
    w_.line("{} left = none;", sum_);
    if (team_.lanes > 1) {
      w_.line("{} sum = none;", sum_);
      w_.raw("#pragma unroll 4\n");
      w_.line("for (i64 i = first; inside && i < last; ++i) sum = f(sum, {});", read("i"));
      w_.line("part[threadIdx.x] = sum;");
      w_.line("__syncthreads();  // for the sums of all stretches");
      w_.line("for (u32 l = 0; l < lane; ++l) left = f(left, part[l * {} + {}]);", team_.slices, team_.slice_text());
    }
    w_.raw("#pragma unroll 4\n");
    w_.line("for (i64 i = first; inside && i < last; ++i) {{");
    write("i", read("i"));
    w_.line("}}");
  }

  const CumulativeProblem& p_;
  const tune::BuildCtx& ctx_;
  KernelWriter w_;
  std::string_view sum_, fold_;
  Dim size_, outer_, inner_, count_;  // count: slices
  bool rows_ = false;
  Team team_;
};

Result<engine::Kernel> build_cumulative(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return CumulativeText(*problem.as<CumulativeProblem>(), ctx).build();
}

}  // namespace

tune::Tactic cumulative() { return {"cumulative", supports_cumulative, build_cumulative}; }

}  // namespace tenon::cuda
