// TensorProto.DataType: the element types of ONNX, by number.
#pragma once
#include <cstdint>
#include <string_view>

namespace tenon::onnx {

/// Unscoped, and int32_t in the views: files may hold numbers that this list does not know.
enum DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
  kFloat6E2M3 = 27,
  kFloat6E3M2 = 28,
};

/// As ONNX spells it, in lower case ("float8e4m3fn"); "undefined" for 0, "unknown" for numbers outside the list.
std::string_view data_type_name(int32_t data_type);
/// Bits of one element in a file (4 for int4, 128 for complex128); 0 for strings, undefined and unknown types.
int64_t data_type_bits(int32_t data_type);

}  // namespace tenon::onnx
