// OneHot: indices, depth, values [off, on] → one more dim of `depth` at `axis`. Indices outside [-depth, depth) give rows of off.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct OneHot {
  int64_t axis = -1;
  static constexpr std::string_view kName = "OneHot";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "axis", &OneHot::axis}};
};
Result<Facts> infer(const OneHot& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const OneHot& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
