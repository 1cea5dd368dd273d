#include "ops/impossible.h"

namespace tenon::ops {

Result<Facts> infer(const Impossible& op, std::span<const Fact>, InferCtx&) { return Facts(op.types.begin(), op.types.end()); }

Result<void> eval(const Impossible& op, std::span<const HostValue>, std::span<HostValue>) {
  return fail("the shapes of the model's inputs do not fit here: {}", op.why);
}

template OpRow make_row<Impossible>();

}  // namespace tenon::ops
