// What importers of quantised operators share.
#pragma once
#include "onnx/node_import.h"

namespace tenon::onnx {

/// A per-slice parameter [C] so that it broadcasts against C as the dim with `behind` more dims behind it; scalars stay.
ValueId spread_parameter(NodeImport& n, ValueId parameter, int64_t behind);
/// x - zero as i32: products and sums of 8-bit numbers are exact in it.
ValueId centred(NodeImport& n, ValueId x, ValueId zero, int64_t behind);
/// saturate(round(sum · (a_scale · b_scale / y_scale)) + y_zero), of y_zero's type.
ValueId requantized(NodeImport& n, ValueId sum, ValueId a_scale, ValueId b_scale, ValueId y_scale, ValueId y_zero);
/// x as u8 with its scale and zero point: y_scale = (max(0, max x) - min(0, min x)) / 255, y_zero = saturate(round(-min / y_scale)).
Values dynamically_quantized(NodeImport& n, ValueId x);
/// (a - a_zero) · (b - b_zero) · a_scale · b_scale, the product exact; parameters of b are scalars or one per column.
ValueId integer_product(NodeImport& n, ValueId a, ValueId a_scale, ValueId a_zero, ValueId b, ValueId b_scale, ValueId b_zero);
/// [..., bytes] → u8 [..., elements], `bits` each; the first element lies in the low bits.
ValueId unpacked_bytes(NodeImport& n, ValueId bytes, int64_t bits);

}  // namespace tenon::onnx
