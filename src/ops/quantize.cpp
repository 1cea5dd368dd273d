#include "ops/quantize.h"

namespace tenon::ops {
namespace {

template <class T>
Result<void> check(const T& op, std::span<const Fact> in) {
  if (in.size() < 2) return fail("x and scale are wanted, got {} inputs", in.size());
  const Fact &x = in[0], &scale = in[1];
  if (op.block_size < 0) return fail("block_size is {}", op.block_size);
  if (!x.has_rank() || !scale.has_rank()) return {};
  if (op.block_size > 0 && scale.rank() != x.rank())
    return fail("blocks want a scale of x's rank: {} for {}", to_string(scale.shape()), to_string(x.shape()));
  if (op.block_size == 0 && scale.rank() > 1) return fail("the scale {} is neither a scalar nor a vector", to_string(scale.shape()));
  const bool scalar = scale.rank() == 0 || (op.block_size == 0 && scale.shape()[0] == Dim(1));
  if (!scalar) TENON_OK(normalize_axis(op.axis, x.rank()));
  return {};
}

}  // namespace

Result<Facts> infer(const QuantizeLinear& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check(op, in));
  const DType dtype = op.dtype != DType::none ? op.dtype : present(in, 2) ? in[2].dtype() : DType::u8;
  return Facts{Fact(dtype, in[0].shape())};
}
Result<Facts> infer(const DequantizeLinear& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check(op, in));
  return Facts{Fact(op.dtype != DType::none ? op.dtype : in[1].dtype(), in[0].shape())};
}

template OpRow make_row<DequantizeLinear>();
template OpRow make_row<QuantizeLinear>();

}  // namespace tenon::ops
