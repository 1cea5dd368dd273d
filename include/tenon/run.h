// tenon/run.h: load an engine file and run it. Inline C++20 over the C interface of c.h; links against libtenon-run alone.
//
//   tenon::Runtime runtime;
//   auto engine = runtime.load("digits.engine");
//   if (!engine) return report(engine.error().message);
//   auto context = engine->create_context();
//   context->set_input("image", std::span<const float>(pixels), {1, 1, 28, 28});
//   context->run();
//   std::span<const float> logits = context->output("logits")->as<float>();
//
// Errors are values: a Result holds what was asked for, or an Error whose message says what is wrong and what to do. Nothing throws
// but std::bad_alloc. Engine may be used by any number of threads at once, ExecutionContext by one at a time.
#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
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

/// A tensor in host memory that the view does not own: dense, row-major.
struct TensorView {
  DType dtype = DType::none;
  std::span<const int64_t> dims = {};
  const void* data = nullptr;
  size_t bytes = 0;

  /// The elements. T must be the C++ type of dtype, or any type of the same size for types that C++ lacks.
  template <class T>
  std::span<const T> as() const {
    assert(dtype_of<T> == dtype || sizeof(T) * 8 == static_cast<size_t>(tenon_dtype_bits(static_cast<tenon_dtype>(dtype))));
    return {static_cast<const T*>(data), bytes / sizeof(T)};
  }
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

namespace detail {

inline Error last_error(tenon_status status) { return {static_cast<ErrorKind>(status), tenon_last_error()}; }
inline Status status_of(tenon_status status) { return status == TENON_STATUS_OK ? Status() : Status(last_error(status)); }

template <auto free>
struct Free {
  template <class T>
  void operator()(T* handle) const {
    free(handle);
  }
};
using EngineHandle = std::shared_ptr<tenon_engine>;
using ContextHandle = std::unique_ptr<tenon_context, Free<tenon_context_free>>;

inline TensorInfo info_of(const tenon_io_info& from) {
  TensorInfo out{.name = from.name, .dtype = static_cast<DType>(from.dtype), .has_rank = from.rank >= 0, .type = from.type_text};
  for (int64_t i = 0; i < from.rank; ++i) {
    out.dims.push_back(from.dims[i]);
    out.dim_texts.emplace_back(from.dim_texts[i]);
  }
  return out;
}

inline void log_to(void* user, tenon_severity severity, const char* message) {
  (*static_cast<const std::function<void(Severity, std::string_view)>*>(user))(static_cast<Severity>(severity), message);
}

}  // namespace detail

/// What a load may be told.
struct LoadOptions {
  std::string target = {};      // "cpu", "portable"; empty: the best plan of the file that this machine has devices for
  bool verify_weights = false;  // also check the checksum of every weight
};

/// Runs an engine for one caller at a time. Keeps the engine alive. Movable.
class ExecutionContext {
 public:
  /// Shows `context` an input's elements, which must stay where they are until the last run with them. Errors: no such input, another
  /// element type. Shapes are checked by run().
  Status set_input(std::string_view name, DType dtype, std::span<const int64_t> dims, const void* data) {
    const auto index = index_of(TENON_IO_INPUT, name);
    if (!index) return index.error();
    return detail::status_of(tenon_context_set_input(handle_.get(), *index, static_cast<tenon_dtype>(dtype),
                                                     static_cast<int64_t>(dims.size()), dims.data(), data));
  }
  /// The same from a span. Errors also: the number of elements is not the product of dims.
  template <class T>
  Status set_input(std::string_view name, std::span<const T> elems, std::span<const int64_t> dims) {
    static_assert(dtype_of<T> != DType::none, "this C++ type is no element type: use the overload that takes a DType");
    if (const Status same = check_count(name, elems.size(), dims); !same.ok()) return same.error();
    return set_input(name, dtype_of<T>, dims, elems.data());
  }
  template <class T>
  Status set_input(std::string_view name, std::span<const T> elems, std::initializer_list<int64_t> dims) {
    return set_input(name, elems, std::span<const int64_t>(dims.begin(), dims.size()));
  }
  /// Memory that receives an output from the next run on; an empty span: the context's own again.
  template <class T>
  Status set_output(std::string_view name, std::span<T> elems) {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    return detail::status_of(tenon_context_set_output(handle_.get(), *index, elems.data(), elems.size_bytes()));
  }

  /// Runs and waits. Errors: an input is missing or of a wrong shape, an output's memory is too small, no memory.
  Status run() { return detail::status_of(tenon_context_run(handle_.get())); }

  /// The result of the last run, valid until the next one. Errors: no such output, no result yet, no tensor.
  Result<TensorView> output(std::string_view name) const {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    tenon_tensor tensor = {};
    tensor.size = sizeof tensor;
    if (const auto status = tenon_context_output(handle_.get(), *index, &tensor)) return detail::last_error(status);
    return TensorView{static_cast<DType>(tensor.dtype), {tensor.dims, static_cast<size_t>(tensor.rank)}, tensor.data, tensor.bytes};
  }

  /// Bytes of intermediate results with the inputs set now.
  Result<int64_t> memory() {
    int64_t bytes = 0;
    if (const auto status = tenon_context_memory(handle_.get(), &bytes, nullptr)) return detail::last_error(status);
    return bytes;
  }

  tenon_context* c_handle() const { return handle_.get(); }

 private:
  friend class Engine;
  ExecutionContext(detail::EngineHandle engine, detail::ContextHandle handle) : engine_(std::move(engine)), handle_(std::move(handle)) {}

  Result<int64_t> index_of(tenon_io io, std::string_view name) const {
    int64_t index = 0;
    if (const auto status = tenon_engine_io_index(engine_.get(), io, std::string(name).c_str(), &index)) return detail::last_error(status);
    return index;
  }
  static Status check_count(std::string_view name, size_t count, std::span<const int64_t> dims) {
    size_t elems = 1;
    for (const int64_t dim : dims) elems *= static_cast<size_t>(dim);
    if (elems == count) return {};
    std::string text;
    for (const int64_t dim : dims) text += (text.empty() ? "" : ", ") + std::to_string(dim);
    return Error{ErrorKind::invalid_argument,
                 "input '" + std::string(name) + "' has dims [" + text + "] but " + std::to_string(count) + " elements"};
  }

  detail::EngineHandle engine_;
  detail::ContextHandle handle_;
};

/// A loaded engine: immutable but for refit, shared by its copies and by threads.
class Engine {
 public:
  explicit Engine(tenon_engine* owned) : handle_(owned, tenon_engine_free) {}

  std::vector<TensorInfo> inputs() const { return list(tenon_engine_io_count, tenon_engine_io_info, TENON_IO_INPUT); }
  std::vector<TensorInfo> outputs() const { return list(tenon_engine_io_count, tenon_engine_io_info, TENON_IO_OUTPUT); }
  /// Weights that refit may replace.
  std::vector<TensorInfo> weights() const { return list(tenon_engine_weight_count, tenon_engine_weight_info); }
  /// The plan that runs: "cpu", "portable".
  std::string target() const {
    const char* name = "";
    tenon_engine_target(handle_.get(), &name);
    return name;
  }
  /// Those that the file has plans for, best first.
  std::vector<std::string> targets() const {
    std::vector<std::string> out;
    int64_t count = 0;
    tenon_engine_target_count(handle_.get(), &count);
    const char* name = "";
    for (int64_t i = 0; i < count; ++i)
      if (tenon_engine_target_name(handle_.get(), i, &name) == TENON_STATUS_OK) out.emplace_back(name);
    return out;
  }

  Result<ExecutionContext> create_context() const {
    tenon_context* context = nullptr;
    if (const auto status = tenon_context_create(handle_.get(), &context)) return detail::last_error(status);
    return ExecutionContext(handle_, detail::ContextHandle(context));
  }
  /// Replaces a weight by a copy of `tensor`; contexts see it from their next run on. Errors: no such weight, another type or shape.
  Status refit(std::string_view name, const TensorView& tensor) {
    return detail::status_of(tenon_engine_refit(handle_.get(), std::string(name).c_str(), static_cast<tenon_dtype>(tensor.dtype),
                                                static_cast<int64_t>(tensor.dims.size()), tensor.dims.data(), tensor.data));
  }
  /// The engine's file, replaced weights included.
  Result<HostMemory> serialize() const {
    void* data = nullptr;
    size_t bytes = 0;
    if (const auto status = tenon_engine_serialize(handle_.get(), &data, &bytes)) return detail::last_error(status);
    const std::unique_ptr<void, detail::Free<tenon_free>> owner(data);
    const auto* first = static_cast<const std::byte*>(data);
    return HostMemory(std::vector<std::byte>(first, first + bytes));
  }

  tenon_engine* c_handle() const { return handle_.get(); }

 private:
  template <class Count, class Info, class... Io>
  std::vector<TensorInfo> list(Count count_of, Info info_at, Io... io) const {
    int64_t count = 0;
    count_of(handle_.get(), io..., &count);
    std::vector<TensorInfo> out;
    for (int64_t i = 0; i < count; ++i) {
      tenon_io_info info = {};
      info.size = sizeof info;
      if (info_at(handle_.get(), io..., i, &info) == TENON_STATUS_OK) out.push_back(detail::info_of(info));
    }
    return out;
  }

  detail::EngineHandle handle_;
};

/// Loads engines.
class Runtime {
 public:
  explicit Runtime(Logger logger = {}) : logger_(std::move(logger)) {}

  /// Maps an engine file. Errors: no such file, a damaged file, a target that it has no plan for.
  Result<Engine> load(const std::string& path, const LoadOptions& options = {}) const {
    return load_with([&](const tenon_load_options& o, tenon_engine** out) { return tenon_engine_load_file(path.c_str(), &o, out); },
                     options);
  }
  /// Copies the bytes.
  Result<Engine> deserialize(std::span<const std::byte> bytes, const LoadOptions& options = {}) const {
    return load_with(
        [&](const tenon_load_options& o, tenon_engine** out) { return tenon_engine_load_memory(bytes.data(), bytes.size(), &o, out); },
        options);
  }
  Result<Engine> deserialize(const HostMemory& memory, const LoadOptions& options = {}) const {
    return deserialize(memory.view(), options);
  }

 private:
  template <class Load>
  Result<Engine> load_with(Load&& load, const LoadOptions& options) const {
    tenon_load_options o = {};
    o.size = sizeof o;
    o.target = options.target.empty() ? nullptr : options.target.c_str();
    o.verify_weights = options.verify_weights;
    auto callback = logger_.callback;
    if (callback) {
      o.log = detail::log_to;
      o.log_user = &callback;
    }
    o.least_severity = static_cast<tenon_severity>(logger_.least);
    tenon_engine* engine = nullptr;
    if (const auto status = load(o, &engine)) return detail::last_error(status);
    return Engine(engine);
  }

  Logger logger_;
};

}  // namespace v1
}  // namespace tenon
