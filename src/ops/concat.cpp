#include "ops/concat.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Concat& op, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty()) return fail("takes at least one input");
  Shape shape = Shape::unknown();
  for (const Fact& x : in) {
    if (x.dtype() != in[0].dtype()) return fail("inputs of types {} and {}", to_string(in[0].dtype()), to_string(x.dtype()));
    if (!shape.has_rank() && x.has_rank()) shape = x.shape();
  }
  if (!shape.has_rank()) return Facts{Fact(in[0].dtype(), shape)};
  TENON_TRY(axis, normalize_axis(op.axis, shape.rank()));
  Dim total(0);
  bool known = true;
  for (const Fact& x : in) {
    if (!x.has_rank()) {
      known = false;
      continue;
    }
    if (x.rank() != shape.rank()) return fail("inputs {} and {} differ in rank", to_string(shape), to_string(x.shape()));
    for (int64_t i = 0; i < shape.rank(); ++i) {
      if (i == axis) continue;
      if (ctx.symbols->known_equal(shape[i], x.shape()[i]) == Known::no)
        return fail("inputs {} and {} differ in dim {}, which is not the axis", to_string(in[0].shape()), to_string(x.shape()), i);
      if (x.shape()[i].is_constant()) shape[i] = x.shape()[i];
    }
    total = total + x.shape()[axis];
  }
  shape[axis] = known ? total : ctx.mint("concat");
  Fact out(in[0].dtype(), shape);
  const auto count = shape.rank() == 1 ? shape[0].constant() : std::nullopt;
  if (count && *count <= Fact::kMaxElems) {
    std::vector<Dim> elems;
    for (const Fact& x : in) {
      if (!x.elems) return Facts{std::move(out)};
      elems.insert(elems.end(), x.elems->begin(), x.elems->end());
    }
    out.elems = std::move(elems);
  }
  return Facts{std::move(out)};
}

Result<engine::Problem> problem(const Concat& op, std::span<const Fact> in, std::span<const Fact> out) {
  if (in[0].dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  if (!out[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  const Shape& y = out[0].shape();
  TENON_TRY(axis, normalize_axis(op.axis, y.rank()));
  Dim outer(1), inner(1), at(0);
  for (int64_t d = 0; d < y.rank(); ++d)
    if (d != axis) (d < axis ? outer : inner) = (d < axis ? outer : inner) * y[d];
  engine::IndexProblem index{.type = in[0].dtype(), .shape = Shape{outer, y[axis] * inner}, .axis = 1};
  for (size_t k = 0; k < in.size(); ++k) {
    if (!in[k].has_rank() || in[k].rank() != y.rank()) return fail(ErrorKind::unsupported, "the rank of input {} is not known", k);
    const Shape& x = in[k].shape();
    for (int64_t d = 0; d < y.rank(); ++d)
      if (d != axis && !(x[d] == y[d])) index.agree.insert(index.agree.end(), {x[d], y[d]});
    const Dim row = x[axis] * inner;
    index.pieces.push_back({.source = static_cast<int64_t>(k), .first = at, .strides = {row, 1}});
    at = at + row;
  }
  return engine::Problem(std::move(index));
}

Result<void> eval(const Concat& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, static_cast<int64_t>(dims.size())));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  const int64_t outer = elems_before(dims, axis), row = elems_after(dims, axis) * dims[static_cast<size_t>(axis)];
  int64_t at = 0;
  for (const HostValue& value : in) {
    const Tensor& x = value.tensor;
    const int64_t piece = elems_after(x.dims, axis) * x.dims[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < outer; ++i) copy_elems(x, i * piece, out[0].tensor, i * row + at, piece);
    at += piece;
  }
  return {};
}

template OpRow make_row<Concat>();

}  // namespace tenon::ops
