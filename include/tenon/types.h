// tenon/types.h: the values that run.h and build.h speak of: errors, results, element types, tensors, devices.
#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tenon/c.h"

namespace tenon {
// Versioned, so that these types and those of other headers or libraries never share a symbol.
inline namespace v1 {

enum class ErrorKind : int {
  invalid_argument = TENON_STATUS_INVALID_ARGUMENT,
  invalid_model = TENON_STATUS_INVALID_MODEL,
  unsupported = TENON_STATUS_UNSUPPORTED,
  bad_engine = TENON_STATUS_BAD_ENGINE,
  not_found = TENON_STATUS_NOT_FOUND,
  io = TENON_STATUS_IO,
  out_of_memory = TENON_STATUS_OUT_OF_MEMORY,
  cancelled = TENON_STATUS_CANCELLED,
  internal = TENON_STATUS_INTERNAL,
};

struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message = {};
};

/// A T, or an Error. Taking the value of a failed Result is a mistake of the program (an assertion).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return get(); }
  T&& value() && { return std::move(get()); }
  T& operator*() & { return get(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T& operator*() const& { return const_cast<Result*>(this)->get(); }
  const T* operator->() const { return &const_cast<Result*>(this)->get(); }
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  T& get() {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::unique_ptr<Error> error_;
};

/// Element types, numbered as ONNX numbers them.
enum class DType : int {
  none = TENON_DTYPE_NONE,
  f32 = TENON_DTYPE_F32,
  u8 = TENON_DTYPE_U8,
  i8 = TENON_DTYPE_I8,
  u16 = TENON_DTYPE_U16,
  i16 = TENON_DTYPE_I16,
  i32 = TENON_DTYPE_I32,
  i64 = TENON_DTYPE_I64,
  string = TENON_DTYPE_STRING,
  boolean = TENON_DTYPE_BOOL,
  f16 = TENON_DTYPE_F16,
  f64 = TENON_DTYPE_F64,
  u32 = TENON_DTYPE_U32,
  u64 = TENON_DTYPE_U64,
  c64 = TENON_DTYPE_C64,
  c128 = TENON_DTYPE_C128,
  bf16 = TENON_DTYPE_BF16,
  f8e4m3fn = TENON_DTYPE_F8E4M3FN,
  f8e4m3fnuz = TENON_DTYPE_F8E4M3FNUZ,
  f8e5m2 = TENON_DTYPE_F8E5M2,
  f8e5m2fnuz = TENON_DTYPE_F8E5M2FNUZ,
  u4 = TENON_DTYPE_U4,
  i4 = TENON_DTYPE_I4,
  f4e2m1 = TENON_DTYPE_F4E2M1,
  f8e8m0 = TENON_DTYPE_F8E8M0,
  u2 = TENON_DTYPE_U2,
  i2 = TENON_DTYPE_I2,
  f6e2m3 = TENON_DTYPE_F6E2M3,
  f6e3m2 = TENON_DTYPE_F6E3M2,
};
/// "f32", "bool".
inline const char* to_string(DType type) { return tenon_dtype_name(static_cast<tenon_dtype>(type)); }

/// The element type of a C++ type; declared for types that have one.
template <class T>
inline constexpr DType dtype_of = DType::none;
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;
template <>
inline constexpr DType dtype_of<int16_t> = DType::i16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::u16;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::u32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::u64;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;

enum class Severity : int {
  internal_error = TENON_SEVERITY_INTERNAL_ERROR,
  error = TENON_SEVERITY_ERROR,
  warning = TENON_SEVERITY_WARNING,
  info = TENON_SEVERITY_INFO,
  verbose = TENON_SEVERITY_VERBOSE,
};

/// Where messages go. Without a callback, warnings and worse go to standard error. The callback may be called from any thread that
/// builds or loads; messages less severe than `least` are dropped.
struct Logger {
  std::function<void(Severity severity, std::string_view message)> callback = {};
  Severity least = Severity::warning;
};

/// An input, output or weight of an engine.
struct TensorInfo {
  std::string name = {};
  DType dtype = DType::none;                // none: no tensor, see type
  bool has_rank = false;                    // dims are known by number
  std::vector<int64_t> dims = {};           // -1: known only when the model runs
  std::vector<std::string> dim_texts = {};  // "3", "batch", "2*n + 1"
  std::string type = {};                    // "f32[batch, 3]", "seq(f32[...])"
};

/// Kinds of device, numbered as DLPack numbers them.
enum class DeviceKind : int {
  cpu = TENON_DEVICE_CPU,
  cuda = TENON_DEVICE_CUDA,
  mock = TENON_DEVICE_MOCK,  // tests
};

/// A device of this machine; cpu is the host.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;

  bool operator==(const Device&) const = default;
};

/// A tensor in host memory, or that of a device, that the view does not own: dense, row-major.
struct TensorView {
  DType dtype = DType::none;
  std::span<const int64_t> dims = {};
  const void* data = nullptr;
  size_t bytes = 0;
  Device device = {};

  /// The elements, in host memory. T must be the C++ type of dtype, or any type of the same size for types that C++ lacks.
  template <class T>
  std::span<const T> as() const {
    assert(device.kind == DeviceKind::cpu);
    assert(dtype_of<T> == dtype || sizeof(T) * 8 == static_cast<size_t>(tenon_dtype_bits(static_cast<tenon_dtype>(dtype))));
    return {static_cast<const T*>(data), bytes / sizeof(T)};
  }
};

/// Memory for a tensor of an output; the run decides the dims.
struct TensorMemory {
  DType dtype = DType::none;
  void* data = nullptr;
  size_t bytes = 0;
  Device device = {};
};

/// What a run moved. Copies within the device's memory are those of tensors that are not aligned to 64 bytes.
struct RunStats {
  int64_t copies_to_device = 0, bytes_to_device = 0;
  int64_t copies_to_host = 0, bytes_to_host = 0;
  int64_t copies_within_device = 0, bytes_within_device = 0;
  int64_t graphs = 0;  // CUDA graphs launched in place of single kernels: from the second run with the same addresses on
};

/// Bytes of an engine file.
class HostMemory {
 public:
  HostMemory() = default;
  explicit HostMemory(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  const std::byte* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> view() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace v1
}  // namespace tenon
