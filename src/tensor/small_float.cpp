#include <algorithm>
#include <cmath>

#include "tensor/float_bits.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

// OCP floats of 8, 6 and 4 bits (onnx.ai "Float stored in 8 bits", "Float stored in 4 bits"; OCP Microscaling Formats, section 5.3).
struct Format {
  int bits, mantissa, bias;
  float largest;
  int most, nan, infinity;  // codes of the largest value and so on, without sign; -1: there is none
  bool negative_zero;
};

constexpr Format format_of(DType type) {
  switch (type) {
    case DType::f8e4m3fn: return {8, 3, 7, 448, 0x7e, 0x7f, -1, true};
    case DType::f8e4m3fnuz: return {8, 3, 8, 240, 0x7f, 0x80, -1, false};
    case DType::f8e5m2: return {8, 2, 15, 57344, 0x7b, 0x7e, 0x7c, true};
    case DType::f8e5m2fnuz: return {8, 2, 16, 57344, 0x7f, 0x80, -1, false};
    case DType::f6e2m3: return {6, 3, 1, 7.5, 0x1f, -1, -1, true};
    case DType::f6e3m2: return {6, 2, 3, 28, 0x1f, -1, -1, true};
    default: return {4, 1, 1, 6, 7, -1, -1, true};  // f4e2m1
  }
}

float decode(const Format& format, int code) {
  const int top = 1 << (format.bits - 1), rest = code & (top - 1);
  if (format.nan == top && code == top) return NAN;  // the uz types: what would be -0
  const float sign = code & top ? -1.0f : 1.0f;
  if (format.infinity >= 0 && rest >= format.infinity) return rest == format.infinity ? sign * INFINITY : NAN;
  if (format.infinity < 0 && rest == format.nan) return NAN;
  const int exponent = rest >> format.mantissa, fraction = rest & ((1 << format.mantissa) - 1);
  const int least = 1 - format.bias;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), least - format.mantissa);
  return sign * std::ldexp(static_cast<float>(fraction + (1 << format.mantissa)), exponent - format.bias - format.mantissa);
}

// f8e8m0 has no sign and no zero; ONNX Cast-24 rounds it away from zero unless told otherwise.
uint8_t to_power(float value, bool saturate) {
  const uint32_t bits = std::bit_cast<uint32_t>(value) & 0x7fffffffu;
  if (bits >= 0x7f800000u) return 0xff;
  const uint32_t exponent = bits >> 23, fraction = bits & 0x7fffffu;
  const bool up = exponent == 0 ? fraction > 0x400000u : fraction != 0;  // 2^-127 is a subnormal float
  if (up && saturate && exponent == 0xfe) return 0xfe;
  return static_cast<uint8_t>(exponent + up);
}

}  // namespace

float half_to_float(uint16_t bits) { return float_bits::from_half(bits); }
uint16_t float_to_half(float value) { return float_bits::to_half(value); }
float bfloat_to_float(uint16_t bits) { return float_bits::from_bfloat(bits); }
uint16_t float_to_bfloat(float value) { return float_bits::to_bfloat(value); }

float small_float_to_float(DType type, uint8_t bits) {
  if (type != DType::f8e8m0) return decode(format_of(type), bits);
  return bits == 0xff ? NAN : std::ldexp(1.0f, static_cast<int>(bits) - 127);
}

uint8_t float_to_small_float(DType type, float value, bool saturate) {
  if (type == DType::f8e8m0) return to_power(value, saturate);
  const Format format = format_of(type);
  const int top = 1 << (format.bits - 1);
  const int sign = std::signbit(value) ? top : 0;
  const auto nan = static_cast<uint8_t>(format.nan == top ? top : format.nan | sign);
  if (std::isnan(value)) return format.nan < 0 ? static_cast<uint8_t>(top) : nan;  // 4 and 6 bits have none: ONNX's reference gives -0
  const float size = std::fabs(value);
  int code = 0;
  bool over = std::isinf(value);
  if (!over && size > 0) {
    const int exponent = std::max(std::ilogb(size), 1 - format.bias);
    const float steps = std::nearbyint(std::ldexp(size, format.mantissa - exponent));
    over = std::ldexp(steps, exponent - format.mantissa) > format.largest;
    code = ((exponent + format.bias - 1) << format.mantissa) + static_cast<int>(steps);  // codes count on across exponents
  }
  if (over && (saturate || format.nan < 0)) {
    code = format.most;
  } else if (over) {
    if (format.infinity < 0) return nan;
    code = format.infinity;
  }
  if (code == 0 && !format.negative_zero) return 0;
  return static_cast<uint8_t>(code | sign);
}

}  // namespace tenon
