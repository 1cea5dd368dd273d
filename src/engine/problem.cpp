#include "engine/problem.h"

#include <algorithm>

namespace tenon::engine {

Problem::Problem() = default;
Problem::Problem(ReferenceProblem p) : kind(std::move(p)) {}
Problem::Problem(GemmProblem p) : kind(std::move(p)) {}
Problem::Problem(ConvProblem p) : kind(std::move(p)) {}
Problem::Problem(PointwiseProblem p) : kind(std::move(p)) {}
Problem::Problem(ReduceProblem p) : kind(std::move(p)) {}
Problem::Problem(NormProblem p) : kind(std::move(p)) {}
Problem::Problem(PoolProblem p) : kind(std::move(p)) {}
Problem::Problem(CopyProblem p) : kind(std::move(p)) {}
Problem::Problem(TransferProblem p) : kind(std::move(p)) {}
Problem::Problem(AttentionProblem p) : kind(std::move(p)) {}
Problem::Problem(SeriesProblem p) : kind(std::move(p)) {}
Problem::Problem(IndexProblem p) : kind(std::move(p)) {}
Problem::Problem(ResizeProblem p) : kind(std::move(p)) {}
Problem::Problem(RecurrentProblem p) : kind(std::move(p)) {}
Problem::Problem(ScatterProblem p) : kind(std::move(p)) {}
Problem::Problem(TopKProblem p) : kind(std::move(p)) {}
Problem::Problem(CumulativeProblem p) : kind(std::move(p)) {}
Problem::Problem(GridSampleProblem p) : kind(std::move(p)) {}
Problem::Problem(SqueezeExciteProblem p) : kind(std::move(p)) {}
Problem::Problem(const Problem&) = default;
Problem::Problem(Problem&&) noexcept = default;
Problem& Problem::operator=(const Problem&) = default;
Problem& Problem::operator=(Problem&&) noexcept = default;
Problem::~Problem() = default;

std::vector<Dim> AttentionProblem::out_dims() const {
  const std::vector<Dim> dims = {batch, heads, tq, dv};
  if (perm.size() != dims.size()) return dims;
  std::vector<Dim> out;
  for (const int64_t from : perm) out.push_back(from >= 0 && from < 4 ? dims[static_cast<size_t>(from)] : Dim(1));
  return out;
}

std::vector<Dim> SqueezeExciteProblem::out_dims() const {
  std::vector<Dim> out = {n};
  for (int64_t i = 0; i < spatial && i < 8; ++i) out.emplace_back(1);
  out.push_back(c);
  return out;
}

Shape TopKProblem::out_shape() const {
  Shape out = shape;
  if (axis >= 0 && axis < out.rank()) out[axis] = k;
  return out;
}

namespace {

/// Calls fn(Dim&) on every dim reachable from a described value.
template <class Fn>
Result<void> for_each_dim(const TypeRow& type, void* value, const Fn& fn) {
  switch (type.kind) {
    case TypeRow::Kind::leaf:
      if (&type == &type_of<Dim>()) return fn(*static_cast<Dim*>(value));
      if (&type == &type_of<Shape>())
        for (Dim& dim : static_cast<Shape*>(value)->dims()) TENON_OK(fn(dim));
      return {};
    case TypeRow::Kind::list:
      for (size_t i = 0; i < type.count(value); ++i) TENON_OK(for_each_dim(type.element(), type.at(value, i), fn));
      return {};
    case TypeRow::Kind::object:
      for (const FieldRow& field : type.fields) TENON_OK(for_each_dim(*field.type, static_cast<char*>(value) + field.offset, fn));
      return {};
    case TypeRow::Kind::variant: return for_each_dim(*type.alternatives[type.index(value)], type.held(value), fn);
    default: return {};
  }
}

}  // namespace

std::string to_string(const Problem& problem) { return to_text(problem.kind); }

void collect_symbols(const Problem& problem, std::vector<std::string>& names) {
  (void)for_each_dim(type_of<ProblemKind>(), const_cast<ProblemKind*>(&problem.kind), [&](Dim& dim) -> Result<void> {
    dim.collect(names);
    return {};
  });
}

Result<Problem> bind(const Problem& problem, const DimValues& values) {
  Problem out = problem;
  TENON_OK(for_each_dim(type_of<ProblemKind>(), &out.kind, [&](Dim& dim) -> Result<void> {
    if (dim.is_constant()) return {};
    TENON_TRY(value, evaluate(dim, values));
    dim = Dim(value);
    return {};
  }));
  return out;
}

bool reads(const Problem& problem, size_t i, size_t inputs) {
  if (problem.as<SeriesProblem>()) return false;
  if (const auto* pointwise = problem.as<PointwiseProblem>()) return pointwise->in.empty() || i < pointwise->in.size();
  if (problem.as<CopyProblem>() || problem.as<ResizeProblem>() || problem.as<TopKProblem>() || problem.as<CumulativeProblem>())
    return i == 0;
  if (const auto* reduce = problem.as<ReduceProblem>()) return i == 0 || i + reduce->epilogue.operands.size() >= inputs;
  const auto* index = problem.as<IndexProblem>();
  if (!index) return true;
  const auto at = static_cast<int64_t>(i);
  return index->fill == at || std::any_of(index->pieces.begin(), index->pieces.end(), [&](const IndexPiece& piece) {
           return piece.source == at ||
                  std::any_of(piece.terms.begin(), piece.terms.end(), [&](const IndexTerm& term) { return term.indices == at; });
         });
}

namespace {

/// Of a problem that lists sizes which have to agree or to stay below others.
template <class T>
Result<void> check_pairs(const T& problem) {
  for (size_t i = 1; i < problem.agree.size(); i += 2)
    if (problem.agree[i - 1].constant() != problem.agree[i].constant())
      return fail("sizes {} and {} differ that have to agree", tenon::to_string(problem.agree[i - 1]), tenon::to_string(problem.agree[i]));
  for (size_t i = 1; i < problem.at_most.size(); i += 2)
    if (problem.at_most[i - 1].constant() > problem.at_most[i].constant())
      return fail("a size of {} where {} is the most", tenon::to_string(problem.at_most[i - 1]), tenon::to_string(problem.at_most[i]));
  return {};
}

}  // namespace

Result<void> check_sizes(const Problem& bound, const Dims& out) {
  const auto broadcasts = [&](const Shape& operand) -> Result<void> {
    const auto dims = operand.constant();
    if (!dims || dims->size() > out.size()) return {};
    for (size_t d = 0; d < dims->size(); ++d) {
      const int64_t size = (*dims)[d], to = out[out.size() - dims->size() + d];
      if (size != 1 && size != to) return fail("an operand of {} does not broadcast to {}", tenon::to_string(*dims), tenon::to_string(out));
    }
    return {};
  };
  if (const auto* pointwise = bound.as<PointwiseProblem>())
    for (const Shape& operand : pointwise->in) TENON_OK(broadcasts(operand));
  if (const Epilogue* epilogue = epilogue_of(bound))
    for (const Shape& operand : epilogue->operands) TENON_OK(broadcasts(operand));
  if (const auto* index = bound.as<IndexProblem>()) return check_pairs(*index);
  if (const auto* scatter = bound.as<ScatterProblem>()) return check_pairs(*scatter);
  if (const auto* top = bound.as<TopKProblem>(); top && top->axis >= 0 && top->axis < top->shape.rank())
    if (top->k.constant() > top->shape[top->axis].constant())
      return fail("k = {} of only {} elements", tenon::to_string(top->k), tenon::to_string(top->shape[top->axis]));
  return {};
}

Epilogue* epilogue_of(Problem& problem) {
  return std::visit(
      [](auto& kind) -> Epilogue* {
        if constexpr (requires { kind.epilogue; }) return &kind.epilogue;
        return nullptr;
      },
      problem.kind);
}
Math* math_of(Problem& problem) {
  return std::visit(
      [](auto& kind) -> Math* {
        if constexpr (requires { kind.math; }) return &kind.math;
        return nullptr;
      },
      problem.kind);
}
Weights weights_of(const Problem& problem) {
  if (const auto* gemm = problem.as<GemmProblem>()) return {1, 2, gemm->b_static};
  if (const auto* conv = problem.as<ConvProblem>()) return {1, 2, conv->w_static};
  if (const auto* squeeze = problem.as<SqueezeExciteProblem>()) return {1, 5, squeeze->w_static};
  return {};
}
void mark_static(Problem& problem, bool are_static) {
  if (auto* gemm = std::get_if<GemmProblem>(&problem.kind)) gemm->b_static = are_static;
  if (auto* conv = std::get_if<ConvProblem>(&problem.kind)) conv->w_static = are_static;
  if (auto* squeeze = std::get_if<SqueezeExciteProblem>(&problem.kind)) squeeze->w_static = are_static;
}
const Math* math_of(const Problem& problem) { return math_of(const_cast<Problem&>(problem)); }
const Epilogue* epilogue_of(const Problem& problem) { return epilogue_of(const_cast<Problem&>(problem)); }

}  // namespace tenon::engine
