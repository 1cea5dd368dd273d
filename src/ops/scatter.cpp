#include "ops/scatter.h"

namespace tenon::ops {

Result<Facts> infer(const ScatterElements& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank()) TENON_OK(normalize_axis(op.axis, in[0].rank()));
  if (in[0].dtype() != in[2].dtype())
    return fail("data of type {}, updates of type {}", to_string(in[0].dtype()), to_string(in[2].dtype()));
  return Facts{Fact(in[0].type)};
}

Result<Facts> infer(const ScatterND&, std::span<const Fact> in, InferCtx&) {
  if (in[0].dtype() != in[2].dtype())
    return fail("data of type {}, updates of type {}", to_string(in[0].dtype()), to_string(in[2].dtype()));
  if (in[1].has_rank() && in[1].rank() == 0) return fail("indices are a scalar");
  return Facts{Fact(in[0].type)};
}

namespace {

Dim elems_behind(const Shape& shape, int64_t axis) {
  Dim out(1);
  for (int64_t d = axis + 1; d < shape.rank(); ++d) out = out * shape[d];
  return out;
}

/// A problem without its places.
Result<engine::ScatterProblem> begin_scatter(ScatterReduction reduction, std::span<const Fact> in) {
  for (const Fact& fact : in.first(3))
    if (!fact.has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  if (in[0].dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  if (in[1].dtype() != DType::i32 && in[1].dtype() != DType::i64)
    return fail(ErrorKind::unsupported, "indices of type {}", to_string(in[1].dtype()));
  return engine::ScatterProblem{.type = in[0].dtype(), .index_type = in[1].dtype(), .reduction = reduction, .out = in[0].shape()};
}

/// Notes that the sizes have to be equal (or the first not larger); what cannot be is left to the evaluator, which says so.
Result<void> want(std::vector<Dim>& pairs, bool equal, const Dim& size, const Dim& of) {
  if (size == of) return {};
  if (size.is_constant() && of.is_constant() && (equal || *size.constant() > *of.constant()))
    return fail(ErrorKind::unsupported, "the indices do not fit");
  if (equal || !size.is_constant() || !of.is_constant()) pairs.insert(pairs.end(), {size, of});
  return {};
}

}  // namespace

Result<engine::Problem> problem(const ScatterElements& op, std::span<const Fact> in, std::span<const Fact>) {
  TENON_TRY(scatter, begin_scatter(op.reduction, in));
  const Shape &data = in[0].shape(), &indices = in[1].shape(), &updates = in[2].shape();
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  if (indices.rank() != data.rank() || updates.rank() != data.rank()) return fail(ErrorKind::unsupported, "the ranks differ");
  engine::IndexTerm term{.indices = 1, .size = data[axis], .stride = elems_behind(data, axis)};
  std::vector<Dim>& dims = scatter.shape.dims();
  bool joins = false;  // the dim ahead of the first one continues it
  for (int64_t d = data.rank(); d-- > 0;) {
    TENON_OK(want(scatter.agree, true, updates[d], indices[d]));
    if (d != axis) TENON_OK(want(scatter.at_most, false, indices[d], data[d]));
    if (joins && d != axis) {
      dims.front() = dims.front() * indices[d];
    } else {
      dims.insert(dims.begin(), indices[d]);
      scatter.strides.insert(scatter.strides.begin(), d == axis ? Dim(0) : elems_behind(data, d));
      term.steps.insert(term.steps.begin(), elems_behind(indices, d));
    }
    joins = d != axis && data[d] == indices[d];
  }
  scatter.terms = {std::move(term)};
  scatter.apart = axis > 0;
  return engine::Problem(std::move(scatter));
}

Result<engine::Problem> problem(const ScatterND& op, std::span<const Fact> in, std::span<const Fact>) {
  TENON_TRY(scatter, begin_scatter(op.reduction, in));
  const Shape &data = in[0].shape(), &indices = in[1].shape(), &updates = in[2].shape();
  const auto depth = indices[indices.rank() - 1].constant();
  if (!depth || *depth > data.rank()) return fail(ErrorKind::unsupported, "the number of coordinates is not known");
  std::vector<Dim> wanted(indices.dims().begin(), indices.dims().end() - 1);
  scatter.shape = Shape{Shape(wanted).elems(), elems_behind(data, *depth - 1)};
  wanted.insert(wanted.end(), data.dims().begin() + *depth, data.dims().end());
  if (wanted.size() != updates.dims().size()) return fail(ErrorKind::unsupported, "the ranks differ");
  for (size_t d = 0; d < wanted.size(); ++d) TENON_OK(want(scatter.agree, true, updates.dims()[d], wanted[d]));
  scatter.strides = {0, 1};
  for (int64_t k = 0; k < *depth; ++k)
    scatter.terms.push_back({.start = k, .steps = {*depth, 0}, .indices = 1, .size = data[k], .stride = elems_behind(data, k)});
  return engine::Problem(std::move(scatter));
}

template OpRow make_row<ScatterElements>();
template OpRow make_row<ScatterND>();

}  // namespace tenon::ops
