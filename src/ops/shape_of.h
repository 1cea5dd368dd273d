// ShapeOf (ONNX Shape): dims [start, end) of the input as a rank-1 i64 tensor.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct ShapeOf {
  int64_t start = 0;
  int64_t end = INT64_MAX;
  static constexpr std::string_view kName = "Shape";
  static constexpr auto kFields = Fields{Field{1, "start", &ShapeOf::start}, Field{2, "end", &ShapeOf::end}};
};
Result<Facts> infer(const ShapeOf& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ShapeOf& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
