#include "ops/eye_like.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const EyeLike& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank() && in[0].rank() != 2) return fail("wants a matrix, got {}", to_string(in[0].shape()));
  return Facts{Fact(op.dtype == DType::none ? in[0].dtype() : op.dtype, in[0].shape())};
}

Result<void> eval(const EyeLike& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  if (x.rank() != 2) return fail("wants a matrix, got {}", to_string(x.dims));
  const DType dtype = op.dtype == DType::none ? x.dtype : op.dtype;
  if (dtype == DType::str || is_complex(dtype)) return fail("wants a real type, got {}", to_string(dtype));
  TENON_OK(prepare_output(out[0], dtype, x.dims));
  clear(out[0].tensor);
  const Tensor one = scalar_tensor(dtype, 1);
  for (int64_t row = 0; row < x.dims[0]; ++row) {
    int64_t column = 0;
    if (!__builtin_add_overflow(row, op.k, &column) && column >= 0 && column < x.dims[1])
      copy_elems(one, 0, out[0].tensor, row * x.dims[1] + column, 1);
  }
  return {};
}

template OpRow make_row<EyeLike>();

}  // namespace tenon::ops
