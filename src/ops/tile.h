// Tile: x, repeats (one per dim).
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Tile {
  static constexpr std::string_view kName = "Tile";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const Tile& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Tile& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Tile& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
