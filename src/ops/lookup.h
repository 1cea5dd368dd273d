// Lookup: x, keys [K], values [K], otherwise? (one element) → for each element of x the value of the first key that equals it, else
// `otherwise`; without it, an element that is no key is an error. NaN equals NaN.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Lookup {
  static constexpr std::string_view kName = "Lookup";
  static constexpr auto kFields = Fields{};
  static constexpr OpTraits kTraits{.operands = 3};
};
Result<Facts> infer(const Lookup& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Lookup& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
