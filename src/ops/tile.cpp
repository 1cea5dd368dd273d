#include "ops/tile.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Tile&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  Shape shape = x.shape();
  if (!in[1].elems) {
    for (Dim& dim : shape.dims()) dim = ctx.mint("tile");
    return Facts{Fact(x.dtype(), std::move(shape))};
  }
  if (static_cast<int64_t>(in[1].elems->size()) != x.rank()) return fail("{} repeats for {}", in[1].elems->size(), to_string(x.shape()));
  for (int64_t i = 0; i < x.rank(); ++i) {
    const Dim& repeat = (*in[1].elems)[static_cast<size_t>(i)];
    if (repeat.is_constant() && *repeat.constant() < 0) return fail("repeat {} is {}", i, to_string(repeat));
    shape[i] = shape[i] * repeat;
  }
  Fact out(x.dtype(), std::move(shape));
  const auto count = out.rank() == 1 ? out.shape()[0].constant() : std::nullopt;
  if (x.elems && !x.elems->empty() && count && *count <= Fact::kMaxElems) {
    std::vector<Dim> elems;
    while (static_cast<int64_t>(elems.size()) < *count) elems.push_back((*x.elems)[elems.size() % x.elems->size()]);
    out.elems = std::move(elems);
  }
  return Facts{std::move(out)};
}

Result<engine::Problem> problem(const Tile&, std::span<const Fact> in, std::span<const Fact> out) {
  const Fact& x = in[0];
  if (!x.has_rank() || !in[1].elems) return fail(ErrorKind::unsupported, "the repeats are not known");
  if (x.dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  engine::IndexProblem index{.type = x.dtype(), .shape = out[0].shape()};
  engine::IndexPiece piece;
  piece.strides.assign(static_cast<size_t>(x.rank()), 0);
  Dim stride(1);
  for (int64_t d = x.rank(); d-- > 0; stride = stride * x.shape()[d]) {
    const Dim& size = x.shape()[d];
    const auto at = static_cast<size_t>(d);
    if ((*in[1].elems)[at] == Dim(1)) {
      piece.strides[at] = stride;
    } else if (!(size == Dim(1))) {
      engine::IndexTerm term{.outside = engine::Outside::wrap, .size = size, .stride = stride};
      term.steps.assign(static_cast<size_t>(x.rank()), 0);
      term.steps[at] = 1;
      piece.terms.push_back(std::move(term));
    }
  }
  index.pieces = {std::move(piece)};
  return engine::Problem(std::move(index));
}

Result<void> eval(const Tile& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  const Dims strides = strides_of(x.dims);
  int64_t k = 0;
  for (Odometer at(dims); at.inside(); at.next(), ++k) {
    int64_t from = 0;
    for (size_t d = 0; d < dims.size(); ++d) from += at[d] % x.dims[d] * strides[d];
    copy_elems(x, from, out[0].tensor, k, 1);
  }
  return {};
}

template OpRow make_row<Tile>();

}  // namespace tenon::ops
