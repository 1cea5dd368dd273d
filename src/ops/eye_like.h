// EyeLike: ones on diagonal k of a matrix of the shape of the input; type none: the input's.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct EyeLike {
  DType dtype = DType::none;
  int64_t k = 0;
  static constexpr std::string_view kName = "EyeLike";
  static constexpr auto kFields = Fields{Field{1, "dtype", &EyeLike::dtype}, Field{2, "k", &EyeLike::k}};
};
Result<Facts> infer(const EyeLike& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const EyeLike& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
