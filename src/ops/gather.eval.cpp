#include <algorithm>

#include "ops/gather.h"
#include "ops/move.h"

namespace tenon::ops {
Result<void> eval(const Gather& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &data = in[0].tensor, &indices = in[1].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  TENON_OK(prepare_output(out[0], data.dtype, dims));
  const int64_t outer = elems_before(data.dims, axis), inner = elems_after(data.dims, axis), size = data.dims[static_cast<size_t>(axis)];
  const int64_t count = indices.elems();
  for (int64_t k = 0; k < count; ++k) {
    TENON_TRY(at, checked_index(element_as_int(indices, k), size));
    for (int64_t i = 0; i < outer; ++i) copy_elems(data, (i * size + at) * inner, out[0].tensor, (i * count + k) * inner, inner);
  }
  return {};
}

Result<void> eval(const GatherElements& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &data = in[0].tensor, &indices = in[1].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  for (size_t d = 0; d < dims.size(); ++d)
    if (static_cast<int64_t>(d) != axis && dims[d] > data.dims[d])
      return fail("indices {} reach outside of data {}", to_string(dims), to_string(data.dims));
  TENON_OK(prepare_output(out[0], data.dtype, dims));
  const Dims strides = strides_of(data.dims);
  int64_t k = 0;
  for (Odometer at(dims); at.inside(); at.next(), ++k) {
    TENON_TRY(index, checked_index(element_as_int(indices, k), data.dims[static_cast<size_t>(axis)]));
    copy_elems(data, at.dot(strides) + (index - at[static_cast<size_t>(axis)]) * strides[static_cast<size_t>(axis)], out[0].tensor, k, 1);
  }
  return {};
}

Result<void> eval(const GatherND& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &data = in[0].tensor, &indices = in[1].tensor;
  TENON_TRY(dims, known_dims(op, in));
  const int64_t depth = indices.dims.back(), batches = elems_of(std::span(data.dims).first(static_cast<size_t>(op.batch_dims)));
  if (elems_of(std::span(indices.dims).first(static_cast<size_t>(op.batch_dims))) != batches)
    return fail("batch dims of data {} and indices {} differ", to_string(data.dims), to_string(indices.dims));
  TENON_OK(prepare_output(out[0], data.dtype, dims));
  const int64_t count = elems_of(std::span(indices.dims).first(indices.dims.size() - 1));
  const Dims strides = strides_of(data.dims);
  const int64_t slice = elems_of(std::span(data.dims).subspan(static_cast<size_t>(op.batch_dims + depth)));
  const int64_t batch_elems = batches == 0 ? 0 : data.elems() / batches,
                per_batch = batches == 0 ? 1 : std::max<int64_t>(count / batches, 1);
  for (int64_t k = 0; k < count; ++k) {
    int64_t at = k / per_batch * batch_elems;
    for (int64_t d = 0; d < depth; ++d) {
      const auto axis = static_cast<size_t>(op.batch_dims + d);
      TENON_TRY(index, checked_index(element_as_int(indices, k * depth + d), data.dims[axis]));
      at += index * strides[axis];
    }
    copy_elems(data, at, out[0].tensor, k * slice, slice);
  }
  return {};
}

}  // namespace tenon::ops
