// Values for people and tools: random ones, printing, comparing.
#pragma once
#include <optional>
#include <string>

#include "command.h"
#include "tensor/fact.h"

namespace tenon::cli {

/// A value of the type with `dims`, from `seed` and `name` alone: the same on every machine. Floats lie in [-1, 1), integers in 0..3,
/// strings are "s0" to "s3". Sequences have two elements, optionals a value. Errors: maps, no memory.
Result<HostValue> random_value(const ValueType& type, const Dims& dims, uint64_t seed, std::string_view name);
inline constexpr std::string_view kRandomRule = "floats uniform in [-1, 1), integers in 0..3";

/// The dims of a value whose type has symbols: bound ones as `symbols` says, the rest 1. Errors: an unknown rank.
Result<Dims> dims_for(const ValueType& type, const DimValues& symbols);
/// Adds what `dims` say about the bare symbols of `type`; the first value of a symbol stays.
void bind_symbols(const ValueType& type, const Dims& dims, DimValues& symbols);

/// "1.5", "-3", "true", "\"text\"", "(1+2j)".
std::string element_text(const Tensor& tensor, int64_t index);
/// "f32[1, 10] 0.1 0.2 …" with at most `count` elements of each tensor.
std::string value_text(const HostValue& value, int64_t count);
Json value_json(const HostValue& value, int64_t count);

struct Tolerance {
  double rtol = 1e-3, atol = 1e-5;
  double f16_rtol = 0x1p-8, bf16_rtol = 0x1p-5;  // four units in the last place, by which sums in another order differ

  /// One relative tolerance for every type.
  static Tolerance of(double rtol, double atol) { return {rtol, atol, rtol, rtol}; }
};
/// Nothing if equal: floats within atol + rtol · |wanted|, NaN equal to NaN, everything else exactly. Otherwise the first difference:
/// index, got, wanted, how many elements differ.
std::optional<std::string> first_difference(const HostValue& got, const HostValue& wanted, const Tolerance& tolerance);

}  // namespace tenon::cli
