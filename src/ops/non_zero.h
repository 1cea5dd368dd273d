// NonZero: i64 coordinates [rank, count] of the elements that are not zero, in row-major order.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct NonZero {
  static constexpr std::string_view kName = "NonZero";
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const NonZero& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const NonZero& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
