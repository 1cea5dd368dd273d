// Pooling: a thread walks the window of one element of the result.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::PoolKind;
using engine::PoolProblem;

constexpr int64_t kPoolThreads = 256, kUnrolledTaps = 32;

engine::Verdict supports_pool(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<PoolProblem>();
  if (!p) return engine::no(kOtherKind);
  const size_t rank = p->in_spatial.size();
  if (rank == 0) return engine::no("there are no spatial dims");
  for (const size_t size :
       {p->out_spatial.size(), p->pads.size(), p->pads_end.size(), p->kernel.size(), p->strides.size(), p->dilations.size()})
    if (size != rank) return engine::no("sizes of different ranks");
  if (compute_type(p->type).empty()) return engine::no("elements that no kernel computes with");
  return takes_epilogue(p->epilogue);
}

double taps_of(const PoolProblem& p) {
  double taps = 1;
  for (const int64_t k : p.kernel) taps *= static_cast<double>(k);
  return taps;
}

/// Dims of the input and of the result, in the order that they lie in memory; the spatial ones begin at `spatial`.
struct Layout {
  Shape in, out;
  size_t spatial = 2, channel = 1;
};
Layout layout_of(const PoolProblem& p) {
  Layout out{.in = {p.n}, .out = {p.n}};
  if (p.channels_last) out.spatial = 1, out.channel = 1 + p.in_spatial.size();
  for (const auto& [shape, spatial] : {std::pair(&out.in, &p.in_spatial), std::pair(&out.out, &p.out_spatial)}) {
    std::vector<Dim>& dims = shape->dims();
    if (!p.channels_last) dims.push_back(p.c);
    dims.insert(dims.end(), spatial->begin(), spatial->end());
    if (p.channels_last) dims.push_back(p.c);
  }
  return out;
}

class PoolText {
 public:
  PoolText(const PoolProblem& p, const tune::BuildCtx& ctx)
      : p_(p),
        ctx_(ctx),
        layout_(layout_of(p)),
        with_index_(p.kind == PoolKind::max && p.epilogue.expr.empty() && ctx.outputs > 1),
        w_(1 + p.epilogue.operands.size(), with_index_ ? 2 : std::max<size_t>(1, p.epilogue.expr.results.size()),
           p.epilogue.operands.size()) {
    lane_ = compute_type(p.type);
    sum_ = lane_ == "i64" ? "double" : lane_;
    steps_.resize(layout_.in.dims().size());
    Dim step = 1;
    for (size_t d = steps_.size(); d-- > 0;) {
      steps_[d] = step;
      step = step * layout_.in.dims()[d];
    }
    bool numbers = true;
    for (const auto* dims : {&p.in_spatial, &p.out_spatial, &p.pads})
      for (const Dim& dim : *dims) numbers = numbers && dim.is_constant();
    position_ = numbers ? "i32" : "i64";
  }

  engine::Kernel build() {
    const Dim count = layout_.out.elems();
    const std::string_view index = index_type(count);
    if (p_.kind == PoolKind::average) w_.raw_top(kTaps);
    w_.line("const {} o = {}(blockIdx.x) * {} + threadIdx.x;", index, index, kPoolThreads);
    w_.line("trigger(); wait();");
    w_.line("if (o >= {}) return;", w_.size(count));
    w_.raw(split_text(w_, layout_.out.dims(), "o", "c"));
    w_.line("const i64 base = i64(c0) * ({}) + i64(c{}) * ({});", w_.size(steps_[0]), layout_.channel, w_.size(steps_[layout_.channel]));
    for (size_t d = 0; d < rank(); ++d)
      w_.line("const {} start{} = {}(c{}) * {} - {};", position_, d, position_, layout_.spatial + d, p_.strides[d], w_.size(p_.pads[d]));
    const std::string value = p_.kind == PoolKind::max ? most() : p_.kind == PoolKind::average ? average() : norm();
    ResultText result(w_, p_.epilogue, 1, p_.type, layout_.out, {{0, layout_.out.dims().size(), "o"}});
    w_.raw(result.store(value, "o"));
    const Dim grid = some_blocks(count, kPoolThreads);
    return w_.finish(ctx_, {.grid = {grid}, .threads = kPoolThreads, .mode = mode_of(ctx_, grid)});
  }

 private:
  size_t rank() const { return p_.in_spatial.size(); }

  /// Taps of a window that fall inside [low, high).
  static constexpr std::string_view kTaps = R"(__device__ __forceinline__ i64 taps(i64 start, i64 kernel, i64 dilation, i64 low, i64 high) {
  i64 first = start < low ? (low - start + dilation - 1) / dilation : 0;
  i64 last = high > start ? (high - start + dilation - 1) / dilation : 0;
  first = first < kernel ? first : kernel;
  last = last < first ? first : last;
  return (last < kernel ? last : kernel) - first;
}
)";

  /// Runs the statements for each element `x` of the window; `at` is its index in the plane.
  void each(const std::string& statements) {
    for (size_t d = 0; d < rank(); ++d) {
      if (taps_of(p_) <= kUnrolledTaps) w_.raw("#pragma unroll\n");
      w_.line("for (int t{} = 0; t{} < {}; ++t{}) {{", d, d, p_.kernel[d], d);
      w_.line("const {} x{} = start{} + t{} * {};", position_, d, d, d, p_.dilations[d]);
      w_.line("if (x{} >= 0 && x{} < {}) {{", d, d, w_.size(p_.in_spatial[d]));
    }
    std::string offset = "base";
    for (size_t d = 0; d < rank(); ++d) offset += strf(" + i64(x{}) * ({})", d, w_.size(steps_[layout_.spatial + d]));
    w_.line("const {} x = {};", lane_, loaded(p_.type, strf("load<{}>(p.in0, {}).v[0]", storage_type(p_.type), offset)));
    w_.raw(statements);
    w_.line("{}", std::string(2 * rank(), '}'));
  }

  /// Index in the plane of the element at x0, x1, …
  std::string place() {
    std::string out = "0";
    Dim step = 1;
    for (size_t k = 0; k < rank(); ++k) {
      const size_t d = p_.column_major_index ? k : rank() - 1 - k;
      out += strf(" + i64(x{}) * ({})", d, w_.size(step));
      step = step * p_.in_spatial[d];
    }
    return out;
  }

  std::string most() {
    const std::string_view least = lane_ == "float"    ? "__uint_as_float(0xff800000u)"
                                   : lane_ == "double" ? "-__longlong_as_double(0x7ff0000000000000ll)"
                                                       : "i64(1ull << 63)";
    w_.line("{} most = {};", lane_, least);
    if (with_index_) {
      w_.line("i64 at = -1;");
      each(strf("  if (at < 0 || x > most || (x != x && most == most)) {{ most = x; at = {}; }}\n", place()));
      const Dim plane = Shape(p_.in_spatial).elems();
      w_.line("static_cast<i64*>(p.out1)[o] = at < 0 ? 0 : (i64(c0) * ({}) + i64(c{})) * ({}) + at;", w_.size(p_.c), layout_.channel,
              w_.size(plane));
    } else {
      each("  most = x > most || x != x ? x : most;\n");
    }
    return "most";
  }

  std::string average() {
    w_.line("{} sum = 0;", sum_);
    each(strf("  sum += {}(x);\n", sum_));
    std::string count;
    for (size_t d = 0; d < rank(); ++d) {
      const std::string in = w_.size(p_.in_spatial[d]);
      const std::string low = p_.count_include_pad ? strf("-({})", w_.size(p_.pads[d])) : "0";
      const std::string high = p_.count_include_pad ? strf("{} + {}", in, w_.size(p_.pads_end[d])) : in;
      count += strf("{}taps(start{}, {}, {}, {}, {})", d ? " * " : "", d, p_.kernel[d], p_.dilations[d], low, high);
    }
    return element(strf("sum / {}({})", sum_, count));
  }

  std::string norm() {
    const std::string f = sum_ == "float" ? "f" : "";
    w_.line("{} sum = 0;", sum_);
    if (p_.p == 2) {
      each(strf("  sum += {}(x) * {}(x);\n", sum_, sum_));
      return element(strf("sqrt{}(sum)", f));
    }
    each(strf("  sum += pow{}(fabs{}({}(x)), {}({}));\n", f, f, sum_, sum_, p_.p));
    return element(strf("pow{}(sum, 1 / {}({}))", f, sum_, p_.p));
  }

  /// A sum as the type's lane.
  std::string element(const std::string& value) const { return lane_ == "i64" ? strf("fn::to_i64({})", value) : value; }

  const PoolProblem& p_;
  const tune::BuildCtx& ctx_;
  Layout layout_;
  bool with_index_;
  KernelWriter w_;
  std::string_view lane_, sum_, position_;
  std::vector<Dim> steps_;  // of the input, elements
};

Result<engine::Kernel> build_pool(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return PoolText(*problem.as<PoolProblem>(), ctx).build();
}

}  // namespace

tune::Tactic pool() { return {"pool", supports_pool, build_pool}; }

}  // namespace tenon::cuda
