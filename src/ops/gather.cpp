#include "ops/gather.h"

namespace tenon::ops {
namespace {

Result<void> check_indices(const Fact& indices) {
  if (indices.dtype() == DType::i64 || indices.dtype() == DType::i32 || indices.dtype() == DType::none) return {};
  return fail("indices are of type {}, wanted i64 or i32", to_string(indices.dtype()));
}

}  // namespace

Result<Facts> infer(const Gather& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  const Fact &data = in[0], &indices = in[1];
  if (!data.has_rank() || !indices.has_rank()) return Facts{Fact(data.dtype(), Shape::unknown())};
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  std::vector<Dim> dims = data.shape().dims();
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.shape().dims().begin(), indices.shape().dims().end());
  Fact out(data.dtype(), Shape(std::move(dims)));
  const auto at = indices.ints();
  if (data.elems && data.rank() == 1 && at && at->size() <= static_cast<size_t>(Fact::kMaxElems)) {
    const auto count = static_cast<int64_t>(data.elems->size());
    std::vector<Dim> elems;
    for (const int64_t index : *at) {
      if (index < -count || index >= count) return fail("index {} is outside [{}, {}]", index, -count, count - 1);
      elems.push_back((*data.elems)[static_cast<size_t>(index < 0 ? index + count : index)]);
    }
    out.elems = std::move(elems);
  }
  return Facts{std::move(out)};
}

Result<Facts> infer(const GatherElements& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  if (in[0].has_rank()) {
    TENON_OK(normalize_axis(op.axis, in[0].rank()));
    if (in[1].has_rank() && in[0].rank() != in[1].rank())
      return fail("data {} and indices {} differ in rank", to_string(in[0].shape()), to_string(in[1].shape()));
  }
  return Facts{Fact(in[0].dtype(), in[1].shape())};
}

Result<Facts> infer(const GatherND& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  const Fact &data = in[0], &indices = in[1];
  const auto depth = indices.has_rank() && indices.rank() > 0 ? indices.shape()[indices.rank() - 1].constant() : std::nullopt;
  if (indices.has_rank() && indices.rank() == 0) return fail("indices are a scalar");
  if (!data.has_rank() || !depth) return Facts{Fact(data.dtype(), Shape::unknown())};
  if (op.batch_dims < 0 || op.batch_dims >= indices.rank() || op.batch_dims + *depth > data.rank())
    return fail("indices {} with {} batch dims do not fit data {}", to_string(indices.shape()), op.batch_dims, to_string(data.shape()));
  std::vector<Dim> dims(indices.shape().dims().begin(), indices.shape().dims().end() - 1);
  dims.insert(dims.end(), data.shape().dims().begin() + op.batch_dims + *depth, data.shape().dims().end());
  return Facts{Fact(data.dtype(), Shape(std::move(dims)))};
}

namespace {

/// Of dims [first, last).
Dim product_of(const Shape& shape, int64_t first, int64_t last) {
  Dim out(1);
  for (int64_t d = first; d < last; ++d) out = out * shape[d];
  return out;
}

Result<void> check_moves(std::span<const Fact> in) {
  if (!in[0].has_rank() || !in[1].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  if (in[0].dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  return {};
}

/// Known positions that lie inside and are evenly spaced: the first and the step.
std::optional<std::pair<int64_t, int64_t>> even_positions(const Fact& indices, const Dim& size) {
  const auto at = indices.ints();
  const auto number = size.constant();
  if (!at || at->empty() || !number) return std::nullopt;
  Dims from_start;
  for (const int64_t index : *at) {
    if (index < -*number || index >= *number) return std::nullopt;
    from_start.push_back(index < 0 ? index + *number : index);
  }
  const int64_t step = from_start.size() > 1 ? from_start[1] - from_start[0] : 0;
  for (size_t i = 1; i < from_start.size(); ++i)
    if (from_start[i] - from_start[i - 1] != step) return std::nullopt;
  return std::pair(from_start[0], step);
}

}  // namespace

Result<engine::Problem> problem(const Gather& op, std::span<const Fact> in, std::span<const Fact>) {
  TENON_OK(check_moves(in));
  const Shape& data = in[0].shape();
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  const Dim outer = product_of(data, 0, axis), inner = product_of(data, axis + 1, data.rank()), size = data[axis];
  const Shape shape{outer, in[1].shape().elems(), inner};
  if (const auto even = even_positions(in[1], size))
    return engine::Problem(engine::CopyProblem{.type = in[0].dtype(),
                                               .shape = shape,
                                               .offset = inner * Dim(even->first),
                                               .strides = {size * inner, inner * Dim(even->second), 1}});
  engine::IndexPiece piece{.strides = {size * inner, 0, 1}};
  piece.terms.push_back({.steps = {0, 1, 0}, .indices = 1, .size = size, .stride = inner});
  return engine::Problem(
      engine::IndexProblem{.type = in[0].dtype(), .index_type = in[1].dtype(), .shape = shape, .pieces = {std::move(piece)}});
}

Result<engine::Problem> problem(const GatherElements& op, std::span<const Fact> in, std::span<const Fact>) {
  TENON_OK(check_moves(in));
  const Shape &data = in[0].shape(), &indices = in[1].shape();
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  engine::IndexPiece piece;
  engine::IndexTerm term{.indices = 1, .size = data[axis], .stride = product_of(data, axis + 1, data.rank())};
  std::vector<Dim> at_most;
  for (int64_t d = 0; d < data.rank(); ++d) {
    const Known leaves = d == axis ? Known::no : Symbols{}.known_less(data[d], indices[d]);
    if (leaves == Known::yes) return fail(ErrorKind::unsupported, "the indices leave the data");
    if (leaves == Known::unknown) at_most.insert(at_most.end(), {indices[d], data[d]});
    piece.strides.push_back(d == axis ? Dim(0) : product_of(data, d + 1, data.rank()));
    term.steps.push_back(product_of(indices, d + 1, data.rank()));
  }
  piece.terms.push_back(std::move(term));
  return engine::Problem(engine::IndexProblem{
      .type = in[0].dtype(), .index_type = in[1].dtype(), .shape = indices, .pieces = {std::move(piece)}, .at_most = std::move(at_most)});
}

Result<engine::Problem> problem(const GatherND& op, std::span<const Fact> in, std::span<const Fact>) {
  TENON_OK(check_moves(in));
  const Shape &data = in[0].shape(), &indices = in[1].shape();
  const auto depth = indices[indices.rank() - 1].constant();
  if (!depth) return fail(ErrorKind::unsupported, "the number of coordinates is not known");
  if (op.batch_dims + *depth > data.rank()) return fail(ErrorKind::unsupported, "{} coordinates for {}", *depth, to_string(data));
  std::vector<Dim> agree;
  for (int64_t d = 0; d < op.batch_dims; ++d)
    if (!(data[d] == indices[d])) agree.insert(agree.end(), {data[d], indices[d]});
  const Dim batches = product_of(data, 0, op.batch_dims), count = product_of(indices, op.batch_dims, indices.rank() - 1),
            slice = product_of(data, op.batch_dims + *depth, data.rank());
  engine::IndexPiece piece{.strides = {product_of(data, op.batch_dims, data.rank()), 0, 1}};
  for (int64_t k = 0; k < *depth; ++k) {
    const int64_t axis = op.batch_dims + k;
    piece.terms.push_back({.start = k,
                           .steps = {count * Dim(*depth), Dim(*depth), 0},
                           .indices = 1,
                           .size = data[axis],
                           .stride = product_of(data, axis + 1, data.rank())});
  }
  return engine::Problem(engine::IndexProblem{.type = in[0].dtype(),
                                              .index_type = in[1].dtype(),
                                              .shape = Shape{batches, count, slice},
                                              .pieces = {std::move(piece)},
                                              .agree = std::move(agree)});
}

template OpRow make_row<Gather>();
template OpRow make_row<GatherElements>();
template OpRow make_row<GatherND>();

}  // namespace tenon::ops
