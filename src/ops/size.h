// Size: the number of elements as an i64 scalar.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Size {
  static constexpr std::string_view kName = "Size";
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Size& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Size& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
