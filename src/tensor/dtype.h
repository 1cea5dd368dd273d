// Element types: every one that ONNX has, under our own stable names.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/fields.h"

namespace tenon {

enum class DType : uint8_t {
  none,
  f32,
  u8,
  i8,
  u16,
  i16,
  i32,
  i64,
  str,
  boolean,
  f16,
  f64,
  u32,
  u64,
  c64,
  c128,
  bf16,
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  u4,
  i4,
  f4e2m1,
  f8e8m0,
  u2,
  i2,
  f6e2m3,
  f6e3m2,
};
constexpr auto enum_names(DType) {
  return std::array<std::string_view, 29>{"none",   "f32",      "u8",         "i8",     "u16",        "i16", "i32", "i64",
                                          "str",    "bool",     "f16",        "f64",    "u32",        "u64", "c64", "c128",
                                          "bf16",   "f8e4m3fn", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "u4",  "i4",  "f4e2m1",
                                          "f8e8m0", "u2",       "i2",         "f6e2m3", "f6e3m2"};
}

std::string_view to_string(DType type);
std::optional<DType> dtype_of(std::string_view name);
/// ONNX TensorProto.DataType, whose numbers the enum keeps; nullopt for numbers that do not exist.
std::optional<DType> dtype_of_onnx(int64_t number);

/// Bits of one element; 0 for none and str. Sub-byte elements are packed, low bits first. A 6-bit float takes a byte, its high bits 0.
int bits_of(DType type);
/// Bytes of `elems` packed elements.
int64_t bytes_of(DType type, int64_t elems);
bool is_float(DType type);  // real floats of any width
bool is_signed_int(DType type);
bool is_unsigned_int(DType type);
bool is_int(DType type);  // signed or unsigned, not bool
bool is_complex(DType type);

/// In what type the plain evaluators compute: f32 for narrow floats, f64, i64 for ints and bool, the type itself otherwise.
DType widened(DType type);

}  // namespace tenon
