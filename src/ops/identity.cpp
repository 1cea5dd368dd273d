#include "ops/identity.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Identity&, std::span<const Fact> in, InferCtx&) { return Facts{in[0]}; }

Result<void> eval(const Identity&, std::span<const HostValue> in, std::span<HostValue> out) {
  if (in[0].kind != HostValue::Kind::tensor) {
    out[0] = in[0];
    return {};
  }
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, in[0].tensor.dims));
  copy_all(in[0].tensor, out[0].tensor);
  return {};
}

template OpRow make_row<Identity>();

}  // namespace tenon::ops
