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
// Tensors in a GPU's memory go in and out without a copy, on the caller's stream:
//
//   auto engine = runtime.load("digits.engine", {.device = "cuda:0"});
//   auto context = engine->create_context();
//   context->set_input("image", tenon::TensorView{tenon::DType::f32, dims, pixels, bytes, {tenon::DeviceKind::cuda, 0}});
//   context->set_output("logits", tenon::TensorMemory{tenon::DType::f32, logits, logits_bytes, {tenon::DeviceKind::cuda, 0}});
//   context->enqueue(stream);        // returns at once; what the stream is given next comes after it
//
// Errors are values: a Result holds what was asked for, or an Error whose message says what is wrong and what to do. Nothing throws
// but std::bad_alloc. Engine may be used by any number of threads at once, ExecutionContext by one at a time.
#pragma once
#include <initializer_list>

#include "tenon/types.h"

namespace tenon {
inline namespace v1 {

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
using ValueHandle = std::unique_ptr<tenon_value, Free<tenon_value_free>>;

inline TensorView view_of(const tenon_tensor& tensor) {
  return {static_cast<DType>(tensor.dtype),
          {tensor.dims, static_cast<size_t>(tensor.rank)},
          tensor.data,
          tensor.bytes,
          {static_cast<DeviceKind>(tensor.device_kind), tensor.device_index}};
}

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
  std::string device = {};      // only plans for this device: "cpu", "cuda" (the first GPU), "cuda:1"; empty: any
};

/// A tensor that owns its memory, in the host's or a device's: a copy that was moved there, or a result that a context gave away.
class OwnedTensor {
 public:
  explicit OwnedTensor(tenon_value* owned) : handle_(owned) {}

  /// Valid as long as this.
  TensorView view() const {
    tenon_tensor tensor = {};
    tensor.size = sizeof tensor;
    const auto status = tenon_value_as_tensor(handle_.get(), &tensor);
    assert(status == TENON_STATUS_OK);
    (void)status;
    return detail::view_of(tensor);
  }
  /// A copy in host memory; waits for the work that the tensor comes from.
  Result<OwnedTensor> to_host() const {
    tenon_value* out = nullptr;
    if (const auto status = tenon_value_to_host(handle_.get(), &out)) return detail::last_error(status);
    return OwnedTensor(out);
  }
  /// The caller's next work on `stream` may use the memory: it comes after the run that made the tensor, and when the tensor dies its
  /// memory is used again only after that work.
  Status use_on(void* stream) const { return detail::status_of(tenon_value_use_on(handle_.get(), stream)); }

  tenon_value* c_handle() const { return handle_.get(); }

 private:
  detail::ValueHandle handle_;
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
  /// A tensor in host memory or that of the engine's device, which is read in place. Errors also: another device; memory that is not the
  /// device's. A run copies within the device's memory what is not aligned to 64 bytes.
  Status set_input(std::string_view name, const TensorView& tensor) {
    const auto index = index_of(TENON_IO_INPUT, name);
    if (!index) return index.error();
    const tenon_tensor given = c_tensor(tensor.dtype, tensor.dims, tensor.data, tensor.bytes, tensor.device);
    return detail::status_of(tenon_context_set_input_tensor(handle_.get(), *index, &given));
  }
  /// The same, which keeps the memory alive.
  Status set_input(std::string_view name, const OwnedTensor& tensor) {
    const auto index = index_of(TENON_IO_INPUT, name);
    if (!index) return index.error();
    return detail::status_of(tenon_context_set_input_value(handle_.get(), *index, tensor.c_handle()));
  }
  /// Memory of the host or of the engine's device that receives an output from the next run on, without a copy where it is aligned to 64
  /// bytes; null data: the context's own again. Errors: no such output, another element type or device. run() says if it is too small.
  Status set_output(std::string_view name, const TensorMemory& memory) {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    const tenon_tensor given = c_tensor(memory.dtype, {}, memory.data, memory.bytes, memory.device);
    return detail::status_of(tenon_context_set_output_tensor(handle_.get(), *index, &given));
  }
  /// Whose memory the context takes for an output that has none of the caller's.
  Status place_output(std::string_view name, DeviceKind kind) {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    return detail::status_of(tenon_context_place_output(handle_.get(), *index, static_cast<tenon_device_kind>(kind)));
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

  /// The same on a stream of the engine's device (see enqueue): after what it holds, and before what it is given next.
  Status run_on(void* stream) { return detail::status_of(tenon_context_run_on(handle_.get(), stream)); }
  /// Begins a run on a stream (a CUstream, or 1, the legacy default stream; null: the context's own) and returns without waiting for the
  /// device. Errors: inputs or outputs in host memory, steps of the host in the plan (Engine::host_steps), a stream of another device.
  Status enqueue(void* stream = nullptr) { return detail::status_of(tenon_context_enqueue(handle_.get(), stream)); }
  /// Waits for all runs that were begun. Errors: what went wrong in them.
  Status synchronize() { return detail::status_of(tenon_context_synchronize(handle_.get())); }
  /// The context's own stream; null where the plan is for the host alone.
  void* stream() const {
    void* out = nullptr;
    (void)tenon_context_stream(handle_.get(), &out);
    return out;
  }
  /// Of the last run.
  RunStats stats() const {
    tenon_run_stats s = {};
    s.size = sizeof s;
    (void)tenon_context_run_stats(handle_.get(), &s);
    return {s.copies_to_device,     s.bytes_to_device,     s.copies_to_host, s.bytes_to_host,
            s.copies_within_device, s.bytes_within_device, s.graphs};
  }

  /// The result of the last run, valid until the next one. Errors: no such output, no result yet, no tensor.
  Result<TensorView> output(std::string_view name) const {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    tenon_tensor tensor = {};
    tensor.size = sizeof tensor;
    if (const auto status = tenon_context_output(handle_.get(), *index, &tensor)) return detail::last_error(status);
    return detail::view_of(tensor);
  }
  /// The same as a tensor of its own, which the next run leaves alone.
  Result<OwnedTensor> take_output(std::string_view name) const {
    const auto index = index_of(TENON_IO_OUTPUT, name);
    if (!index) return index.error();
    tenon_value* value = nullptr;
    if (const auto status = tenon_context_output_value(handle_.get(), *index, &value)) return detail::last_error(status);
    return OwnedTensor(value);
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
  static tenon_tensor c_tensor(DType dtype, std::span<const int64_t> dims, const void* data, size_t bytes, Device device) {
    tenon_tensor out = {};
    out.size = sizeof out;
    out.dtype = static_cast<tenon_dtype>(dtype);
    out.rank = static_cast<int64_t>(dims.size());
    out.dims = dims.data();
    out.data = data;
    out.bytes = bytes;
    out.device_kind = static_cast<tenon_device_kind>(device.kind);
    out.device_index = device.index;
    return out;
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

  /// What the plan runs on beside the host; cpu: the host alone.
  Device device() const {
    tenon_device_kind kind = TENON_DEVICE_CPU;
    int32_t index = 0;
    tenon_engine_device(handle_.get(), &kind, &index);
    return {static_cast<DeviceKind>(kind), index};
  }
  /// Steps of a plan with a device that the host runs all the same: a run waits for the device where they read from it.
  std::vector<std::string> host_steps() const {
    std::vector<std::string> out;
    int64_t count = 0;
    tenon_engine_host_step_count(handle_.get(), &count);
    const char* name = "";
    for (int64_t i = 0; i < count; ++i)
      if (tenon_engine_host_step_name(handle_.get(), i, &name) == TENON_STATUS_OK) out.emplace_back(name);
    return out;
  }
  /// A copy of a tensor in host memory on the engine's device. Errors: the engine has none, no memory.
  Result<OwnedTensor> to_device(const TensorView& tensor) const {
    tenon_value *host = nullptr, *out = nullptr;
    if (const auto status = tenon_value_tensor(static_cast<tenon_dtype>(tensor.dtype), static_cast<int64_t>(tensor.dims.size()),
                                               tensor.dims.data(), tensor.data, &host))
      return detail::last_error(status);
    const detail::ValueHandle owner(host);
    if (const auto status = tenon_value_to_device(handle_.get(), host, &out)) return detail::last_error(status);
    return OwnedTensor(out);
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
    o.device = options.device.empty() ? nullptr : options.device.c_str();
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
