// Det: determinants of the matrices in the last two dims.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Det {
  static constexpr std::string_view kName = "Det";
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Det& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Det& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
