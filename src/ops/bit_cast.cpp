#include "ops/bit_cast.h"

#include <cstring>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const BitCast& op, std::span<const Fact> in, InferCtx&) {
  if (bits_of(op.dtype) == 0 || (in[0].dtype() != DType::none && bits_of(in[0].dtype()) != bits_of(op.dtype)))
    return fail("{} and {} differ in width", to_string(in[0].dtype()), to_string(op.dtype));
  return Facts{Fact(op.dtype, in[0].shape())};
}

Result<void> eval(const BitCast& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_OK(prepare_output(out[0], op.dtype, dims));
  if (out[0].tensor.bytes() > 0) std::memcpy(out[0].tensor.data, in[0].tensor.data, static_cast<size_t>(out[0].tensor.bytes()));
  return {};
}

template OpRow make_row<BitCast>();

}  // namespace tenon::ops
