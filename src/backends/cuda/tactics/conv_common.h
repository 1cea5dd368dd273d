// What the tactics for convolutions share.
#pragma once
#include "backends/cuda/tactics/product_text.h"

namespace tenon::cuda {

bool is_16_bit_float(DType type);
/// Whether tensor cores may multiply such operands: 16-bit floats, and FP32 where `math` lets it be rounded to TF32.
bool fits_tensor_cores(DType type, const Math& math);
/// Whether rounding operands of this type as `math` says changes nothing, and sums may be in f32.
engine::Verdict takes_math(const Math& math, DType type);
/// Why no kernel takes the convolution; ok where its types, and the dims of its weights as numbers, are fit for one.
engine::Verdict takes_conv(const engine::ConvProblem& p);
inline size_t inputs_of(const engine::ConvProblem& p) { return (p.has_bias ? 3 : 2) + p.epilogue.operands.size(); }
/// The output as rows and columns: pixels and channels, or channels and pixels. For one group after another as `batch`.
FinishSpec finish_of(const engine::ConvProblem& p);

}  // namespace tenon::cuda
