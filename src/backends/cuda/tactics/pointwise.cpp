// Expressions over broadcast operands. A thread computes the elements of one vector of 16 bytes; operands that have only elements of
// fewer bytes, or dims that vectors do not divide, take several vectors a thread, all loaded before the first is stored.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::PointwiseProblem;

constexpr int64_t kPointwiseThreads = 256;

engine::Verdict supports_pointwise(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<PointwiseProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->out.has_rank()) return engine::no("the rank is not known");
  if (!has_text(p->expr)) return engine::no("the expression has elements that no kernel computes with");
  for (const Shape& shape : p->in)
    if (!shape.has_rank() || shape.rank() > p->out.rank()) return engine::no("the rank of an operand is not known");
  return {};
}

/// An operand as a thread reads it.
struct Input {
  size_t index = 0;  // of the problem
  DType type = DType::none;
  bool scalar = false;   // one element for all
  bool repeats = false;  // one element for a vector
};

/// Functions that take many instructions: each stands once in the text for each element of a vector.
int64_t long_functions(const Expr& expr) {
  return std::count_if(expr.nodes.begin(), expr.nodes.end(), [&](const ExprNode& node) {
    if (arity_of(node.fn) == 0) return false;
    const bool whole = compute_type(expr.type_of(node.args[0])) == "i64";
    if (node.fn == Fn::div || node.fn == Fn::pow || node.fn == Fn::mod || node.fn == Fn::fmod) return whole || node.fn != Fn::div;
    return node.fn >= Fn::exp && node.fn <= Fn::softplus;
  });
}

/// Elements that every operand reads or repeats side by side and whose largest makes 16 bytes.
int64_t vector_width(const PointwiseProblem& p, const Walk& walk, const std::vector<Input>& inputs) {
  int64_t most = 1;
  for (const int node : p.expr.results) most = std::max<int64_t>(most, bits_of(p.expr.type_of(node)) / 8);
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Stride last = walk.last(k);
    if (!last.is(0) && !last.is(1)) return 1;
    if (last.is(1)) most = std::max<int64_t>(most, bits_of(inputs[k].type) / 8);
  }
  constexpr int64_t kLongFunctions = 16;
  int64_t width = 16 / most;
  while (width > 4 && width * long_functions(p.expr) > kLongFunctions) width /= 2;
  // One dim: what the vectors leave is done element by element. More: vectors must not cross rows.
  while (walk.dims.size() > 1 && width > 1 && !exact_div(walk.dims.back(), Dim(width))) width /= 2;
  return walk.dims.empty() ? 1 : width;
}

class PointwiseText {
 public:
  explicit PointwiseText(const PointwiseProblem& p) : p_(p), w_(p.in.size(), p.expr.results.size()) {
    std::vector<Shape> shapes;
    for (const ExprNode& node : p.expr.nodes) {
      const auto index = static_cast<size_t>(node.input);
      if (node.fn != Fn::input || std::any_of(inputs_.begin(), inputs_.end(), [&](const Input& in) { return in.index == index; })) continue;
      inputs_.push_back({.index = index, .type = node.type});
      shapes.push_back(p.in[index]);
    }
    walk_ = collapse(broadcast_walk(p.out, shapes));
    width_ = vector_width(p, walk_, inputs_);
    for (size_t k = 0; k < inputs_.size(); ++k) {
      inputs_[k].scalar =
          std::all_of(walk_.operands[k].begin(), walk_.operands[k].end(), [](const Stride& stride) { return stride.is(0); });
      inputs_[k].repeats = walk_.last(k).is(0);
    }
    count_ = walk_.elems();
  }

  engine::Kernel build(const tune::BuildCtx& ctx) {
    const Dim vectors = blocks(count_, width_);
    const bool whole = exact_div(count_, Dim(width_)).has_value();
    const int64_t each = vectors_each(ctx, vectors);
    const std::string_view index = index_type(count_);
    w_.line("const {} first = {}(blockIdx.x) * {} + threadIdx.x;", index, index, kPointwiseThreads * each);
    w_.line("trigger(); wait();");
    for (size_t k = 0; k < inputs_.size(); ++k)
      if (inputs_[k].scalar)
        w_.line("const {} s{} = {};", compute_type(inputs_[k].type), k, loaded(inputs_[k].type, strf("{}.v[0]", load_text(k, 1, "0"))));
    for (size_t k = 0; k < inputs_.size(); ++k)
      if (!inputs_[k].scalar) w_.line("Pack<{}, {}> a{}[{}];", storage_type(inputs_[k].type), inputs_[k].repeats ? 1 : width_, k, each);
    const std::string full = whole ? w_.size(blocks(count_, width_)) : w_.size(floordiv(count_, Dim(width_)));
    const std::string body = loads(width_, "u", "i"), work = results(width_, "u", "i");
    loop(each, full, body);
    loop(each, full, work);
    if (!whole) tail(full);
    const Dim grid = some_blocks(vectors, kPointwiseThreads * each);
    return w_.finish(ctx, {.grid = {grid}, .threads = kPointwiseThreads, .mode = mode_of(ctx, grid)});
  }

 private:
  /// More than one where a vector is short and there is work for all multiprocessors anyway.
  int64_t vectors_each(const tune::BuildCtx& ctx, const Dim& vectors) const {
    int64_t bytes = 0;
    for (const Input& in : inputs_)
      if (!in.scalar) bytes = std::max(bytes, (in.repeats ? 1 : width_) * bits_of(in.type) / 8);
    const int64_t number = vectors.constant().value_or(INT32_MAX);
    return bytes >= 16 || bytes == 0 || number < 8 * ctx.device.units * kPointwiseThreads ? 1 : 4;
  }

  std::string load_text(size_t k, int64_t width, const std::string& at) {
    return strf("load<{}, {}>(p.in{}, {})", storage_type(inputs_[k].type), width, inputs_[k].index, at);
  }

  void loop(int64_t each, const std::string& full, const std::string& body) {
    w_.raw("#pragma unroll\n");
    w_.line("for (int u = 0; u < {}; ++u) {{", each);
    w_.line("const {} i = first + u * {};", index_type(count_), kPointwiseThreads);
    w_.line("if (i < {}) {{", full);
    w_.raw(body);
    w_.line("}}}}");
  }

  /// Of vector (or element) `at`.
  std::string loads(int64_t width, std::string_view slot, const std::string& at) {
    const std::string element = width == 1 ? at : strf("{} * {}", at, width);
    std::string out;
    if (walk_.dims.size() > 1) out += split_text(w_, walk_.dims, element, "c");
    for (size_t k = 0; k < inputs_.size(); ++k) {
      if (inputs_[k].scalar) continue;
      const std::string offset = walk_.dims.size() > 1 ? offset_text(w_, walk_.operands[k], "c") : one_dim(k, element);
      out += strf("  a{}[{}] = {};\n", k, slot, load_text(k, inputs_[k].repeats ? 1 : width, offset));
    }
    return out;
  }
  std::string one_dim(size_t k, const std::string& element) {
    return walk_.last(k).is(1) ? element : strf("i64({}) * {}", element, stride_text(w_, walk_.last(k)));
  }

  std::string results(int64_t width, std::string_view slot, const std::string& at) {
    std::vector<std::string> names(static_cast<size_t>(std::max(p_.expr.input_count(), 1)));
    std::string out, before;
    for (size_t k = 0; k < inputs_.size(); ++k) {
      const Input& in = inputs_[k];
      names[in.index] = in.scalar ? strf("s{}", k) : strf("x{}", k);
      if (!in.scalar)
        out += strf("  const {} x{} = {};\n", compute_type(in.type), k,
                    loaded(in.type, strf("a{}[{}].v[{}]", k, slot, in.repeats ? "0" : "v")));
    }
    const ExprText text = expr_text(p_.expr, names, "t");
    out += text.statements;
    std::string after;
    for (size_t r = 0; r < text.results.size(); ++r) {
      const DType type = p_.expr.type_of(p_.expr.results[r]);
      before += strf("  Pack<{}, {}> y{};\n", storage_type(type), width, r);
      out += strf("  y{}.v[v] = {};\n", r, stored(type, text.results[r]));
      after += strf("  store(p.out{}, i64({}) * {}, y{});\n", r, at, width, r);
    }
    return before + strf("#pragma unroll\n  for (int v = 0; v < {}; ++v) {{\n", width) + out + "  }\n" + after;
  }

  /// The elements behind the last whole vector.
  void tail(const std::string& full) {
    w_.line("if (blockIdx.x == 0 && threadIdx.x < {} - {} * {}) {{", w_.size(count_), full, width_);
    w_.line("const i64 j = i64({}) * {} + threadIdx.x;", full, width_);
    for (size_t k = 0; k < inputs_.size(); ++k)
      if (!inputs_[k].scalar) w_.line("Pack<{}, 1> a{}[1];", storage_type(inputs_[k].type), k);
    w_.raw(loads(1, "0", "j"));
    w_.raw(results(1, "0", "j"));
    w_.line("}}");
  }

  const PointwiseProblem& p_;
  KernelWriter w_;
  std::vector<Input> inputs_;
  Walk walk_;
  int64_t width_ = 1;
  Dim count_;
};

Result<engine::Kernel> build_pointwise(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return PointwiseText(*problem.as<PointwiseProblem>()).build(ctx);
}

}  // namespace

tune::Tactic pointwise() { return {"pointwise", supports_pointwise, build_pointwise}; }

}  // namespace tenon::cuda
