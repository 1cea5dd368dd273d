#include <algorithm>

#include "ops/grid_sample.h"
#include "ops/move.h"
#include "ops/resize.h"
#include "ops/scatter.h"
#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

constexpr int64_t kFarthest = int64_t{1} << 60;  // sums of a few such numbers stay inside of 64 bits

Result<int64_t> bound_number(const Dim& dim) {
  const auto number = dim.constant();
  if (!number) return fail("the size {} of the problem is not bound to a number", to_string(dim));
  if (*number > kFarthest || *number < -kFarthest) return fail("the size {} of the problem is too large", *number);
  return *number;
}

/// start + sum_d i_d · steps_d.
struct Affine {
  int64_t start = 0;
  Dims steps;
  int64_t at(const ops::Odometer& i) const { return start + i.dot(steps); }
};
Result<Affine> affine_of(const Dim& start, const std::vector<Dim>& steps, const Dims& dims) {
  Affine out;
  TENON_TRY(first, bound_number(start));
  out.start = first;
  if (steps.size() != dims.size()) return fail("{} steps for the shape {}", steps.size(), to_string(dims));
  __int128 reach = first < 0 ? -first : first;
  for (size_t d = 0; d < dims.size(); ++d) {
    TENON_TRY(step, bound_number(steps[d]));
    out.steps.push_back(step);
    reach += static_cast<__int128>(step < 0 ? -step : step) * std::max<int64_t>(dims[d], 1);
  }
  if (reach > kFarthest) return fail("an index of {} leaves every tensor", to_string(dims));
  return out;
}

Result<const Tensor*> moved(std::span<const HostValue> in, int64_t i, DType type) {
  if (i < 0 || i >= static_cast<int64_t>(in.size())) return fail("the problem names input {} of {}", i, in.size());
  const HostValue& value = in[static_cast<size_t>(i)];
  if (value.kind != HostValue::Kind::tensor || !value.tensor.defined()) return fail("input {} is missing", i);
  if (value.tensor.dtype != type) return fail("input {} is {}, the problem says {}", i, to_string(value.tensor.dtype), to_string(type));
  return &value.tensor;
}

/// A coordinate that is more than a stride.
struct Coordinate {
  Affine affine;
  const Tensor* indices = nullptr;
  engine::Outside outside = engine::Outside::never;
  int64_t size = 0, stride = 0;
};

Result<Coordinate> coordinate_of(DType index_type, const engine::IndexTerm& term, const Dims& dims, std::span<const HostValue> in) {
  Coordinate out{.outside = term.outside};
  TENON_TRY(affine, affine_of(term.start, term.steps, dims));
  TENON_TRY(size, bound_number(term.size));
  TENON_TRY(stride, bound_number(term.stride));
  out.affine = std::move(affine);
  out.size = size;
  out.stride = stride;
  if (size < 0 || static_cast<__int128>(size) * (stride < 0 ? -stride : stride) > kFarthest) return fail("a dim of {} is too large", size);
  if (term.indices < 0) return out;
  if (index_type != DType::i64 && index_type != DType::i32) return fail("indices are of type {}", to_string(index_type));
  TENON_TRY(indices, moved(in, term.indices, index_type));
  out.indices = indices;
  return out;
}

/// The place in [0, size), or nothing: the fill element.
Result<std::optional<int64_t>> place_of(const Coordinate& c, int64_t at) {
  if (c.indices) {
    if (at < 0 || at >= c.indices->elems()) return fail("element {} of {} indices", at, c.indices->elems());
    TENON_TRY(index, ops::checked_index(element_as_int(*c.indices, at), c.size));
    return std::optional(index);
  }
  if (at >= 0 && at < c.size) return std::optional(at);
  if (c.outside == engine::Outside::fill) return std::optional<int64_t>();
  if (c.outside == engine::Outside::never || c.size == 0) return fail("coordinate {} of a dim of {}", at, c.size);
  if (c.outside == engine::Outside::edge) return std::optional(std::clamp<int64_t>(at, 0, c.size - 1));
  if (c.outside == engine::Outside::wrap) return std::optional(((at % c.size) + c.size) % c.size);
  if (c.size == 1) return std::optional<int64_t>(0);
  const int64_t period = 2 * (c.size - 1), folded = ((at % period) + period) % period;
  return std::optional(folded < c.size ? folded : period - folded);
}

struct Source {
  const Tensor* tensor = nullptr;
  Affine affine;
  std::vector<Coordinate> coordinates;
  /// Of the element at coordinates i; nothing: the fill element.
  Result<std::optional<int64_t>> element(const ops::Odometer& i) const {
    int64_t out = affine.at(i);
    for (const Coordinate& c : coordinates) {
      TENON_TRY(place, place_of(c, c.affine.at(i)));
      if (!place) return place;
      out += *place * c.stride;
    }
    return std::optional(out);
  }
};

/// Moves a piece of `dims` to out, whose coordinates begin at element `first` and have `strides`.
Result<void> move_piece(const Source& from, const Tensor* fill, const Dims& dims, const Dims& strides, int64_t first, Tensor& out) {
  // The last dim goes in one run where no coordinate follows it.
  const bool runs = !dims.empty() && std::all_of(from.coordinates.begin(), from.coordinates.end(),
                                                 [](const Coordinate& c) { return c.affine.steps.back() == 0; });
  Dims outer = dims;
  int64_t count = 1, step = 1;
  if (runs) {
    count = dims.back();
    step = from.affine.steps.back();
    outer.back() = std::min<int64_t>(count, 1);
  }
  for (ops::Odometer i(outer); i.inside(); i.next()) {
    const int64_t to = first + i.dot(strides);
    TENON_TRY(at, from.element(i));
    if (!at) {
      if (fill) ops::fill_elems(*fill, 0, out, to, count);
      continue;
    }
    const int64_t last = *at + (count - 1) * step;
    if (std::min(*at, last) < 0 || std::max(*at, last) >= from.tensor->elems())
      return fail("elements {} to {} of a source of {}", *at, last, from.tensor->elems());
    if (step == 1) {
      ops::copy_elems(*from.tensor, *at, out, to, count);
    } else if (step == 0) {
      ops::fill_elems(*from.tensor, *at, out, to, count);
    } else {
      for (int64_t k = 0; k < count; ++k) ops::copy_elems(*from.tensor, *at + k * step, out, to + k, 1);
    }
  }
  return {};
}

}  // namespace

Result<void> run(const engine::IndexProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  const auto shape = p.shape.constant();
  if (!shape) return fail("the shape {} of the problem is not bound to numbers", to_string(p.shape));
  const Dims& dims = *shape;
  TENON_OK(engine::check_sizes(p, dims));
  TENON_TRY(elems, checked_elems(dims));
  const DType to = p.to == DType::none ? p.type : p.to;
  if (to != p.type && (!is_float(to) || !is_float(p.type) || p.fill >= 0)) return fail("{} moved as {}", to_string(p.type), to_string(to));
  TENON_TRY(y, begin_result(p.type, dims, to, {}, out));
  const Tensor* fill = nullptr;
  if (p.fill >= 0) {
    TENON_TRY(element, moved(in, p.fill, p.type));
    if (element->elems() != 1) return fail("the fill element is {}", to_string(element->dims));
    fill = element;
  }
  if (p.pieces.size() != 1 && (p.axis < 0 || p.axis >= static_cast<int64_t>(dims.size())))
    return fail("{} pieces along dim {} of {}", p.pieces.size(), p.axis, to_string(dims));
  const auto axis = static_cast<size_t>(p.axis);
  ops::clear(y);
  const Dims strides = strides_of(dims);
  for (size_t k = 0; k < p.pieces.size() && elems > 0; ++k) {
    const engine::IndexPiece& piece = p.pieces[k];
    Dims part = dims;
    int64_t first = 0;
    if (p.pieces.size() > 1) {
      TENON_TRY(begin, bound_number(piece.first));
      TENON_TRY(end, bound_number(k + 1 < p.pieces.size() ? p.pieces[k + 1].first : Dim(dims[axis])));
      if (begin < 0 || end < begin || end > dims[axis]) return fail("a piece from {} to {} of {}", begin, end, dims[axis]);
      part[axis] = end - begin;
      first = begin * strides[axis];
    }
    if (elems_of(part) == 0) continue;
    Source source;
    TENON_TRY(tensor, moved(in, piece.source, p.type));
    TENON_TRY(affine, affine_of(piece.offset, piece.strides, part));
    source.tensor = tensor;
    source.affine = std::move(affine);
    for (const engine::IndexTerm& term : piece.terms) {
      TENON_TRY(coordinate, coordinate_of(p.index_type, term, part, in));
      source.coordinates.push_back(std::move(coordinate));
    }
    TENON_OK(move_piece(source, fill, part, strides, first, y));
  }
  return finish(y, to, {}, {}, out);
}

Result<void> run(const engine::ScatterProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  TENON_TRY(dims, numbers(p.out.dims(), "the size"));
  TENON_TRY(steps, numbers(p.shape.dims(), "the size"));
  TENON_OK(engine::check_sizes(p, dims));
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(count, checked_elems(steps));
  TENON_TRY(data, moved(in, 0, p.type));
  TENON_TRY(updates, moved(in, 2, p.type));
  if (data->elems() != elems) return fail("data {} for a result of {}", to_string(data->dims), to_string(dims));
  if (updates->elems() != count) return fail("updates {}, wanted {}", to_string(updates->dims), to_string(steps));
  Source places;  // of the result
  TENON_TRY(affine, affine_of(0, p.strides, steps));
  places.affine = std::move(affine);
  for (const engine::IndexTerm& term : p.terms) {
    TENON_TRY(coordinate, coordinate_of(p.index_type, term, steps, in));
    places.coordinates.push_back(std::move(coordinate));
  }
  TENON_OK(fit_output(out[0], p.type, dims));
  // The last dim goes in one run where it lies so in the result.
  const bool runs =
      !steps.empty() && places.affine.steps.back() == 1 &&
      std::all_of(places.coordinates.begin(), places.coordinates.end(), [](const Coordinate& c) { return c.affine.steps.back() == 0; });
  const int64_t run = runs ? steps.back() : 1, apart = p.apart && !steps.empty() ? places.affine.steps[0] : 0;
  if (runs) steps.back() = std::min<int64_t>(run, 1);
  return ops::scatter_into(p.reduction, *data, *updates, out[0].tensor, [&](Tensor& target, const Tensor& values) -> Result<void> {
    int64_t i = 0;
    for (ops::Odometer u(steps); u.inside(); u.next(), i += run) {
      TENON_TRY(at, places.element(u));
      if (!at) continue;
      if (*at < 0 || *at + run > elems) return fail("elements {} to {} of {}", *at, *at + run - 1, elems);
      if (apart > 0 && (*at / apart != u[0] || (*at + run - 1) / apart != u[0])) return fail("element {} belongs to another part", *at);
      ops::put_updates(p.reduction, p.type == DType::u64, target, *at, values, i, run);
    }
    return {};
  });
}

Result<void> run(const engine::SeriesProblem& p, std::span<const HostValue>, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  const auto dims = p.shape.constant();
  if (!dims) return fail("the shape {} of the problem is not bound to numbers", to_string(p.shape));
  if (!is_int(p.type) && p.type != DType::boolean) return fail("a series of {}", to_string(p.type));
  if (p.values.empty()) return fail("a series begins with a value");
  TENON_TRY(values, numbers(p.values, "the value"));
  TENON_TRY(step, bound_number(p.step));
  TENON_TRY(count, checked_elems(*dims));
  TENON_OK(fit_output(out[0], p.type, *dims));
  TENON_TRY(wide, Tensor::allocate(DType::i64, *dims));
  const auto known = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < count; ++i) {
    const auto behind = static_cast<uint64_t>(std::max<int64_t>(i - known + 1, 0));  // wraps, as integers of every type do
    wide.as<int64_t>()[static_cast<size_t>(i)] = static_cast<int64_t>(
        static_cast<uint64_t>(values[static_cast<size_t>(std::min(i, known - 1))]) + behind * static_cast<uint64_t>(step));
  }
  return store(wide, out[0].tensor);
}

Result<void> run(const engine::ResizeProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  TENON_TRY(x, moved(in, 0, p.type));
  return ops::resize(p, *x, out[0]);
}

Result<void> run(const engine::GridSampleProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  TENON_TRY(x, moved(in, 0, p.type));
  TENON_TRY(grid, moved(in, 1, p.grid_type));
  const auto dims = [&](std::vector<Dim> front, const std::vector<Dim>& spatial, std::vector<Dim> back) {
    front.insert(front.end(), spatial.begin(), spatial.end());
    front.insert(front.end(), back.begin(), back.end());
    return numbers(front, "the size");
  };
  TENON_TRY(from, dims({p.n, p.c}, p.in_spatial, {}));
  TENON_TRY(points, dims({p.n}, p.out_spatial, {static_cast<int64_t>(p.in_spatial.size())}));
  TENON_TRY(to, dims({p.n, p.c}, p.out_spatial, {}));
  TENON_TRY(elems, checked_elems(from));
  TENON_TRY(places, checked_elems(points));
  TENON_TRY(count, checked_elems(to));
  if (x->elems() != elems || grid->elems() != places)
    return fail("x {} and grid {}, wanted {} and {}", to_string(x->dims), to_string(grid->dims), to_string(from), to_string(points));
  TENON_OK(fit_output(out[0], p.type, to));
  const HostValue operands[] = {Tensor::wrap(p.type, from, x->data, x->owner), Tensor::wrap(p.grid_type, points, grid->data, grid->owner)};
  HostValue result(Tensor::wrap(p.type, to, out[0].tensor.data, out[0].tensor.owner));
  if (count == 0) return {};
  return eval(ops::GridSample{.mode = p.mode, .padding = p.padding, .align_corners = p.align_corners}, operands, {&result, 1});
}

}  // namespace tenon::reference
