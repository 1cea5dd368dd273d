// Concat: the inputs one after the other along `axis`.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Concat {
  int64_t axis = 0;
  static constexpr std::string_view kName = "Concat";
  static constexpr auto kFields = Fields{Field{1, "axis", &Concat::axis}};
};
Result<Facts> infer(const Concat& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Concat& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Concat& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
