// QuantizeLinear and DequantizeLinear: x, scale, zero_point?. A scalar scale serves all of x, a vector one slice of `axis` each, and with
// block_size > 0 scale has the rank of x and each element serves block_size of them along `axis`.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct QuantizeLinear {
  int64_t axis = 1;
  int64_t block_size = 0;
  bool saturate = true;           // of 8-bit floats; integers always saturate
  DType dtype = DType::none;      // of y; none: the zero point's, else u8
  DType precision = DType::none;  // of the division; none: the scale's
  static constexpr std::string_view kName = "QuantizeLinear";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &QuantizeLinear::axis}, Field{2, "block_size", &QuantizeLinear::block_size},
                                         Field{3, "saturate", &QuantizeLinear::saturate}, Field{4, "dtype", &QuantizeLinear::dtype},
                                         Field{5, "precision", &QuantizeLinear::precision}};
};
Result<Facts> infer(const QuantizeLinear& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const QuantizeLinear& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const QuantizeLinear& op, std::span<const HostValue> in, std::span<HostValue> out);

struct DequantizeLinear {
  int64_t axis = 1;
  int64_t block_size = 0;
  DType dtype = DType::none;  // of y; none: the scale's
  static constexpr std::string_view kName = "DequantizeLinear";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &DequantizeLinear::axis}, Field{2, "block_size", &DequantizeLinear::block_size},
                                         Field{3, "dtype", &DequantizeLinear::dtype}};
};
Result<Facts> infer(const DequantizeLinear& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const DequantizeLinear& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const DequantizeLinear& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
