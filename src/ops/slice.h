// Slice: ONNX Slice-13; inputs x, starts, ends, axes?, steps?.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Slice {
  static constexpr std::string_view kName = "Slice";
  static constexpr Fields<> kFields{};
};
Result<Facts> infer(const Slice& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Slice& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Slice& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
