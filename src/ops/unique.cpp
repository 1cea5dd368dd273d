#include "ops/unique.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Unique& op, std::span<const Fact> in, InferCtx& ctx) {
  const Dim count = ctx.mint("unique");
  Shape shape{count};
  Dim inverse = in[0].has_rank() ? in[0].shape().elems() : ctx.mint("elems");
  if (op.axis) {
    if (in[0].has_rank()) {
      TENON_TRY(axis, normalize_axis(*op.axis, in[0].rank()));
      shape = in[0].shape();
      inverse = shape[axis];
      shape[axis] = count;
    } else {
      shape = Shape::unknown();
    }
  }
  const Fact list(DType::i64, Shape{count});
  return Facts{Fact(in[0].dtype(), std::move(shape)), list, Fact(DType::i64, Shape{inverse}), list};
}

namespace {

/// NaN after all numbers and equal to itself.
int compare(double u, double v) {
  if (std::isnan(u) || std::isnan(v)) return static_cast<int>(std::isnan(u)) - static_cast<int>(std::isnan(v));
  return u < v ? -1 : u > v;
}

/// Three-way order of two elements; of complex numbers by the real part first.
int compare(const Tensor& x, int64_t a, int64_t b) {
  if (x.dtype == DType::str) {
    const auto values = x.as<std::string>();
    return values[static_cast<size_t>(a)].compare(values[static_cast<size_t>(b)]);
  }
  if (is_complex(x.dtype)) {
    const std::complex<double> u = element_as_complex(x, a), v = element_as_complex(x, b);
    const int order = compare(u.real(), v.real());
    return order ? order : compare(u.imag(), v.imag());
  }
  if (!is_float(x.dtype)) {
    const int64_t u = element_as_int(x, a), v = element_as_int(x, b);
    return u < v ? -1 : u > v;
  }
  return compare(element_as_double(x, a), element_as_double(x, b));
}

}  // namespace

Result<void> eval(const Unique& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  const Dims dims = op.axis ? x.dims : Dims{x.elems()};
  TENON_TRY(axis, normalize_axis(op.axis.value_or(0), static_cast<int64_t>(dims.size())));
  const int64_t size = dims[static_cast<size_t>(axis)], outer = elems_before(dims, axis), inner = elems_after(dims, axis);
  const auto slices = [&](int64_t a, int64_t b) {
    for (int64_t i = 0; i < outer; ++i)
      for (int64_t j = 0; j < inner; ++j)
        if (const int order = compare(x, (i * size + a) * inner + j, (i * size + b) * inner + j)) return order;
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return slices(a, b) < 0; });
  // Groups of equal slices in sorted order; a stable sort puts the first appearance first.
  std::vector<int64_t> first, counts, group(static_cast<size_t>(size));
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || slices(order[i - 1], order[i]) != 0) {
      first.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    group[static_cast<size_t>(order[i])] = static_cast<int64_t>(first.size()) - 1;
  }
  std::vector<int64_t> shown(first.size()), place(first.size());
  std::iota(shown.begin(), shown.end(), 0);
  if (!op.sorted) std::ranges::sort(shown, {}, [&](int64_t g) { return first[static_cast<size_t>(g)]; });
  for (size_t i = 0; i < shown.size(); ++i) place[static_cast<size_t>(shown[i])] = static_cast<int64_t>(i);

  Dims out_dims = dims;
  out_dims[static_cast<size_t>(axis)] = static_cast<int64_t>(shown.size());
  TENON_OK(prepare_output(out[0], x.dtype, out_dims));
  int64_t to = 0;
  for (int64_t i = 0; i < outer; ++i) {
    for (const int64_t g : shown) {
      copy_elems(x, (i * size + first[static_cast<size_t>(g)]) * inner, out[0].tensor, to, inner);
      to += inner;
    }
  }
  const auto list = [&](size_t k, size_t count, auto value) -> Result<void> {
    if (k >= out.size()) return {};
    TENON_OK(prepare_output(out[k], DType::i64, {static_cast<int64_t>(count)}));
    for (size_t i = 0; i < count; ++i) out[k].tensor.as<int64_t>()[i] = value(i);
    return {};
  };
  TENON_OK(list(1, shown.size(), [&](size_t i) { return first[static_cast<size_t>(shown[i])]; }));
  TENON_OK(list(2, static_cast<size_t>(size), [&](size_t i) { return place[static_cast<size_t>(group[i])]; }));
  return list(3, shown.size(), [&](size_t i) { return counts[static_cast<size_t>(shown[i])]; });
}

template OpRow make_row<Unique>();

}  // namespace tenon::ops
