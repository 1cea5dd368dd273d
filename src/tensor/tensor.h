// Tensor and HostValue: values in host memory. A Tensor is dense, row-major, shared by its copies.
#pragma once
#include <memory>
#include <span>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tenon {

struct Tensor {
  DType dtype = DType::none;
  Dims dims;
  std::byte* data = nullptr;  // 64-byte aligned when allocated here; an array of std::string for DType::str
  std::shared_ptr<const void> owner;
  bool on_device = false;  // memory of the plan's device, which the host may not touch

  /// Uninitialised memory (strings: empty). Errors: negative dims, no memory.
  static Result<Tensor> allocate(DType dtype, Dims dims);
  /// A view of memory that `owner` (or the caller) keeps alive.
  static Tensor wrap(DType dtype, Dims dims, std::byte* data, std::shared_ptr<const void> owner = {});

  bool defined() const { return dtype != DType::none; }
  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t elems() const { return elems_of(dims); }
  int64_t bytes() const { return bytes_of(dtype, elems()); }
  ByteView view() const { return {data, static_cast<size_t>(dtype == DType::str ? 0 : bytes())}; }
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data), static_cast<size_t>(elems())};
  }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), static_cast<size_t>(elems())};
  }
};

/// A tensor from numbers, for constants and tests.
template <class T>
Tensor make_tensor(DType dtype, Dims dims, std::span<const T> values) {
  auto out = Tensor::allocate(dtype, std::move(dims));
  std::copy(values.begin(), values.end(), reinterpret_cast<T*>(out->data));
  return std::move(*out);
}
Tensor int64_tensor(const Dims& values);  // rank 1
Tensor scalar_tensor(DType dtype, double value);

/// Element by element as double, int64 or string, whatever the width; `convert` for whole tensors.
double element_as_double(const Tensor& tensor, int64_t i);
int64_t element_as_int(const Tensor& tensor, int64_t i);
/// All elements of an integer or bool tensor.
Dims ints_of(const Tensor& tensor);

/// How a number becomes a narrower one.
enum class Narrow : uint8_t { wrap, saturate };
/// A tensor of the same shape and another real type. Float → int truncates toward zero; int → narrower int wraps, or saturates when
/// asked; → 8-bit floats saturates when asked (ONNX Cast `saturate`), else overflow becomes inf or NaN; → bool is != 0.
/// Shares the data when the type is already `to`. Errors: strings and complex numbers.
Result<Tensor> convert(const Tensor& in, DType to, Narrow narrow = Narrow::wrap);
/// convert() to widened(in.dtype): what the plain evaluators compute on.
Result<Tensor> widen(const Tensor& in);
/// Writes `from` (f32, f64 or i64, same number of elements) into the elements of `to`, rounding to its type.
Result<void> store(const Tensor& from, Tensor& to, Narrow narrow = Narrow::wrap);

/// 16-bit and narrower floats, bit by bit; round to nearest even.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float bfloat_to_float(uint16_t bits);
uint16_t float_to_bfloat(float value);
float small_float_to_float(DType type, uint8_t bits);
uint8_t float_to_small_float(DType type, float value, bool saturate);

/// Any ONNX value in host memory.
struct HostValue {
  enum class Kind : uint8_t { absent, tensor, sequence, optional, map };
  Kind kind = Kind::absent;
  Tensor tensor;                 // tensor; keys of a map
  std::vector<HostValue> items;  // elements of a sequence, the one value of a full optional, values of a map

  HostValue() = default;
  HostValue(Tensor t) : kind(Kind::tensor), tensor(std::move(t)) {}
};

/// What an evaluator does first with an output: memory of the runtime is kept when its type and dims fit, a tensor without data is
/// allocated. Errors: the plan's dims differ from the evaluator's.
Result<void> prepare_output(HostValue& out, DType dtype, const Dims& dims);

}  // namespace tenon
