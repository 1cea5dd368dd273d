// Trilu: x, k? (a scalar) → the upper or lower triangle of the last two dims, from diagonal k on; zero elsewhere.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Trilu {
  bool upper = true;
  static constexpr std::string_view kName = "Trilu";
  static constexpr auto kFields = Fields{Field{1, "upper", &Trilu::upper}};
};
Result<Facts> infer(const Trilu& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Trilu& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
