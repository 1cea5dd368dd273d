#include "ops/tensor_scatter.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const TensorScatter& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].dtype() != in[1].dtype()) return fail("a cache of {}, an update of {}", to_string(in[0].dtype()), to_string(in[1].dtype()));
  if (in[0].has_rank()) {
    TENON_TRY(axis, normalize_axis(op.axis, in[0].rank()));
    if (axis == 0) return fail("axis 0 is the batch");
  }
  return Facts{Fact(in[0].type)};
}

Result<void> eval(const TensorScatter& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &cache = in[0].tensor, &update = in[1].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, cache.rank()));
  const auto along = static_cast<size_t>(axis);
  Dims wanted = dims;
  if (update.rank() == cache.rank()) wanted[along] = update.dims[along];
  if (update.dims != wanted) return fail("an update of {} for a cache of {}", to_string(update.dims), to_string(dims));
  const bool indexed = in.size() > 2 && in[2].kind == HostValue::Kind::tensor;
  if (indexed && in[2].tensor.elems() != dims[0]) return fail("{} write indices for a batch of {}", in[2].tensor.elems(), dims[0]);
  TENON_OK(prepare_output(out[0], cache.dtype, dims));
  copy_all(cache, out[0].tensor);
  const int64_t size = dims[along], steps = update.dims[along], inner = elems_after(dims, axis), outer = elems_before(dims, axis);
  for (int64_t i = 0; i < outer; ++i) {
    const int64_t first = indexed ? element_as_int(in[2].tensor, i / (outer / dims[0])) : 0;
    if (first < 0 || (op.circular ? steps > size : first > size - steps))
      return fail("{} steps from {} on in a cache of {}", steps, first, size);
    for (int64_t k = 0; k < steps; ++k)
      copy_elems(update, (i * steps + k) * inner, out[0].tensor, (i * size + (first % size + k) % size) * inner, inner);
  }
  return {};
}

template OpRow make_row<TensorScatter>();

}  // namespace tenon::ops
