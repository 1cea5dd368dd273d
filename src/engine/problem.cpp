#include "engine/problem.h"

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
std::vector<Dim> AttentionProblem::out_dims() const {
  const std::vector<Dim> dims = {batch, heads, tq, dv};
  if (perm.size() != dims.size()) return dims;
  std::vector<Dim> out;
  for (const int64_t from : perm) out.push_back(from >= 0 && from < 4 ? dims[static_cast<size_t>(from)] : Dim(1));
  return out;
}

Problem::Problem(const Problem&) = default;
Problem::Problem(Problem&&) noexcept = default;
Problem& Problem::operator=(const Problem&) = default;
Problem& Problem::operator=(Problem&&) noexcept = default;
Problem::~Problem() = default;

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

Epilogue* epilogue_of(Problem& problem) {
  return std::visit(
      [](auto& kind) -> Epilogue* {
        if constexpr (requires { kind.epilogue; }) return &kind.epilogue;
        return nullptr;
      },
      problem.kind);
}
const Epilogue* epilogue_of(const Problem& problem) { return epilogue_of(const_cast<Problem&>(problem)); }

}  // namespace tenon::engine
