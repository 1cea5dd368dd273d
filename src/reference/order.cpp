// What follows the order of a slice along one axis: its largest elements, its running sums.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/move.h"
#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

/// Slices along an axis: element i of slice (o, j) lies at (o · size + i) · inner + j.
struct AxisSlices {
  int64_t outer = 1, size = 1, inner = 1;
};

Result<AxisSlices> slices_along(const Shape& shape, int64_t axis, const Tensor& x) {
  const auto dims = shape.constant();
  if (!dims) return fail("the shape {} of the problem is not bound to numbers", to_string(shape));
  if (axis < 0 || axis >= static_cast<int64_t>(dims->size())) return fail("axis {} of {}", axis, to_string(*dims));
  TENON_TRY(elems, checked_elems(*dims));
  if (x.elems() != elems) return fail("an input of {} where {} is wanted", to_string(x.dims), to_string(*dims));
  return AxisSlices{ops::elems_before(*dims, axis), (*dims)[static_cast<size_t>(axis)], ops::elems_after(*dims, axis)};
}

/// Calls body with the first element of widened memory as a pointer to what it holds: float, double, uint64_t or int64_t.
template <class Body>
void with_lanes(DType type, std::byte* data, const Body& body) {
  if (type == DType::u64) return body(reinterpret_cast<uint64_t*>(data));
  switch (widened(type)) {
    case DType::f32: return body(reinterpret_cast<float*>(data));
    case DType::f64: return body(reinterpret_cast<double*>(data));
    default: return body(reinterpret_cast<int64_t*>(data));
  }
}

/// The positions of a slice, the k best ones first and in order.
template <class T>
void order_best(const T* slice, int64_t stride, std::vector<int64_t>& at, int64_t k, bool largest) {
  std::iota(at.begin(), at.end(), 0);
  std::partial_sort(at.begin(), at.begin() + k, at.end(), [&](int64_t a, int64_t b) {
    const T x = slice[a * stride], y = slice[b * stride];
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x) || std::isnan(y)) {
        if (std::isnan(x) != std::isnan(y)) return std::isnan(x) == largest;
        return a < b;
      }
    }
    if (x != y) return largest ? x > y : x < y;
    return a < b;
  });
}

template <class T>
void cumulate(const engine::CumulativeProblem& p, T* slice, int64_t size, int64_t stride) {
  // Integers wrap as unsigned numbers do.
  using Lane = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, T>;
  Lane sum = p.product ? Lane(1) : Lane(0);
  for (int64_t i = 0; i < size; ++i) {
    T& x = slice[(p.reverse ? size - 1 - i : i) * stride];
    const Lane next = p.product ? sum * static_cast<Lane>(x) : sum + static_cast<Lane>(x);
    x = static_cast<T>(p.exclusive ? sum : next);
    sum = next;
  }
}

}  // namespace

Result<void> run(const engine::TopKProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  TENON_TRY(x, operand(in, 0, "the input"));
  if (x->dtype != p.type) return fail("the input is {}, the problem says {}", to_string(x->dtype), to_string(p.type));
  TENON_TRY(slices, slices_along(p.shape, p.axis, *x));
  const auto dims = p.out_shape().constant();
  const auto wanted = p.k.constant();
  if (!dims || !wanted) return fail("k = {} is not bound to a number", to_string(p.k));
  const int64_t k = *wanted;
  if (k < 0 || k > slices.size) return fail("k = {} of only {} elements", k, slices.size);
  TENON_TRY(wide, widen(*x));
  TENON_OK(fit_output(out[0], p.type, *dims));
  if (out.size() > 1) TENON_OK(fit_output(out[1], DType::i64, *dims));
  std::vector<int64_t> at(static_cast<size_t>(slices.size));
  for (int64_t o = 0; o < slices.outer; ++o) {
    for (int64_t j = 0; j < slices.inner; ++j) {
      const int64_t first = o * slices.size * slices.inner + j;
      with_lanes(p.type, wide.data, [&](auto* lanes) { order_best(lanes + first, slices.inner, at, k, p.largest); });
      for (int64_t r = 0; r < k; ++r) {
        const int64_t from = at[static_cast<size_t>(r)], to = (o * k + r) * slices.inner + j;
        ops::copy_elems(*x, first + from * slices.inner, out[0].tensor, to, 1);
        if (out.size() > 1) out[1].tensor.as<int64_t>()[static_cast<size_t>(to)] = from;
      }
    }
  }
  return {};
}

Result<void> run(const engine::CumulativeProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  TENON_TRY(x, operand(in, 0, "the input"));
  if (x->dtype != p.type) return fail("the input is {}, the problem says {}", to_string(x->dtype), to_string(p.type));
  TENON_TRY(slices, slices_along(p.shape, p.axis, *x));
  TENON_TRY(wide, widen(*x));
  TENON_TRY(sums, Tensor::allocate(wide.dtype, wide.dims));
  ops::copy_all(wide, sums);
  TENON_OK(fit_output(out[0], p.type, *p.shape.constant()));
  for (int64_t o = 0; o < slices.outer; ++o)
    for (int64_t j = 0; j < slices.inner; ++j)
      with_lanes(p.type, sums.data,
                 [&](auto* lanes) { cumulate(p, lanes + o * slices.size * slices.inner + j, slices.size, slices.inner); });
  return store(sums, out[0].tensor);
}

}  // namespace tenon::reference
