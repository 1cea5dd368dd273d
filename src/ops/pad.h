// Pad: inputs x, pads (begins, then ends; negative ones crop), value? and axes?.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class PadMode : uint8_t { constant, reflect, edge, wrap };
constexpr auto enum_names(PadMode) { return std::array<std::string_view, 4>{"constant", "reflect", "edge", "wrap"}; }

struct Pad {
  PadMode mode = PadMode::constant;
  static constexpr std::string_view kName = "Pad";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "mode", &Pad::mode}};
};
Result<Facts> infer(const Pad& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Pad& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Pad& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
