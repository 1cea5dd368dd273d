#include "ops/optional.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Optional& op, std::span<const Fact> in, InferCtx&) {
  if (!in.empty() && (in[0].dtype() != DType::none || !in[0].type.is_tensor())) return Facts{Fact(ValueType::optional(in[0].type))};
  return Facts{Fact(ValueType::optional(op.type))};
}
Result<Facts> infer(const OptionalHasElement&, std::span<const Fact>, InferCtx&) { return Facts{Fact(DType::boolean, Shape{})}; }
Result<Facts> infer(const OptionalGetElement&, std::span<const Fact> in, InferCtx&) {
  if (in[0].type.kind != ValueType::Kind::optional) return Facts{in[0]};
  return Facts{Fact(in[0].type.element ? *in[0].type.element : ValueType())};
}

Result<void> eval(const Optional&, std::span<const HostValue> in, std::span<HostValue> out) {
  out[0] = HostValue();
  out[0].kind = HostValue::Kind::optional;
  if (!in.empty() && in[0].kind != HostValue::Kind::absent) out[0].items = {in[0]};
  return {};
}
Result<void> eval(const OptionalHasElement&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(prepare_output(out[0], DType::boolean, {}));
  const bool absent = in.empty() || in[0].kind == HostValue::Kind::absent;
  out[0].tensor.as<uint8_t>()[0] = !absent && (in[0].kind != HostValue::Kind::optional || !in[0].items.empty());
  return {};
}
Result<void> eval(const OptionalGetElement&, std::span<const HostValue> in, std::span<HostValue> out) {
  const bool wrapped = in[0].kind == HostValue::Kind::optional;
  if (in[0].kind == HostValue::Kind::absent || (wrapped && in[0].items.empty())) return fail("the optional is empty");
  const HostValue& value = wrapped ? in[0].items[0] : in[0];
  if (value.kind != HostValue::Kind::tensor) {
    out[0] = value;
    return {};
  }
  TENON_OK(prepare_output(out[0], value.tensor.dtype, value.tensor.dims));
  copy_all(value.tensor, out[0].tensor);
  return {};
}

template OpRow make_row<Optional>();
template OpRow make_row<OptionalGetElement>();
template OpRow make_row<OptionalHasElement>();

}  // namespace tenon::ops
