#include "ops/pad.h"

#include <algorithm>

#include "ops/move.h"

namespace tenon::ops {
namespace {

/// Begin and end of every dim, from pads of all dims or of `axes`.
template <class T>
Result<std::vector<T>> spread(const std::vector<T>& pads, const std::optional<Dims>& axes, int64_t rank) {
  std::vector<T> out(static_cast<size_t>(2 * rank), T(0));
  const auto count = static_cast<int64_t>(axes ? axes->size() : static_cast<size_t>(rank));
  if (static_cast<int64_t>(pads.size()) != 2 * count) return fail("{} pads for {} dims, wanted {}", pads.size(), count, 2 * count);
  for (int64_t i = 0; i < count; ++i) {
    TENON_TRY(axis, normalize_axis(axes ? (*axes)[static_cast<size_t>(i)] : i, rank));
    out[static_cast<size_t>(axis)] = pads[static_cast<size_t>(i)];
    out[static_cast<size_t>(rank + axis)] = pads[static_cast<size_t>(count + i)];
  }
  return out;
}

/// Where output coordinate `at` (already less the begin pad) of a dim of `size` reads; -1: the pad value.
int64_t source(PadMode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case PadMode::constant: return -1;
    case PadMode::edge: return std::clamp<int64_t>(at, 0, size - 1);
    case PadMode::wrap: return ((at % size) + size) % size;
    case PadMode::reflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * (size - 1), folded = ((at % period) + period) % period;
      return folded < size ? folded : period - folded;
    }
  }
  return -1;
}

}  // namespace

Result<Facts> infer(const Pad&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  if (in.size() < 2) return fail("pads are missing");
  Shape shape = x.shape();
  const std::optional<Dims> axes = present(in, 3) ? in[3].ints() : std::nullopt;
  if (!in[1].elems || (present(in, 3) && !axes)) {
    const auto changes = [&](int64_t i) {
      return !axes || std::ranges::any_of(*axes, [&](int64_t axis) { return axis == i || axis + x.rank() == i; });
    };
    for (int64_t i = 0; i < x.rank(); ++i)
      if (changes(i)) shape[i] = ctx.mint("pad");
    return Facts{Fact(x.dtype(), std::move(shape))};
  }
  TENON_TRY(pads, spread(*in[1].elems, axes, x.rank()));
  for (int64_t i = 0; i < x.rank(); ++i) {
    shape[i] = shape[i] + pads[static_cast<size_t>(i)] + pads[static_cast<size_t>(i + x.rank())];
    if (shape[i].is_constant() && *shape[i].constant() < 0) return fail("pads crop more than dim {} of {}", i, to_string(x.shape()));
  }
  return Facts{Fact(x.dtype(), std::move(shape))};
}

namespace {

engine::Outside outside_of(PadMode mode) {
  switch (mode) {
    case PadMode::edge: return engine::Outside::edge;
    case PadMode::reflect: return engine::Outside::reflect;
    case PadMode::wrap: return engine::Outside::wrap;
    case PadMode::constant: break;
  }
  return engine::Outside::fill;
}

bool is_zero(const Fact& fact) {
  if (!fact.constant || !fact.constant->data) return false;
  const ByteView bytes = fact.constant->view();
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<engine::Problem> problem(const Pad& op, std::span<const Fact> in, std::span<const Fact> out) {
  const Fact& x = in[0];
  if (!x.has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  if (x.dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  const std::optional<Dims> axes = present(in, 3) ? in[3].ints() : std::nullopt;
  if (!in[1].elems || (present(in, 3) && !axes)) return fail(ErrorKind::unsupported, "the pads are not known");
  TENON_TRY(pads, spread(*in[1].elems, axes, x.rank()));
  // Dims that nothing is added to join their neighbours.
  engine::IndexProblem index{.type = x.dtype()};
  engine::IndexPiece piece;
  std::vector<std::pair<size_t, engine::IndexTerm>> terms;  // the dim of the problem that each follows
  Dim stride(1);
  bool joins = false;
  for (int64_t d = x.rank(); d-- > 0; stride = stride * x.shape()[d]) {
    const Dim& begin = pads[static_cast<size_t>(d)];
    const bool padded = !(begin == Dim(0)) || !(pads[static_cast<size_t>(x.rank() + d)] == Dim(0));
    std::vector<Dim>& dims = index.shape.dims();
    if (!padded && joins) {
      dims.front() = dims.front() * x.shape()[d];
      continue;
    }
    dims.insert(dims.begin(), out[0].shape()[d]);
    piece.strides.insert(piece.strides.begin(), padded ? Dim(0) : stride);
    if (padded)
      terms.push_back({dims.size(), {.start = Dim(0) - begin, .outside = outside_of(op.mode), .size = x.shape()[d], .stride = stride}});
    joins = !padded;
  }
  for (auto& [from_end, term] : terms) {
    term.steps.assign(index.shape.dims().size(), 0);
    term.steps[term.steps.size() - from_end] = 1;
    piece.terms.push_back(std::move(term));
  }
  index.pieces = {std::move(piece)};
  if (op.mode == PadMode::constant && present(in, 2) && !is_zero(in[2])) index.fill = 2;
  return engine::Problem(std::move(index));
}

Result<void> eval(const Pad& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(dims, known_dims(op, in));
  const auto given = [&](size_t i) { return i < in.size() && in[i].kind == HostValue::Kind::tensor; };
  TENON_TRY(pads, spread(ints_of(in[1].tensor), given(3) ? std::optional(ints_of(in[3].tensor)) : std::nullopt, x.rank()));
  if (given(2) && (in[2].tensor.dtype != x.dtype || in[2].tensor.elems() != 1))
    return fail("the pad value is {}{}, wanted one {}", to_string(in[2].tensor.dtype), to_string(in[2].tensor.dims), to_string(x.dtype));
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  Tensor& y = out[0].tensor;
  clear(y);
  if (y.elems() == 0) return {};
  if (op.mode != PadMode::constant && x.elems() == 0)
    return fail("mode {} has nothing to repeat in {}", enum_names(op.mode)[static_cast<size_t>(op.mode)], to_string(x.dims));
  const Dims strides = strides_of(x.dims);
  int64_t k = 0;
  for (Odometer at(dims); at.inside(); at.next(), ++k) {
    int64_t from = 0;
    for (size_t d = 0; d < dims.size() && from >= 0; ++d) {
      const int64_t i = source(op.mode, at[d] - pads[d], x.dims[d]);
      from = i < 0 ? -1 : from + i * strides[d];
    }
    if (from >= 0) {
      copy_elems(x, from, y, k, 1);
    } else if (given(2)) {
      copy_elems(in[2].tensor, 0, y, k, 1);
    }
  }
  return {};
}

template OpRow make_row<Pad>();

}  // namespace tenon::ops
