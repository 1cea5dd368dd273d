#include "ops/reverse_sequence.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const ReverseSequence& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank()) {
    TENON_TRY(time, normalize_axis(op.time_axis, in[0].rank()));
    TENON_TRY(batch, normalize_axis(op.batch_axis, in[0].rank()));
    if (time == batch) return fail("time_axis and batch_axis are both {}", time);
  }
  return Facts{Fact(in[0].type)};
}

Result<void> eval(const ReverseSequence& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &x = in[0].tensor, &lengths = in[1].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(time_axis, normalize_axis(op.time_axis, x.rank()));
  TENON_TRY(batch_axis, normalize_axis(op.batch_axis, x.rank()));
  const auto time = static_cast<size_t>(time_axis), batch = static_cast<size_t>(batch_axis);
  if (lengths.elems() != dims[batch]) return fail("{} lengths for a batch of {}", lengths.elems(), dims[batch]);
  for (int64_t i = 0; i < lengths.elems(); ++i)
    if (const int64_t length = element_as_int(lengths, i); length < 0 || length > dims[time])
      return fail("length {} of {} steps", length, dims[time]);
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  const Dims strides = strides_of(dims);
  int64_t k = 0;
  for (Odometer at(dims); at.inside(); at.next(), ++k) {
    const int64_t length = element_as_int(lengths, at[batch]);
    const int64_t from = at[time] < length ? length - 1 - at[time] : at[time];
    copy_elems(x, k + (from - at[time]) * strides[time], out[0].tensor, k, 1);
  }
  return {};
}

template OpRow make_row<ReverseSequence>();

}  // namespace tenon::ops
