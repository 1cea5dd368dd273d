// Expand: x broadcast together with a shape, which is input 1.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Expand {
  static constexpr std::string_view kName = "Expand";
  static constexpr Fields<> kFields{};
};
Result<Facts> infer(const Expand& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Expand& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Expand& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
