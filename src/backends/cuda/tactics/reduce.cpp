// Reductions, in FP32 (f64 in double, integers in 64 bits). Two schedules: where the input runs along a reduced dim, neighbouring lanes
// share a slice; where it runs along a kept dim, neighbouring threads have neighbouring slices.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

using engine::ReduceKind;
using engine::ReduceProblem;

bool gives_index(ReduceKind kind) { return kind == ReduceKind::arg_max || kind == ReduceKind::arg_min; }
DType result_type(const ReduceProblem& p) { return gives_index(p.kind) && is_float(p.out) ? DType::i64 : p.out; }

engine::Verdict supports_reduce(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ReduceProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank()) return engine::no("the rank is not known");
  if (compute_type(p->in).empty()) return engine::no("elements that no kernel computes with");
  if (compute_type(result_type(*p)).empty() || (!gives_index(p->kind) && compute_type(p->in) != compute_type(p->out)))
    return engine::no("the result is of another sort than the input");
  if (gives_index(p->kind) && p->axes.size() != 1) return engine::no("an index is along one axis");
  for (const int64_t axis : p->axes)
    if (axis < 0 || axis >= p->shape.rank()) return engine::no("an axis that the input lacks");
  return takes_epilogue(p->epilogue);
}

class ReduceText {
 public:
  ReduceText(const ReduceProblem& p, const tune::BuildCtx& ctx)
      : p_(p),
        ctx_(ctx),
        w_(1 + p.epilogue.operands.size(), std::max<size_t>(1, p.epilogue.expr.results.size()), p.epilogue.operands.size()) {
    Walk kept{{}, {{}}}, reduced{{}, {{}}};
    std::vector<Dim> out;
    Dim step = 1;
    std::vector<Dim> steps(p.shape.dims().size());
    for (size_t d = steps.size(); d-- > 0;) {
      steps[d] = step;
      step = step * p.shape.dims()[d];
    }
    for (size_t d = 0; d < steps.size(); ++d) {
      const bool folds = std::find(p.axes.begin(), p.axes.end(), static_cast<int64_t>(d)) != p.axes.end();
      Walk& walk = folds ? reduced : kept;
      walk.dims.push_back(p.shape.dims()[d]);
      walk.operands[0].push_back({steps[d], {}});
      if (!folds || p.keepdims) out.push_back(folds ? Dim(1) : p.shape.dims()[d]);
    }
    out_ = Shape(std::move(out));
    kept_ = collapse(kept), reduced_ = collapse(reduced);
    count_ = kept_.elems(), size_ = reduced_.elems();
    const bool rows = kept_.dims.empty() || !kept_.last(0).is(1);
    if (rows) width_ = vector_width();
    team_ = rows ? team_of_rows(count_, size_, width_, ctx.device.units) : team_of_columns(count_, size_, ctx.device.units);
    sum_ = p.in == DType::u64 ? "u64" : compute_type(p.in);
    if (p.kind == ReduceKind::log_sum_exp && sum_ != "float") sum_ = "double";
  }

  engine::Kernel build() {
    const std::string_view index = index_type(count_);
    const std::string type = gives_index(p_.kind) ? strf("fold::Best<{}>", sum_) : std::string(sum_);
    if (team_.shared()) w_.line("__shared__ {} part[{}];", type, team_.shared());
    w_.line("const {} o = {}(blockIdx.x) * {} + {};", index, index, team_.slices, team_.slice_text());
    w_.line("const u32 lane = {};", team_.lane_text());
    w_.line("const bool inside = o < {};", w_.size(count_));
    w_.raw(split_text(w_, kept_.dims, "o", "k"));
    w_.line("const i64 base = {};", offset_text(w_, kept_.operands[0], "k"));
    w_.line("trigger(); wait();");
    const std::string value = gives_index(p_.kind) ? index_of() : fold();
    // Slices in the order of the result: its elements are numbered as the slices are.
    ResultText result(w_, p_.epilogue, 1, result_type(p_), out_, {{0, out_.dims().size(), "o"}});
    w_.line("if (inside && lane == 0) {{");
    w_.raw(result.store(value, "o"));
    w_.line("}}");
    const Dim grid = some_blocks(count_, team_.slices);
    return w_.finish(ctx_, {.grid = {grid}, .threads = team_.threads(), .mode = mode_of(ctx_, grid)});
  }

 private:
  int64_t vector_width() const {
    int64_t width = gives_index(p_.kind) || reduced_.dims.size() != 1 || !reduced_.last(0).is(1) ? 1 : 128 / bits_of(p_.in);
    const auto divides = [&](const Dim& dim) { return exact_div(dim, Dim(width)).has_value(); };
    while (width > 1 && !(divides(size_) && std::all_of(kept_.operands[0].begin(), kept_.operands[0].end(),
                                                        [&](const Stride& stride) { return divides(stride.step); })))
      width /= 2;
    return width;
  }

  /// Runs the statement for each element `x` of this lane, at `r` of the slice.
  void each(const std::string& statement) {
    const std::string_view index = index_type(size_);
    w_.line("if (inside) {{");
    w_.raw("#pragma unroll 4\n");
    w_.line("for ({} r = lane; r < {}; r += {}) {{", index, width_ == 1 ? w_.size(size_) : w_.size(*exact_div(size_, Dim(width_))),
            team_.lanes);
    std::string at = "base";
    if (width_ > 1) {
      at = strf("base + i64(r) * {}", width_);
    } else {
      w_.raw(split_text(w_, reduced_.dims, "r", "d"));
      at = strf("base + {}", offset_text(w_, reduced_.operands[0], "d"));
    }
    w_.line("const auto read = load<{}, {}>(p.in0, {});", storage_type(p_.in), width_, at);
    w_.raw("#pragma unroll\n");
    w_.line("for (int v = 0; v < {}; ++v) {{", width_);
    w_.line("const {} x = {}({});", sum_, sum_, loaded(p_.in, "read.v[v]"));
    w_.line("{}", statement);
    w_.line("}}}}}}");
  }

  /// Folds f(x) over the slice into `name`.
  void fold_into(std::string_view name, std::string_view first, std::string_view functor, std::string_view of_x) {
    w_.line("{} {} = {};", sum_, name, first);
    each(strf("{} = fold::{}{{}}({}, {});", name, functor, name, of_x));
    w_.line("{} = {};", name, team_.fold(name, strf("fold::{}", functor), "part"));
  }

  /// What an empty slice gives.
  std::string_view end_value(bool least) const {
    if (sum_ == "float") return least ? "__uint_as_float(0xff800000u)" : "__uint_as_float(0x7f800000u)";
    if (sum_ == "double") return least ? "-__longlong_as_double(0x7ff0000000000000ll)" : "__longlong_as_double(0x7ff0000000000000ll)";
    if (sum_ == "u64") return least ? "0" : "~0ull";
    return least ? "i64(1ull << 63)" : "i64(~(1ull << 63))";
  }

  bool is_float_sum() const { return sum_ == "float" || sum_ == "double"; }
  /// A double as an element of an integer type.
  std::string element(const std::string& value) const { return strf("{}({})", p_.in == DType::u64 ? "fn::to_u64" : "fn::to_i64", value); }
  std::string function_of(std::string_view name, std::string_view value) const {
    if (sum_ == "float") return strf("{}f({})", name, value);
    if (sum_ == "double") return strf("{}({})", name, value);
    return element(strf("{}(double({}))", name, value));
  }

  std::string fold() {
    switch (p_.kind) {
      case ReduceKind::max: fold_into("sum", end_value(true), "Most", "x"); break;
      case ReduceKind::min: fold_into("sum", end_value(false), "Least", "x"); break;
      case ReduceKind::prod: fold_into("sum", "1", "Product", "x"); break;
      case ReduceKind::l1:
        fold_into("sum", "0", "Sum",
                  sum_ == "float"    ? "fabsf(x)"
                  : sum_ == "double" ? "fabs(x)"
                  : sum_ == "u64"    ? "x"
                                     : "(x < 0 ? fn::sub(0, x) : x)");
        break;
      case ReduceKind::l2:
      case ReduceKind::sum_square: fold_into("sum", "0", "Sum", sum_ == "i64" ? "fn::mul(x, x)" : "x * x"); break;
      case ReduceKind::log_sum_exp: return log_sum_exp();
      default: fold_into("sum", "0", "Sum", "x");
    }
    const std::string size = w_.size(size_);
    switch (p_.kind) {
      case ReduceKind::mean:
        if (is_float_sum()) return strf("sum / {}({})", sum_, size);
        return strf("({} ? sum / {}({}) : 0)", size, sum_, size);
      case ReduceKind::l2: return function_of("sqrt", "sum");
      case ReduceKind::log_sum: return function_of("log", "sum");
      default: return "sum";
    }
  }

  /// Shifted by the largest, so that exp stays in range.
  std::string log_sum_exp() {
    const std::string_view f = sum_ == "float" ? "f" : "";
    fold_into("most", end_value(true), "Most", "x");
    w_.line("const {} shift = fn::is_inf(most) ? {}(0) : most;", sum_, sum_);
    fold_into("sum", "0", "Sum", strf("exp{}(x - shift)", f));
    const std::string value = strf("log{}(sum) + shift", f);
    return compute_type(p_.in) == "i64" ? element(value) : value;
  }

  std::string index_of() {
    const std::string better =
        strf("fold::Better<{}, {}>", p_.kind == ReduceKind::arg_max ? "true" : "false", p_.last_index ? "true" : "false");
    w_.line("fold::Best<{}> best = {{0, -1}};", sum_);
    each(strf("best = {}{{}}(best, fold::Best<{}>{{x, i64(r)}});", better, sum_));
    w_.line("best = {};", team_.fold("best", better, "part"));
    return "best.at";
  }

  const ReduceProblem& p_;
  const tune::BuildCtx& ctx_;
  KernelWriter w_;
  Shape out_;
  Walk kept_, reduced_;
  Dim count_, size_;
  int64_t width_ = 1;
  Team team_;
  std::string_view sum_;  // the type of sums
};

Result<engine::Kernel> build_reduce(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return ReduceText(*problem.as<ReduceProblem>(), ctx).build();
}

}  // namespace

tune::Tactic reduce() { return {"reduce", supports_reduce, build_reduce}; }

}  // namespace tenon::cuda
