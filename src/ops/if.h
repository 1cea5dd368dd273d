// If: a bool scalar, captures → the outputs of body 0 (then) or 1 (else). Both bodies take the captures.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct If {
  int64_t captures = 0;  // count of trailing inputs
  static constexpr std::string_view kName = "If";
  static constexpr OpTraits kTraits{.has_regions = true};
  static constexpr auto kFields = Fields{Field{1, "captures", &If::captures}};
};
Result<Facts> infer(const If& op, std::span<const Fact> in, InferCtx& ctx);

}  // namespace tenon::ops
