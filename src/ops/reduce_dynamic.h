// ReduceDynamic: a Reduce whose axes are a second input that is not known when the engine is built.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct ReduceDynamic {
  engine::ReduceKind kind = engine::ReduceKind::sum;
  bool keepdims = true;
  bool noop_with_empty_axes = false;  // no axes: the input itself, else all
  static constexpr std::string_view kName = "ReduceDynamic";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "kind", &ReduceDynamic::kind}, Field{2, "keepdims", &ReduceDynamic::keepdims},
                                         Field{3, "noop_with_empty_axes", &ReduceDynamic::noop_with_empty_axes}};
};
Result<Facts> infer(const ReduceDynamic& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ReduceDynamic& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
