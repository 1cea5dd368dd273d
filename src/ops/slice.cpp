#include "ops/slice.h"

#include <algorithm>

#include "ops/move.h"

namespace tenon::ops {
namespace {

struct Cut {
  Dim start, length;
  int64_t step = 1;
  bool known = true;  // false: only that there is a cut
};

constexpr int64_t kFar = int64_t{1} << 31;  // exporters write INT32_MAX or INT64_MAX for "to the end"

/// ONNX Slice-13: negative positions count from the end; then start and end are clamped to [0, size], or [-1, size - 1] backwards.
Cut cut_of(const Dim& size, const Dim& start, const Dim& end, int64_t step, const Symbols& symbols) {
  const auto clamp = [&](const Dim& at, const Dim& low, const Dim& high) {
    if (const auto number = at.constant()) {
      if (*number >= kFar) return high;
      if (*number <= -kFar) return low;
    }
    Dim from_start = at;
    const Interval interval = symbols.interval(at);
    if (interval.most < 0) from_start = at + size;
    if (symbols.interval(from_start - low).least < 0) from_start = max(from_start, low);
    return symbols.interval(high - from_start).least >= 0 ? from_start : min(from_start, high);
  };
  const auto sign_known = [&](const Dim& at) {
    const Interval interval = symbols.interval(at);
    return interval.least >= 0 || interval.most < 0;
  };
  if (!sign_known(start) || !sign_known(end)) return {.step = step, .known = false};
  const Dim low(step > 0 ? 0 : -1), high = step > 0 ? size : size - 1;
  if (size.constant() == 0) return {Dim(0), Dim(0), step, true};  // backwards the clamps would let one element through
  const bool from_end = start.constant() == -1 || start.constant().value_or(0) >= kFar;
  const Dim backward = from_end ? high : max(clamp(start, low, high), 0);
  const Dim first = step > 0 ? clamp(start, low, high) : backward, last = clamp(end, low, high);
  const Dim span = step > 0 ? ceildiv(last - first, step) : ceildiv(first - last, -step);
  return {first, symbols.interval(span).least >= 0 ? span : max(span, 0), step, true};
}

/// One cut per dim; nothing when the axes or steps are not known.
Result<std::optional<std::vector<Cut>>> cuts_of(std::span<const Fact> in, const Symbols& symbols) {
  if (in.size() < 3) return fail("x, starts and ends are wanted, got {} inputs", in.size());
  const Shape& x = in[0].shape();
  const Fact &starts = in[1], &ends = in[2];
  std::optional<int64_t> count = starts.has_rank() && starts.rank() == 1 ? starts.shape()[0].constant() : std::nullopt;
  if (starts.elems) count = static_cast<int64_t>(starts.elems->size());
  if (!count) return std::optional<std::vector<Cut>>();
  if (*count < 0 || *count > x.rank()) return fail("{} starts for {}", *count, to_string(x));
  Dims axes, steps(static_cast<size_t>(*count), 1);
  for (int64_t i = 0; i < *count; ++i) axes.push_back(i);
  if (present(in, 3)) {
    const auto given = in[3].ints();
    if (!given) return std::optional<std::vector<Cut>>();
    axes = *given;
  }
  if (present(in, 4)) {
    const auto given = in[4].ints();
    if (!given) return std::optional<std::vector<Cut>>();
    steps = *given;
  }
  if (static_cast<int64_t>(axes.size()) != *count || static_cast<int64_t>(steps.size()) != *count ||
      (ends.elems && static_cast<int64_t>(ends.elems->size()) != *count))
    return fail("starts, ends, axes and steps must have as many elements");
  std::vector<Cut> cuts;
  for (const Dim& size : x.dims()) cuts.push_back({0, size});
  for (int64_t i = 0; i < *count; ++i) {
    TENON_TRY(axis, normalize_axis(axes[static_cast<size_t>(i)], x.rank()));
    const int64_t step = std::clamp(steps[static_cast<size_t>(i)], -kFar, kFar);  // all that reach over the dim are alike
    if (step == 0) return fail("a step of 0");
    Cut& cut = cuts[static_cast<size_t>(axis)];
    if (starts.elems && ends.elems) {
      cut = cut_of(x[axis], (*starts.elems)[static_cast<size_t>(i)], (*ends.elems)[static_cast<size_t>(i)], step, symbols);
    } else {
      cut = {.step = step, .known = false};
    }
  }
  return std::optional(std::move(cuts));
}

}  // namespace

Result<Facts> infer(const Slice&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty() || !in[0].has_rank()) return Facts{Fact(in.empty() ? DType::none : in[0].dtype(), Shape::unknown())};
  TENON_TRY(cuts, cuts_of(in, *ctx.symbols));
  Shape shape;
  for (int64_t d = 0; d < in[0].rank(); ++d)
    shape.dims().push_back(cuts && (*cuts)[static_cast<size_t>(d)].known ? (*cuts)[static_cast<size_t>(d)].length : ctx.mint("slice"));
  Fact out(in[0].dtype(), std::move(shape));
  if (in[0].elems && cuts && cuts->size() == 1 && (*cuts)[0].known) {
    const auto start = (*cuts)[0].start.constant(), length = (*cuts)[0].length.constant();
    if (start && length) {
      out.elems.emplace();
      for (int64_t i = 0; i < *length; ++i) out.elems->push_back((*in[0].elems)[static_cast<size_t>(*start + i * (*cuts)[0].step)]);
    }
  }
  return Facts{std::move(out)};
}

Result<engine::Problem> problem(const Slice&, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  TENON_TRY(cuts, cuts_of(in, Symbols{}));
  if (!cuts) return fail(ErrorKind::unsupported, "the axes or steps are not known");
  if (in[0].dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  engine::CopyProblem copy{.type = in[0].dtype(), .shape = out[0].shape()};
  Dim stride(1);
  copy.strides.resize(cuts->size());
  for (size_t d = cuts->size(); d-- > 0; stride = stride * in[0].shape()[static_cast<int64_t>(d)]) {
    const Cut& cut = (*cuts)[d];
    if (!cut.known) return fail(ErrorKind::unsupported, "the positions are not known");
    copy.offset = copy.offset + cut.start * stride;
    copy.strides[d] = stride * cut.step;
  }
  return engine::Problem(std::move(copy));
}

Result<void> eval(const Slice& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(cuts, cuts_of(facts_of(in), Symbols{}));
  if (!cuts) return fail("the axes or steps are not known");
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  Dims strides = strides_of(x.dims);
  int64_t first = 0;
  for (size_t d = 0; d < dims.size(); ++d) {
    first += *(*cuts)[d].start.constant() * strides[d];
    strides[d] *= (*cuts)[d].step;
  }
  // Elements of the last dim that lie side by side move together.
  const int64_t run = !dims.empty() && strides.back() == 1 ? dims.back() : 1;
  Dims outer = dims;
  if (run > 1) outer.back() = 1;
  int64_t k = 0;
  for (Odometer at(outer); at.inside(); at.next(), k += run) copy_elems(x, first + at.dot(strides), out[0].tensor, k, run);
  return {};
}

template OpRow make_row<Slice>();

}  // namespace tenon::ops
