// ReverseSequence: x, sequence_lens [batch]: the first sequence_lens[b] steps of batch b in reverse.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct ReverseSequence {
  int64_t time_axis = 0;
  int64_t batch_axis = 1;
  static constexpr std::string_view kName = "ReverseSequence";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields =
      Fields{Field{1, "time_axis", &ReverseSequence::time_axis}, Field{2, "batch_axis", &ReverseSequence::batch_axis}};
};
Result<Facts> infer(const ReverseSequence& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ReverseSequence& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
