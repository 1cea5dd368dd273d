// Math: the arithmetic an anchor may use. Written by the precision pass, obeyed by tactics; it is no dtype.
#pragma once
#include "tensor/dtype.h"

namespace tenon {

enum class Rounding : uint8_t { f32, tf32, bf16, f16, f8e4m3, f8e5m2, i8 };
constexpr auto enum_names(Rounding) { return std::array<std::string_view, 7>{"f32", "tf32", "bf16", "f16", "f8e4m3", "f8e5m2", "i8"}; }

struct Math {
  Rounding operand_rounding = Rounding::f32;
  DType accumulator = DType::none;  // none: the widened type of the result
  bool transforms = true;           // bounded-error transforms such as Winograd
  static constexpr std::string_view kName = "Math";
  static constexpr auto kFields = Fields{Field{1, "operand_rounding", &Math::operand_rounding}, Field{2, "accumulator", &Math::accumulator},
                                         Field{3, "transforms", &Math::transforms}};
};

}  // namespace tenon
