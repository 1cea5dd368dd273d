// Split: consecutive pieces along `axis`. Their sizes come from the second input, else from num_outputs (0: one per output), of which all
// but the last are equal.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Split {
  int64_t axis = 0;
  int64_t num_outputs = 0;
  static constexpr std::string_view kName = "Split";
  static constexpr auto kFields = Fields{Field{1, "axis", &Split::axis}, Field{2, "num_outputs", &Split::num_outputs}};
};
Result<Facts> infer(const Split& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Split& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
