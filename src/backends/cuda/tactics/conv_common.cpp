#include "backends/cuda/tactics/conv_common.h"

namespace tenon::cuda {

bool is_16_bit_float(DType type) { return type == DType::f16 || type == DType::bf16; }

bool fits_tensor_cores(DType type, const Math& math) {
  return is_16_bit_float(type) || (type == DType::f32 && math.operand_rounding == Rounding::tf32);
}

engine::Verdict takes_math(const Math& math, DType type) {
  // TF32 may round; what does not is nearer to the exact result.
  const bool same = math.operand_rounding == Rounding::f32 || math.operand_rounding == Rounding::tf32 ||
                    (math.operand_rounding == Rounding::f16 && type == DType::f16) ||
                    (math.operand_rounding == Rounding::bf16 && type == DType::bf16);
  if (!same) return engine::no("the operands are to be rounded first");
  if (math.accumulator != DType::none && math.accumulator != DType::f32) return engine::no("sums are in f32");
  return {};
}

engine::Verdict takes_conv(const engine::ConvProblem& p) {
  if (p.x != DType::f32 && !is_16_bit_float(p.x)) return engine::no("wants operands of f32, f16 or bf16");
  if (p.x != p.w) return engine::no("x and w differ in type");
  if (p.in_spatial.empty() || p.in_spatial.size() > 3) return engine::no("wants one to three spatial dims");
  if (!p.c.constant() || !p.m.constant()) return engine::no("the numbers of channels are not known");
  if (p.groups < 1 || *p.c.constant() % p.groups != 0 || *p.m.constant() % p.groups != 0)
    return engine::no("the groups do not divide the channels");
  for (const Dim& dim : p.kernel)
    if (!dim.constant()) return engine::no("the size of the kernel is not known");
  return takes_math(p.math, p.x);
}

FinishSpec finish_of(const engine::ConvProblem& p) {
  const int64_t m = p.m.constant().value_or(1), per_group = m / std::max<int64_t>(p.groups, 1);
  Dim pixels = 1;
  for (const Dim& dim : p.out_spatial) pixels = pixels * dim;
  FinishSpec out{.out = p.out, .epilogue = &p.epilogue, .inputs = p.has_bias ? 3u : 2u, .has_bias = p.has_bias, .bias = p.x};
  if (p.channels_last) {
    out.row_dims = {p.n};
    out.row_dims.insert(out.row_dims.end(), p.out_spatial.begin(), p.out_spatial.end());
    out.column_dims = {p.m};
    out.row = "row";
    out.column = p.groups == 1 ? "column" : strf("batch * {} + column", per_group);
    out.columns = strf("(batch + 1) * {}", per_group);
    out.whole = per_group % 8 == 0;
  } else {
    out.row_dims = {p.n, p.m};
    out.column_dims = p.out_spatial;
    out.row = strf("i64(batch) * {} + row", per_group);
    out.column = "column";
    out.bias_rows = p.m;
    out.whole = divides(8, pixels);
  }
  return out;
}

}  // namespace tenon::cuda
