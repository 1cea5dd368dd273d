// What the evaluators share: checked access to operands, outputs, epilogues.
#pragma once
#include <limits>
#include <type_traits>

#include "engine/problem.h"

namespace tenon::reference {

/// Input `i`, which must be a real tensor (no strings, no complex numbers) with at least `rank` dims.
Result<const Tensor*> operand(std::span<const HostValue> in, size_t i, std::string_view name, int64_t rank = 0);
/// The numbers, or an error: the problem has to be bound.
Result<Dims> numbers(std::span<const Dim> dims, std::string_view name);
/// The tensor's dims, grouped as `pattern` groups them: a rank-1 operand of a problem may stand for [c, 1, 1].
Result<Dims> dims_like(const Shape& pattern, const Tensor& tensor);
/// One real type that holds what both compute in: f64, f32 or i64.
DType common_type(DType a, DType b);
/// To `type`, through the operand rounding that `math` asks for.
Result<Tensor> rounded(const Tensor& in, DType type, const Math& math);

/// prepare_output, but memory of the runtime may group the elements into other dims. Gives the output's dims.
Result<Dims> fit_output(HostValue& out, DType type, const Dims& dims);

/// [n, spatial..., c] → [n, c, spatial...], of f32, f64 or i64 elements, and back.
Result<Tensor> channels_first(const Tensor& in);
void store_channels_last(const Tensor& in, Tensor& out);

/// Where an anchor puts its result, of `type` and `dims`: the output's own memory when nothing has to be done to it afterwards.
Result<Tensor> begin_result(DType type, const Dims& dims, DType out_type, const engine::Epilogue& epilogue, std::span<HostValue> out);
/// Rounds the result into output 0, or runs the epilogue on it and the trailing inputs.
Result<void> finish(const Tensor& result, DType out_type, const engine::Epilogue& epilogue, std::span<const HostValue> operands,
                    std::span<HostValue> out);

/// A double as an element: integers truncate and stop at the ends of their range, NaN becomes 0.
template <class T>
T element_of(double x) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(x);
  constexpr double kEnd = std::is_signed_v<T> ? 0x1p63 : 0x1p64;
  if (!(x > (std::is_signed_v<T> ? -kEnd : -1.0))) return x == x ? std::numeric_limits<T>::min() : T(0);
  return x < kEnd ? static_cast<T>(x) : std::numeric_limits<T>::max();
}

/// |first| + (steps - 1) * step stays far inside 64 bits: index arithmetic on it cannot overflow.
Result<void> check_extent(int64_t first, int64_t steps, int64_t step);

}  // namespace tenon::reference
