#include "ops/size.h"

namespace tenon::ops {

Result<Facts> infer(const Size&, std::span<const Fact> in, InferCtx&) {
  Fact out(DType::i64, Shape{});
  if (in[0].has_rank()) out.elems = {in[0].shape().elems()};
  return Facts{std::move(out)};
}

Result<void> eval(const Size&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(prepare_output(out[0], DType::i64, {}));
  out[0].tensor.as<int64_t>()[0] = in[0].tensor.elems();
  return {};
}

template OpRow make_row<Size>();

}  // namespace tenon::ops
