// MelWeightMatrix: num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz (scalars) → [dft_length / 2 + 1,
// num_mel_bins].
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct MelWeightMatrix {
  DType dtype = DType::f32;
  static constexpr std::string_view kName = "MelWeightMatrix";
  static constexpr OpTraits kTraits{.operands = 5};
  static constexpr auto kFields = Fields{Field{1, "dtype", &MelWeightMatrix::dtype}};
};
Result<Facts> infer(const MelWeightMatrix& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const MelWeightMatrix& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
