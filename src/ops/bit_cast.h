// BitCast: the same bits as another type of the same width.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct BitCast {
  DType dtype = DType::none;
  static constexpr std::string_view kName = "BitCast";
  static constexpr OpTraits kTraits{.view = true};
  static constexpr auto kFields = Fields{Field{1, "dtype", &BitCast::dtype}};
};
Result<Facts> infer(const BitCast& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const BitCast& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
