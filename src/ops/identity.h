// Identity: the input itself, a value of any kind.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Identity {
  static constexpr std::string_view kName = "Identity";
  static constexpr OpTraits kTraits{.view = true, .containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Identity& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Identity& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
