// Softmax and its logarithm, layer and RMS normalisation: statistics of a slice in FP32 (f64 in double), two passes, then the slice
// again. Contiguous slices belong to some lanes of a warp, or to a block where they are long; their elements stay in registers where
// they fit. Slices side by side (a softmax along another dim than the last) are read again for each pass.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

using engine::NormKind;
using engine::NormProblem;

bool has_moments(const NormProblem& p) { return p.kind == NormKind::layer || p.kind == NormKind::rms; }

engine::Verdict supports_norm(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<NormProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank()) return engine::no("the rank is not known");
  if (p->axis < 0 || p->axes < 0 || p->axis + p->axes > p->shape.rank()) return engine::no("dims that the input lacks");
  if (const auto type = compute_type(p->type); type.empty() || type == "i64") return engine::no("wants floats of 16, 32 or 64 bits");
  return takes_epilogue(p->epilogue);
}

/// Where the operands of the step are.
struct Operands {
  size_t inputs = 1, outputs = 1, scale = 1, bias = 1, epilogue = 1;
};
Operands operands_of(const NormProblem& p, const tune::BuildCtx& ctx) {
  const size_t extra = p.epilogue.operands.size();
  const bool moments = has_moments(p);
  Operands out;
  // An absent scale or bias may keep its place.
  out.epilogue = ctx.inputs > 0 ? static_cast<size_t>(ctx.inputs) - extra : 1 + (moments && p.has_scale) + (moments && p.has_bias);
  out.bias = std::min<size_t>(2, out.epilogue - 1);
  out.inputs = out.epilogue + extra;
  out.outputs = std::max<size_t>(1, p.epilogue.expr.results.size());
  if (moments && p.epilogue.expr.empty() && ctx.outputs > 0) out.outputs = static_cast<size_t>(ctx.outputs);
  return out;
}

class NormText {
 public:
  NormText(const NormProblem& p, const tune::BuildCtx& ctx)
      : p_(p), ctx_(ctx), at_(operands_of(p, ctx)), w_(at_.inputs, at_.outputs), type_(storage_type(p.type)), sum_(compute_type(p.type)) {
    const auto& dims = p.shape.dims();
    const auto part = [&](int64_t first, int64_t last) {
      return Shape(std::vector<Dim>(dims.begin() + first, dims.begin() + last)).elems();
    };
    outer_ = part(0, p.axis);
    size_ = part(p.axis, p.axis + p.axes), inner_ = part(p.axis + p.axes, p.shape.rank());
    count_ = outer_ * inner_;
    if (inner_ == Dim(1)) {
      width_ = 128 / bits_of(p.type);
      while (width_ > 1 && !exact_div(size_, Dim(width_))) width_ /= 2;
      team_ = team_of_rows(count_, size_, width_, ctx.device.units);
    } else {
      team_ = team_of_columns(count_, size_, ctx.device.units);
    }
    vectors_ = *exact_div(size_, Dim(width_));
    if (const auto vectors = vectors_.constant(); vectors && inner_ == Dim(1)) {
      const int64_t each = (*vectors + team_.lanes - 1) / team_.lanes;
      const int64_t most = (team_.threads() > 512 ? 16 : 32) / (sum_ == "double" ? 2 : 1);
      if (each * width_ <= most) held_ = each;
    }
  }

  engine::Kernel build() {
    const std::string_view index = index_type(count_);
    if (team_.shared()) w_.line("__shared__ {} part[{}];", sum_, team_.shared());
    w_.line("const {} slice = {}(blockIdx.x) * {} + {};", index, index, team_.slices, team_.slice_text());
    w_.line("const u32 lane = {};", team_.lane_text());
    w_.line("const bool inside = slice < {};", w_.size(count_));
    w_.raw(split_text(w_, {outer_, inner_}, "slice", "s"));
    w_.line("const i64 base = i64(s0) * ({}) + i64(s1);", w_.size(size_ * inner_));
    w_.line("trigger(); wait();");
    if (held_) hold();
    if (has_moments(p_)) {
      moments();
    } else {
      softmax();
    }
    const Dim grid = some_blocks(count_, team_.slices);
    return w_.finish(ctx_, {.grid = {grid}, .threads = team_.threads(), .mode = mode_of(ctx_, grid)});
  }

 private:
  /// Reads the slice into registers.
  void hold() {
    w_.line("{} kept[{}][{}];", sum_, held_, width_);
    w_.line("Pack<{}, {}> read[{}];", type_, width_, held_);
    // Scale and bias arrive while the moments are computed.
    const auto operand = [&](bool there, std::string_view name, size_t input) {
      if (!there) return;
      w_.line("Pack<{}, {}> {}[{}];", type_, width_, name, held_);
      chunks([&] { w_.line("{}[c] = load<{}, {}>(p.in{}, i64(chunk) * {});", name, type_, width_, input, width_); });
    };
    chunks([&] { w_.line("read[c] = load<{}, {}>(p.in0, base + i64(chunk) * {});", type_, width_, width_); });
    operand(early() && p_.has_scale, "scale", at_.scale);
    operand(early() && p_.has_bias, "bias", at_.bias);
    chunks([&] {
      w_.raw("#pragma unroll\n");
      w_.line("for (int v = 0; v < {}; ++v) kept[c][v] = {}(read[c].v[v]);", width_, sum_);
    });
  }

  /// Whether scale and bias have room in registers beside the slice.
  bool early() const { return has_moments(p_) && held_ > 0 && team_.threads() <= 256; }

  template <class Body>
  void chunks(const Body& body) {
    if (held_) {
      w_.raw("#pragma unroll\n");
      w_.line("for (int c = 0; c < {}; ++c) {{", held_);
      w_.line("const u32 chunk = lane + c * {};", team_.lanes);
      const bool whole = vectors_ == Dim(held_ * team_.lanes);
      w_.line("if (inside{}) {{", whole ? "" : strf(" && chunk < {}", w_.size(vectors_)));
      body();
      w_.line("}}}}");
    } else {
      w_.line("if (inside)");
      w_.line("for ({} chunk = lane; chunk < {}; chunk += {}) {{", index_type(size_), w_.size(vectors_), team_.lanes);
      w_.line("const auto read = load<{}, {}>(p.in0, base + i64(chunk) * ({}));", type_, width_,
              inner_ == Dim(1) ? strf("{}", width_) : w_.size(inner_));
      body();
      w_.line("}}");
    }
  }

  /// Runs statements for each element of this lane: `x` is its value, `chunk` and `v` say where it stands.
  void each(const std::string& statements) {
    chunks([&] {
      w_.raw("#pragma unroll\n");
      w_.line("for (int v = 0; v < {}; ++v) {{", width_);
      w_.line("const {} x = {};", sum_, held_ ? std::string("kept[c][v]") : strf("{}(read.v[v])", sum_));
      w_.raw(statements);
      w_.line("}}");
    });
  }

  void fold_into(std::string_view name, std::string_view first, std::string_view functor, const std::string& statement) {
    w_.line("{} {} = {};", sum_, name, first);
    each("  " + statement + "\n");
    w_.line("{} = {};", name, team_.fold(name, strf("fold::{}", functor), "part"));
  }

  std::string function(std::string_view name) const { return strf("{}{}", name, sum_ == "float" ? "f" : ""); }

  /// Stores a value for each element.
  void finish(const std::string& before, const std::string& value) {
    const auto rank = static_cast<size_t>(p_.shape.rank()), first = static_cast<size_t>(p_.axis),
               last = first + static_cast<size_t>(p_.axes);
    ResultText result(w_, p_.epilogue, at_.epilogue, p_.type, p_.shape, {{0, first, "s0"}, {first, last, "k"}, {last, rank, "s1"}});
    std::string stores;
    chunks([&] {
      for (size_t r = 0; r < result.count(); ++r) w_.line("Pack<{}, {}> y{};", storage_type(result.types()[r]), width_, r);
      w_.raw("#pragma unroll\n");
      w_.line("for (int v = 0; v < {}; ++v) {{", width_);
      w_.line("const {} x = {};", sum_, held_ ? std::string("kept[c][v]") : strf("{}(read.v[v])", sum_));
      w_.line("const {} k = chunk * {} + v;", index_type(size_), width_);
      w_.raw(before);
      w_.raw(result.compute(value));
      for (size_t r = 0; r < result.count(); ++r) w_.line("y{}.v[v] = {};", r, result.results()[r]);
      w_.line("}}");
      for (size_t r = 0; r < result.count(); ++r) store(r, result.types()[r]);
    });
  }

  /// Result r of a chunk, in stores of 16 bytes at most.
  void store(size_t r, DType type) {
    const std::string at = strf("base + i64(chunk) * ({})", inner_ == Dim(1) ? strf("{}", width_) : w_.size(inner_));
    if (width_ * bits_of(type) <= 128) {
      w_.line("store(p.out{}, {}, y{});", r, at, r);
    } else {
      w_.raw("#pragma unroll\n");
      w_.line("for (int v = 0; v < {}; ++v) static_cast<{}*>(p.out{})[{} + v] = y{}.v[v];", width_, storage_type(type), r, at, r);
    }
  }

  void softmax() {
    const std::string exp = function("exp");
    const bool logarithm = p_.kind == NormKind::log_softmax;
    fold_into("most", sum_ == "float" ? "__uint_as_float(0xff800000u)" : "-__longlong_as_double(0x7ff0000000000000ll)", "Most",
              "most = fold::Most{}(most, x);");
    const bool keep = held_ && !logarithm;
    fold_into("sum", "0", "Sum", keep ? strf("kept[c][v] = {}(x - most); sum += kept[c][v];", exp) : strf("sum += {}(x - most);", exp));
    if (logarithm) {
      w_.line("const {} shift = {}(sum);", sum_, function("log"));
      finish("", "(x - most) - shift");
    } else {
      w_.line("const {} factor = 1 / sum;", sum_);
      finish("", keep ? "x * factor" : strf("{}(x - most) * factor", exp));
    }
  }

  void moments() {
    const std::string size = strf("{}({})", sum_, w_.size(size_));
    if (p_.kind == NormKind::layer) {
      fold_into("mean", "0", "Sum", "mean += x;");
      w_.line("mean /= {};", size);
    } else {
      w_.line("const {} mean = 0;", sum_);
    }
    fold_into("square", "0", "Sum", "square += (x - mean) * (x - mean);");
    w_.line("const {} inverse = 1 / {}(square / {} + {}({:a}));", sum_, function("sqrt"), size, sum_, p_.epsilon);
    if (p_.epilogue.expr.empty() && at_.outputs > 1) {
      w_.line("if (inside && lane == 0) {{");
      w_.line("if (p.out1) static_cast<{}*>(p.out1)[slice] = mean;", sum_);
      if (at_.outputs > 2) w_.line("if (p.out2) static_cast<{}*>(p.out2)[slice] = inverse;", sum_);
      w_.line("}}");
    }
    std::string before = strf("  {} z = (x - mean) * inverse;\n", sum_);
    const auto element = [&](std::string_view name, size_t input) {
      return early() ? strf("{}({}[c].v[v])", sum_, name) : strf("{}(load<{}>(p.in{}, k).v[0])", sum_, type_, input);
    };
    if (p_.has_scale) before += strf("  z = z * {};\n", element("scale", at_.scale));
    if (p_.has_bias) before += strf("  z = z + {};\n", element("bias", at_.bias));
    finish(before, "z");
  }

  const NormProblem& p_;
  const tune::BuildCtx& ctx_;
  Operands at_;
  KernelWriter w_;
  std::string_view type_, sum_;
  Dim count_, outer_, size_, inner_, vectors_;
  int64_t width_ = 1;
  int64_t held_ = 0;  // vectors of a lane that lie in registers; 0: none do
  Team team_;
};

Result<engine::Kernel> build_norm(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return NormText(*problem.as<NormProblem>(), ctx).build();
}

}  // namespace

tune::Tactic norm() { return {"norm", supports_norm, build_norm}; }

}  // namespace tenon::cuda
