#include <algorithm>

#include "ops/move.h"
#include "ops/scatter.h"

namespace tenon::ops {
namespace {

template <class T>
T combine(ScatterReduction reduction, T a, T b) {
  switch (reduction) {
    case ScatterReduction::add: return static_cast<T>(a + b);
    case ScatterReduction::mul: return static_cast<T>(a * b);
    case ScatterReduction::max: return std::max(a, b);
    case ScatterReduction::min: return std::min(a, b);
    default: return b;
  }
}
template <class T>
void combine_elems(ScatterReduction reduction, Tensor& to, int64_t at, const Tensor& from, int64_t i, int64_t count) {
  T* target = reinterpret_cast<T*>(to.data) + at;
  const T* source = reinterpret_cast<const T*>(from.data) + i;
  for (int64_t k = 0; k < count; ++k) target[k] = combine(reduction, target[k], source[k]);
}

}  // namespace

void put_updates(ScatterReduction reduction, bool is_unsigned, Tensor& target, int64_t at, const Tensor& updates, int64_t i,
                 int64_t count) {
  if (reduction == ScatterReduction::none) return copy_elems(updates, i, target, at, count);
  if (target.dtype == DType::f32) return combine_elems<float>(reduction, target, at, updates, i, count);
  if (target.dtype == DType::f64) return combine_elems<double>(reduction, target, at, updates, i, count);
  // Sums and products wrap as unsigned numbers do.
  if (is_unsigned || reduction == ScatterReduction::add || reduction == ScatterReduction::mul)
    return combine_elems<uint64_t>(reduction, target, at, updates, i, count);
  return combine_elems<int64_t>(reduction, target, at, updates, i, count);
}

Result<void> scatter_into(ScatterReduction reduction, const Tensor& data, const Tensor& updates, Tensor& out,
                          const std::function<Result<void>(Tensor& target, const Tensor& updates)>& body) {
  if (reduction == ScatterReduction::none) {
    copy_all(data, out);
    return body(out, updates);
  }
  TENON_TRY(wide, widen(data));
  TENON_TRY(wide_updates, widen(updates));
  TENON_TRY(target, Tensor::allocate(wide.dtype, wide.dims));
  copy_all(wide, target);
  TENON_OK(body(target, wide_updates));
  return store(target, out);
}

Result<void> eval(const ScatterElements& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &data = in[0].tensor, &indices = in[1].tensor, &updates = in[2].tensor;
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  if (indices.dims != updates.dims) return fail("indices {} and updates {} differ", to_string(indices.dims), to_string(updates.dims));
  if (indices.rank() != data.rank()) return fail("data {} and indices {} differ in rank", to_string(data.dims), to_string(indices.dims));
  for (size_t d = 0; d < data.dims.size(); ++d)
    if (static_cast<int64_t>(d) != axis && indices.dims[d] > data.dims[d])
      return fail("indices {} reach outside of data {}", to_string(indices.dims), to_string(data.dims));
  const Dims strides = strides_of(data.dims);
  const auto along = static_cast<size_t>(axis);
  TENON_OK(prepare_output(out[0], data.dtype, data.dims));
  return scatter_into(op.reduction, data, updates, out[0].tensor, [&](Tensor& target, const Tensor& values) -> Result<void> {
    int64_t k = 0;
    for (Odometer at(indices.dims); at.inside(); at.next(), ++k) {
      TENON_TRY(index, checked_index(element_as_int(indices, k), data.dims[along]));
      put_updates(op.reduction, data.dtype == DType::u64, target, at.dot(strides) + (index - at[along]) * strides[along], values, k, 1);
    }
    return {};
  });
}

Result<void> eval(const ScatterND& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &data = in[0].tensor, &indices = in[1].tensor, &updates = in[2].tensor;
  if (indices.rank() == 0) return fail("indices are a scalar");
  const int64_t depth = indices.dims.back();
  if (depth > data.rank())
    return fail("indices {} have more coordinates than data {} has dims", to_string(indices.dims), to_string(data.dims));
  Dims wanted(indices.dims.begin(), indices.dims.end() - 1);
  wanted.insert(wanted.end(), data.dims.begin() + depth, data.dims.end());
  if (updates.dims != wanted) return fail("updates are {}, wanted {}", to_string(updates.dims), to_string(wanted));
  const int64_t count = elems_of(std::span(indices.dims).first(indices.dims.size() - 1));
  const int64_t slice = elems_of(std::span(data.dims).subspan(static_cast<size_t>(depth)));
  const Dims strides = strides_of(data.dims);
  TENON_OK(prepare_output(out[0], data.dtype, data.dims));
  return scatter_into(op.reduction, data, updates, out[0].tensor, [&](Tensor& target, const Tensor& values) -> Result<void> {
    for (int64_t k = 0; k < count; ++k) {
      int64_t at = 0;
      for (int64_t d = 0; d < depth; ++d) {
        TENON_TRY(index, checked_index(element_as_int(indices, k * depth + d), data.dims[static_cast<size_t>(d)]));
        at += index * strides[static_cast<size_t>(d)];
      }
      put_updates(op.reduction, data.dtype == DType::u64, target, at, values, k * slice, slice);
    }
    return {};
  });
}

}  // namespace tenon::ops
