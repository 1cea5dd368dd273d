#include "tensor/dtype.h"

namespace tenon {

std::string_view to_string(DType type) { return enum_names(type)[static_cast<size_t>(type)]; }

std::optional<DType> dtype_of(std::string_view name) {
  const auto names = enum_names(DType{});
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<DType>(i);
  return std::nullopt;
}

std::optional<DType> dtype_of_onnx(int64_t number) {
  if (number <= 0 || number >= static_cast<int64_t>(enum_names(DType{}).size())) return std::nullopt;
  return static_cast<DType>(number);
}

int bits_of(DType type) {
  switch (type) {
    case DType::none:
    case DType::str: return 0;
    case DType::u2:
    case DType::i2: return 2;
    case DType::u4:
    case DType::i4:
    case DType::f4e2m1: return 4;
    case DType::u8:
    case DType::i8:
    case DType::boolean:
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
    case DType::f6e2m3:
    case DType::f6e3m2: return 8;
    case DType::u16:
    case DType::i16:
    case DType::f16:
    case DType::bf16: return 16;
    case DType::f32:
    case DType::i32:
    case DType::u32: return 32;
    case DType::f64:
    case DType::i64:
    case DType::u64:
    case DType::c64: return 64;
    case DType::c128: return 128;
  }
  return 0;
}

int64_t bytes_of(DType type, int64_t elems) {
  const int bits = bits_of(type);
  return bits >= 8 ? elems * (bits / 8) : (elems * bits + 7) / 8;
}

bool is_float(DType type) {
  switch (type) {
    case DType::f32:
    case DType::f64:
    case DType::f16:
    case DType::bf16:
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
    case DType::f6e2m3:
    case DType::f6e3m2:
    case DType::f4e2m1: return true;
    default: return false;
  }
}

bool is_signed_int(DType type) {
  return type == DType::i8 || type == DType::i16 || type == DType::i32 || type == DType::i64 || type == DType::i4 || type == DType::i2;
}
bool is_unsigned_int(DType type) {
  return type == DType::u8 || type == DType::u16 || type == DType::u32 || type == DType::u64 || type == DType::u4 || type == DType::u2;
}
bool is_int(DType type) { return is_signed_int(type) || is_unsigned_int(type); }
bool is_complex(DType type) { return type == DType::c64 || type == DType::c128; }

DType widened(DType type) {
  if (type == DType::f64) return DType::f64;
  if (is_float(type)) return DType::f32;
  if (is_int(type) || type == DType::boolean) return DType::i64;
  return type;
}

}  // namespace tenon
