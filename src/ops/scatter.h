// ScatterElements and ScatterND: data, indices, updates; a copy of data with updates put or combined at indices.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class ScatterReduction : uint8_t { none, add, mul, max, min };
constexpr auto enum_names(ScatterReduction) { return std::array<std::string_view, 5>{"none", "add", "mul", "max", "min"}; }

struct ScatterElements {
  int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr std::string_view kName = "ScatterElements";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "axis", &ScatterElements::axis}, Field{2, "reduction", &ScatterElements::reduction}};
};
Result<Facts> infer(const ScatterElements& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ScatterElements& op, std::span<const HostValue> in, std::span<HostValue> out);

struct ScatterND {
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr std::string_view kName = "ScatterND";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "reduction", &ScatterND::reduction}};
};
Result<Facts> infer(const ScatterND& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ScatterND& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
