#include "problem_io.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>

#include "base/fields.h"
#include "tensor/convert.h"

namespace tenon::cli {
namespace {

using namespace engine;

std::vector<Dim> list(std::vector<Dim> front, const std::vector<Dim>& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

/// [n, spatial, c] or [n, c, spatial].
Shape laid_out(const Dim& n, const Dim& c, const std::vector<Dim>& spatial, bool channels_last) {
  return channels_last ? list(list({n}, spatial), {c}) : list({n, c}, spatial);
}

Shape reduced(const ReduceProblem& p) {
  std::vector<Dim> out;
  for (int64_t d = 0; d < p.shape.rank(); ++d) {
    if (std::find(p.axes.begin(), p.axes.end(), d) == p.axes.end()) {
      out.push_back(p.shape[d]);
    } else if (p.keepdims) {
      out.emplace_back(1);
    }
  }
  return Shape(std::move(out));
}

/// A bound with numbers, or an error.
Result<int64_t> most_of(const Dim& first, const std::vector<Dim>& steps, const Dims& dims) {
  TENON_TRY(at, evaluate(first, {}));
  if (steps.size() != dims.size()) return fail("one step per dim is wanted");
  int64_t most = at;
  for (size_t d = 0; d < dims.size(); ++d) {
    TENON_TRY(step, evaluate(steps[d], {}));
    int64_t reach = 0;
    if (__builtin_mul_overflow(step, dims[d] - 1, &reach) || __builtin_add_overflow(most, std::max<int64_t>(reach, 0), &most))
      return fail("the problem reaches too far");
  }
  return most;
}

/// Elements of each input that an index problem reaches, and the type of each.
Result<std::vector<Fact>> inputs_of(const IndexProblem& p) {
  std::vector<Fact> out;
  const auto wants = [&](int64_t input, DType type, int64_t elems) -> Result<void> {
    if (input < 0 || input > 1000) return fail("the problem names input {}", input);
    if (static_cast<int64_t>(out.size()) <= input) out.resize(static_cast<size_t>(input) + 1, Fact(p.type, Shape{Dim(0)}));
    Fact& fact = out[static_cast<size_t>(input)];
    fact = Fact(type, Shape{Dim(std::max(elems, fact.shape()[0].constant().value_or(0)))});
    return {};
  };
  for (size_t k = 0; k < p.pieces.size(); ++k) {
    const IndexPiece& piece = p.pieces[k];
    TENON_TRY(dims, evaluate(p.shape, {}));
    if (p.pieces.size() > 1) {
      if (p.axis < 0 || p.axis >= p.shape.rank()) return fail("index wants an axis of its shape");
      TENON_TRY(extent, evaluate((k + 1 < p.pieces.size() ? p.pieces[k + 1].first : p.shape[p.axis]) - piece.first, {}));
      dims[static_cast<size_t>(p.axis)] = extent;
    }
    TENON_TRY(most, most_of(piece.offset, piece.strides, dims));
    for (const IndexTerm& term : piece.terms) {
      TENON_TRY(last, evaluate(max(term.size - 1, 0) * term.stride, {}));
      most += std::max<int64_t>(last, 0);
      if (term.indices < 0) continue;
      TENON_TRY(at, most_of(term.start, term.steps, dims));
      TENON_OK(wants(term.indices, p.index_type, at + 1));
    }
    TENON_OK(wants(piece.source, p.type, most + 1));
  }
  if (p.fill >= 0) TENON_OK(wants(p.fill, p.type, 1));
  return out;
}

/// How many elements of the source a copy reaches: one more than its largest index.
Result<int64_t> extent(const CopyProblem& p) {
  TENON_TRY(dims, evaluate(p.shape, {}));
  TENON_TRY(most, most_of(p.offset, p.strides, dims));
  return most + 1;
}

struct Builder {
  ProblemOperands out;
  Result<void> done;

  void in(DType dtype, Shape shape) { out.in.emplace_back(dtype, std::move(shape)); }
  /// The anchor's result, then what its epilogue adds: operands and several results.
  void result(DType dtype, const Shape& shape, const Epilogue& epilogue) {
    const Expr& expr = epilogue.expr;
    if (expr.empty()) {
      out.out.emplace_back(dtype, shape);
      return;
    }
    for (size_t i = 0; i < epilogue.operands.size(); ++i) {
      DType type = dtype;
      for (const ExprNode& node : expr.nodes)
        if (node.fn == Fn::input && node.input == static_cast<int>(i) + 1) type = node.type;
      in(type, epilogue.operands[i]);
    }
    for (const int node : expr.results) out.out.emplace_back(expr.type_of(node), shape);
  }

  void operator()(const GemmProblem& p) {
    const std::vector<Dim>& a = p.a_batch.empty() ? p.batch : p.a_batch;
    const std::vector<Dim>& b = p.b_batch.empty() ? p.batch : p.b_batch;
    in(p.a, list(a, p.trans_a ? std::vector{p.k, p.m} : std::vector{p.m, p.k}));
    in(p.b, list(b, p.trans_b ? std::vector{p.n, p.k} : std::vector{p.k, p.n}));
    if (p.row_norm == engine::RowNorm::layer) in(DType::f32, {p.n});
    result(p.out, list(p.batch, {p.m, p.n}), p.epilogue);
  }
  void operator()(const ConvProblem& p) {
    if (p.groups < 1) {
      done = fail("conv wants groups ≥ 1");
      return;
    }
    if (p.transposed && p.channels_last) {
      done = fail("a transposed conv has no channels_last");
      return;
    }
    in(p.x, laid_out(p.n, p.c, p.in_spatial, p.channels_last));
    in(p.w, p.transposed ? list({p.c, floordiv(p.m, Dim(p.groups))}, p.kernel)
                         : laid_out(p.m, floordiv(p.c, Dim(p.groups)), p.kernel, p.channels_last));
    if (p.has_bias) in(p.out, {p.m});
    result(p.out, laid_out(p.n, p.m, p.out_spatial, p.channels_last), p.epilogue);
  }
  void operator()(const PointwiseProblem& p) {
    for (size_t i = 0; i < p.in.size(); ++i) {
      DType type = DType::f32;
      for (const ExprNode& node : p.expr.nodes)
        if (node.fn == Fn::input && node.input == static_cast<int>(i)) type = node.type;
      in(type, p.in[i]);
    }
    for (const int node : p.expr.results) out.out.emplace_back(p.expr.type_of(node), p.out);
  }
  void operator()(const ReduceProblem& p) {
    in(p.in, p.shape);
    result(p.kind == ReduceKind::arg_max || p.kind == ReduceKind::arg_min ? DType::i64 : p.out, reduced(p), p.epilogue);
  }
  void operator()(const NormProblem& p) {
    in(p.type, p.shape);
    std::vector<Dim> normed;
    for (int64_t d = p.axis; d < p.axis + p.axes && d >= 0 && d < p.shape.rank(); ++d) normed.push_back(p.shape[d]);
    if (p.has_scale) in(p.type, normed);
    if (p.has_bias) in(p.type, normed);
    result(p.type, p.shape, p.epilogue);
  }
  void operator()(const PoolProblem& p) {
    in(p.type, laid_out(p.n, p.c, p.in_spatial, p.channels_last));
    result(p.type, laid_out(p.n, p.c, p.out_spatial, p.channels_last), p.epilogue);
  }
  void operator()(const AttentionProblem& p) {
    const auto heads = [&](const HeadsView& view, const std::vector<Dim>& dims) {
      if (view.strides.size() != 3) return in(p.type, dims);
      Dim extent = view.offset + dims[3];  // the whole tensor is not known, what is read of it is
      for (size_t i = 0; i < 3; ++i) extent = extent + (dims[i] - 1) * view.strides[i];
      in(p.type, {extent});
    };
    heads(p.q, {p.batch, p.heads, p.tq, p.d});
    heads(p.k, {p.batch, p.kv_heads, p.tk, p.d});
    heads(p.v, {p.batch, p.kv_heads, p.tk, p.dv});
    if (p.has_mask) in(p.mask_type, p.mask);
    result(p.type, p.out_dims(), p.epilogue);
  }
  void operator()(const engine::SqueezeExciteProblem& p) {
    std::vector<Dim> x = p.out_dims();
    if (p.spatial < 1) {
      done = fail("squeeze_excite wants spatial dims");
      return;
    }
    x[1] = p.area;
    in(p.type, x);
    in(p.type, {p.m, p.c});
    in(p.type, {p.c, p.m});
    in(p.type, {p.m});
    in(p.type, {p.c});
    result(p.type, p.out_dims(), p.epilogue);
  }
  void operator()(const RecurrentProblem& p) {
    const int64_t gates = gates_of(p.kind);
    const auto laid = [&](const Dim& first, const Dim& second, const std::vector<Dim>& rest) {
      return Shape(p.batch_first ? list({second, first}, rest) : list({first, second}, rest));
    };
    const Dim directions(p.directions), rows = p.hidden * Dim(gates);
    const Shape state = laid(directions, p.batch, {p.hidden});
    in(p.type, laid(p.seq, p.batch, {directions * rows}));
    in(p.type, {directions, rows, p.hidden});
    if (p.has_bias) in(p.type, {directions, p.hidden});
    if (p.has_lengths) in(DType::i32, {p.batch});
    if (p.has_h) in(p.type, state);
    if (p.has_c) in(p.type, state);
    if (p.has_peepholes) in(p.type, {directions, Dim(3) * p.hidden});
    out.out.emplace_back(p.type, p.batch_first ? Shape{p.batch, p.seq, directions, p.hidden} : Shape{p.seq, directions, p.batch, p.hidden});
    for (int i = 0; i < (p.kind == CellKind::lstm ? 2 : 1); ++i) out.out.emplace_back(p.type, state);
  }
  void operator()(const CopyProblem& p) {
    auto elems = extent(p);
    if (!elems.ok()) {
      done = std::move(elems).error();
      return;
    }
    in(p.type, {Dim(*elems)});
    out.out.emplace_back(p.type, p.shape);
  }
  void operator()(const SeriesProblem& p) { out.out.emplace_back(p.type, p.shape); }
  void operator()(const IndexProblem& p) {
    auto inputs = inputs_of(p);
    if (!inputs.ok()) {
      done = std::move(inputs).error();
      return;
    }
    out.in = std::move(*inputs);
    out.out.emplace_back(p.to == DType::none ? p.type : p.to, p.shape);
  }
  void operator()(const ResizeProblem& p) {
    in(p.type, p.in);
    out.out.emplace_back(p.type, p.out);
  }
  void operator()(const ScatterProblem& p) {
    int64_t indices = 0;
    for (const IndexTerm& term : p.terms) {
      const auto dims = evaluate(p.shape, {});
      const auto most = dims.ok() ? most_of(term.start, term.steps, *dims) : Result<int64_t>(dims.error());
      if (!most.ok()) {
        done = most.error();
        return;
      }
      indices = std::max(indices, *most + 1);
    }
    const auto count = p.shape.elems().constant();
    in(p.type, p.out);
    in(p.index_type, {Dim(count == 0 ? 0 : indices)});
    in(p.type, p.shape);
    out.out.emplace_back(p.type, p.out);
  }
  void operator()(const TopKProblem& p) {
    in(p.type, p.shape);
    out.out.emplace_back(p.type, p.out_shape());
    out.out.emplace_back(DType::i64, p.out_shape());
  }
  void operator()(const CumulativeProblem& p) {
    in(p.type, p.shape);
    out.out.emplace_back(p.type, p.shape);
  }
  void operator()(const GridSampleProblem& p) {
    in(p.type, list({p.n, p.c}, p.in_spatial));
    in(p.grid_type, list(list({p.n}, p.out_spatial), {static_cast<int64_t>(p.in_spatial.size())}));
    out.out.emplace_back(p.type, list({p.n, p.c}, p.out_spatial));
  }
  void operator()(const TransferProblem&) { done = fail(ErrorKind::unsupported, "transfers are not measured alone"); }
  void operator()(const ReferenceProblem&) {
    done = fail(ErrorKind::unsupported, "the operands of a reference problem do not follow from its text");
  }
};

double product(const std::vector<Dim>& dims) {
  double out = 1;
  for (const Dim& dim : dims) out *= static_cast<double>(dim.constant().value_or(0));
  return out;
}

}  // namespace

Result<ProblemOperands> operands_of(const Problem& problem) {
  std::vector<std::string> symbols;
  collect_symbols(problem, symbols);
  if (!symbols.empty()) return fail("the problem has symbols, give numbers: {}", join(symbols, ", "));
  Builder builder;
  std::visit(builder, problem.kind);
  TENON_OK(builder.done);
  for (const auto* facts : {&builder.out.in, &builder.out.out})
    for (const Fact& fact : *facts) {
      const auto dims = fact.shape().constant();
      if (!dims) return fail("the problem has dims that are no numbers");
      TENON_OK(checked_elems(*dims));
    }
  return std::move(builder.out);
}

bool looks_like_problem(std::string_view text) {
  Scanner in(text);
  const std::string_view kind = in.identifier();
  if (kind.empty() || (in.peek() != '{' && text.find('=') == std::string_view::npos)) return false;
  for (const TypeRow* row : type_of<ProblemKind>().alternatives)
    if (row->name == kind) return true;
  return false;
}

Result<Problem> parse_problem(std::string_view text) {
  Scanner in(text);
  const std::string kind(in.identifier());
  const std::string whole = in.peek() == '{' ? std::string(text) : strf("{}{{{}}}", kind, text.substr(in.mark()));
  TENON_TRY(parsed, from_text<ProblemKind>(whole));
  Problem out;
  out.kind = std::move(parsed);
  return out;
}

namespace {

/// Random indices, every one inside of its dim; some count from the end.
void settle_indices(const Problem& problem, std::span<HostValue> in, std::mt19937_64& random) {
  std::map<int64_t, int64_t> sizes;  // of each input of indices, the least
  const auto look = [&](const std::vector<IndexTerm>& terms) {
    for (const IndexTerm& term : terms) {
      if (term.indices < 0) continue;
      const int64_t size = std::max<int64_t>(term.size.constant().value_or(1), 1);
      const auto [at, fresh] = sizes.try_emplace(term.indices, size);
      at->second = std::min(at->second, size);
    }
  };
  if (const auto* p = problem.as<IndexProblem>())
    for (const IndexPiece& piece : p->pieces) look(piece.terms);
  if (const auto* p = problem.as<ScatterProblem>()) look(p->terms);
  for (const auto& [input, size] : sizes) {
    Tensor& tensor = in[static_cast<size_t>(input)].tensor;
    std::uniform_int_distribution<int64_t> inside(-size, size - 1);
    for (int64_t i = 0; i < tensor.elems(); ++i) {
      if (tensor.dtype == DType::i32) {
        tensor.as<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(inside(random));
      } else {
        tensor.as<int64_t>()[static_cast<size_t>(i)] = inside(random);
      }
    }
  }
}

/// Weights under which a state stays a state, not chaos; lengths of sequences.
void settle_recurrence(const RecurrentProblem& p, std::span<HostValue> in) {
  for (size_t input = 0; input < in.size(); ++input) {
    Tensor& tensor = in[input].tensor;
    for (int64_t i = 0; tensor.dtype == DType::i32 && i < tensor.elems(); ++i)
      tensor.as<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>((i * 5 + 1) % (p.seq.constant().value_or(0) + 1));
    if (input != 1) continue;
    Tensor wide = *Tensor::allocate(DType::f64, tensor.dims);
    for (int64_t i = 0; i < tensor.elems(); ++i)
      wide.as<double>()[static_cast<size_t>(i)] = element_as_double(tensor, i) / std::sqrt(static_cast<double>(*p.hidden.constant()));
    const Tensor settled = *convert(wide, tensor.dtype);
    std::memcpy(tensor.data, settled.data, static_cast<size_t>(tensor.bytes()));
  }
}

}  // namespace

void settle_random(const Problem& problem, std::span<HostValue> in, uint64_t seed) {
  std::mt19937_64 random(seed);
  settle_indices(problem, in, random);
  if (const auto* p = problem.as<RecurrentProblem>()) settle_recurrence(*p, in);
}

double flops_of(const Problem& problem) {
  if (const auto* p = problem.as<GemmProblem>()) return 2 * product(p->batch) * product({p->m, p->n, p->k});
  if (const auto* p = problem.as<ConvProblem>()) {
    const double taps = product(p->kernel) * product({p->c, p->m}) / static_cast<double>(std::max<int64_t>(p->groups, 1));
    return 2 * taps * product({p->n}) * product(p->transposed ? p->in_spatial : p->out_spatial);
  }
  if (const auto* p = problem.as<RecurrentProblem>())
    return 2 * product({p->seq, p->batch, p->hidden, p->hidden}) * static_cast<double>(gates_of(p->kind) * p->directions);
  if (const auto* p = problem.as<engine::SqueezeExciteProblem>()) return product({p->n, p->area, p->c}) + 4 * product({p->n, p->c, p->m});
  if (const auto* p = problem.as<AttentionProblem>())
    return 2 * product({p->batch, p->heads, p->tq, p->tk}) * (product({p->d}) + product({p->dv}));
  return 0;
}

}  // namespace tenon::cli
