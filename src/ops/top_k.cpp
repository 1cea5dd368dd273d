#include "ops/top_k.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const TopK& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown()), Fact(DType::i64, Shape::unknown())};
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  Shape shape = x.shape();
  shape[axis] = in[1].elems && in[1].elems->size() == 1 ? (*in[1].elems)[0] : ctx.mint("topk");
  if (shape[axis].is_constant() && *shape[axis].constant() < 0) return fail("k is {}", to_string(shape[axis]));
  if (ctx.symbols->known_less(x.shape()[axis], shape[axis]) == Known::yes)
    return fail("k = {} of only {} elements along axis {}", to_string(shape[axis]), to_string(x.shape()[axis]), axis);
  return Facts{Fact(x.dtype(), shape), Fact(DType::i64, shape)};
}

namespace {

/// Orders positions of one row; NaN counts as the largest number, as in NumPy. Equal values: the lower index first.
template <class T>
void select(const T* row, int64_t stride, std::vector<int64_t>& at, int64_t k, bool largest) {
  std::iota(at.begin(), at.end(), 0);
  std::partial_sort(at.begin(), at.begin() + k, at.end(), [&](int64_t a, int64_t b) {
    const T x = row[a * stride], y = row[b * stride];
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

}  // namespace

Result<void> eval(const TopK& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  TENON_TRY(wide, widen(x));
  const bool has_indices = out.size() > 1;
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  if (has_indices) TENON_OK(prepare_output(out[1], DType::i64, dims));
  const int64_t size = x.dims[static_cast<size_t>(axis)], k = dims[static_cast<size_t>(axis)];
  const int64_t outer = elems_before(x.dims, axis), inner = elems_after(x.dims, axis);
  std::vector<int64_t> at(static_cast<size_t>(size));
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < inner; ++j) {
      const int64_t first = i * size * inner + j;
      if (wide.dtype == DType::i64) {
        select(reinterpret_cast<const int64_t*>(wide.data) + first, inner, at, k, op.largest);
      } else if (wide.dtype == DType::f64) {
        select(reinterpret_cast<const double*>(wide.data) + first, inner, at, k, op.largest);
      } else {
        select(reinterpret_cast<const float*>(wide.data) + first, inner, at, k, op.largest);
      }
      for (int64_t rank = 0; rank < k; ++rank) {
        const int64_t to = (i * k + rank) * inner + j;
        copy_elems(x, first + at[static_cast<size_t>(rank)] * inner, out[0].tensor, to, 1);
        if (has_indices) out[1].tensor.as<int64_t>()[static_cast<size_t>(to)] = at[static_cast<size_t>(rank)];
      }
    }
  }
  return {};
}

template OpRow make_row<TopK>();

}  // namespace tenon::ops
