// Inverse: the inverses of the matrices in the last two dims.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Inverse {
  static constexpr std::string_view kName = "Inverse";
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Inverse& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Inverse& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
