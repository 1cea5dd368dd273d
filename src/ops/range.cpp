#include "ops/range.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {
namespace {

/// ONNX Range: max(ceil((limit - start) / delta), 0).
Result<int64_t> count_of(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  for (const Tensor* bound : {&start, &limit, &delta})
    if (bound->elems() != 1) return fail("start, limit and delta are scalars, got {}", to_string(bound->dims));
  if (is_int(start.dtype)) {
    const int64_t step = element_as_int(delta, 0);
    int64_t span = 0;
    if (step == 0) return fail("delta is 0");
    if (__builtin_sub_overflow(element_as_int(limit, 0), element_as_int(start, 0), &span)) return fail("the range is too long");
    if (span == 0 || (span > 0) != (step > 0)) return int64_t{0};
    if (span == INT64_MIN && step == -1) return fail("the range is too long");
    return span / step + (span % step != 0);
  }
  const double step = element_as_double(delta, 0), count = std::ceil((element_as_double(limit, 0) - element_as_double(start, 0)) / step);
  if (step == 0 || std::isnan(count) || count > 0x1p62) return fail("delta {} does not lead from start to limit", step);
  return static_cast<int64_t>(std::max(count, 0.0));
}

}  // namespace

Result<Facts> infer(const Range&, std::span<const Fact> in, InferCtx& ctx) {
  const DType dtype = in[0].dtype();
  for (const Fact& bound : in)
    if (bound.dtype() != dtype) return fail("start, limit and delta are of types {} and {}", to_string(dtype), to_string(bound.dtype()));
  if (in[0].constant && in[1].constant && in[2].constant) {
    TENON_TRY(count, count_of(*in[0].constant, *in[1].constant, *in[2].constant));
    Fact out(dtype, Shape{Dim(count)});
    if (is_int(dtype) && count <= Fact::kMaxElems) {
      std::vector<Dim> elems;
      for (int64_t i = 0; i < count; ++i) elems.emplace_back(element_as_int(*in[0].constant, 0) + i * element_as_int(*in[2].constant, 0));
      out.elems = std::move(elems);
    }
    return Facts{std::move(out)};
  }
  const auto single = [](const Fact& fact) { return fact.elems && fact.elems->size() == 1; };
  if (!is_int(dtype) || !single(in[0]) || !single(in[1]) || !single(in[2])) return Facts{Fact(dtype, Shape{ctx.mint("range")})};
  const Dim start = (*in[0].elems)[0], limit = (*in[1].elems)[0];
  const auto delta = (*in[2].elems)[0].constant();
  if (!delta || *delta == 0) return Facts{Fact(dtype, Shape{ctx.mint("range")})};
  Dim count = *delta > 0 ? ceildiv(limit - start, Dim(*delta)) : ceildiv(start - limit, Dim(0) - Dim(*delta));
  if (ctx.symbols->interval(count).least < 0) count = max(count, Dim(0));
  return Facts{Fact(dtype, Shape{count})};
}

Result<engine::Problem> problem(const Range&, std::span<const Fact> in, std::span<const Fact> out) {
  const auto single = [](const Fact& fact) { return fact.elems && fact.elems->size() == 1; };
  if (!is_int(in[0].dtype()) || !single(in[0]) || !single(in[1]) || !single(in[2]) || !(*in[2].elems)[0].is_constant())
    return fail(ErrorKind::unsupported, "the bounds are not known");
  return engine::Problem(
      engine::SeriesProblem{.type = in[0].dtype(), .shape = out[0].shape(), .values = *in[0].elems, .step = (*in[2].elems)[0]});
}

Result<void> eval(const Range&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(count, count_of(in[0].tensor, in[1].tensor, in[2].tensor));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, {count}));
  TENON_TRY(start, widen(in[0].tensor));
  TENON_TRY(delta, widen(in[2].tensor));
  TENON_TRY(values, Tensor::allocate(start.dtype, {count}));
  const auto fill = [&](auto* to) {
    const auto first = *reinterpret_cast<decltype(to)>(start.data), step = *reinterpret_cast<decltype(to)>(delta.data);
    for (int64_t i = 0; i < count; ++i) to[i] = first + static_cast<std::remove_pointer_t<decltype(to)>>(i) * step;
  };
  if (values.dtype == DType::i64) {
    fill(reinterpret_cast<uint64_t*>(values.data));
  } else if (values.dtype == DType::f64) {
    fill(reinterpret_cast<double*>(values.data));
  } else {
    fill(reinterpret_cast<float*>(values.data));
  }
  return store(values, out[0].tensor);
}

template OpRow make_row<Range>();

}  // namespace tenon::ops
