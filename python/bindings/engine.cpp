// Engines and contexts.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "value.h"

namespace bindings {
namespace {

/// "f32", or DLPack's numbers for types that are none.
std::string name_of(nb::dlpack::dtype type) {
  for (int i = TENON_DTYPE_F32; i <= TENON_DTYPE_F8E8M0; ++i) {
    const auto dtype = static_cast<tenon_dtype>(i);
    if (tenon_dtype_bits(dtype) >= 8 && dlpack_type(dtype) == type) return tenon_dtype_name(dtype);
  }
  return "of DLPack's type (" + std::to_string(type.code) + ", " + std::to_string(type.bits) + ")";
}

bool is_contiguous(const DeviceArray& array) {
  int64_t stride = 1;
  for (size_t d = array.ndim(); d-- > 0; stride *= static_cast<int64_t>(array.shape(d)))
    if (array.shape(d) != 1 && array.stride(d) != stride && array.size() > 1) return false;
  return true;
}

/// A context, and the arrays that its inputs lie in.
class Context {
 public:
  explicit Context(tenon::ExecutionContext context) : context_(std::move(context)) {}

  /// `dtype`: ONNX's number, which may say more than the array's own type; `dims`: of the tensor (sub-byte types: the array is bytes).
  void set_input(int64_t index, const Array& array, int dtype, const std::vector<int64_t>& dims) {
    set_input_address(index, reinterpret_cast<uintptr_t>(array.data()), dtype, dims);
    keep<Array>(inputs_, index, array);
  }
  void set_input_address(int64_t index, uintptr_t address, int dtype, const std::vector<int64_t>& dims) {
    expect(tenon_context_set_input(get(), index, static_cast<tenon_dtype>(dtype), static_cast<int64_t>(dims.size()), dims.data(),
                                   reinterpret_cast<const void*>(address)));
    keep<Array>(inputs_, index, {});
  }
  /// An array in a device's memory, from the capsule that its __dlpack__ gave.
  void set_input_capsule(int64_t index, const DeviceArray& array, int dtype, const std::string& name) {
    const auto wanted = static_cast<tenon_dtype>(dtype);
    const auto refuse = [&](tenon::ErrorKind kind, const std::string& text) { return Failure({kind, "input '" + name + "'" + text}); };
    if (tenon_dtype_bits(wanted) < 8)
      throw refuse(tenon::ErrorKind::unsupported, " is " + std::string(tenon_dtype_name(wanted)) + ", which no device array holds packed");
    if (array.dtype() != dlpack_type(wanted) && array.dtype() != carrier(wanted))
      throw refuse(tenon::ErrorKind::invalid_argument,
                   " must be " + std::string(tenon_dtype_name(wanted)) + ", the array is " + name_of(array.dtype()));
    if (!is_contiguous(array))
      throw refuse(tenon::ErrorKind::invalid_argument, " must be contiguous in the device's memory: copy the array there first");
    std::vector<int64_t> dims;
    for (size_t d = 0; d < array.ndim(); ++d) dims.push_back(static_cast<int64_t>(array.shape(d)));
    tenon_tensor tensor = {};
    tensor.size = sizeof tensor;
    tensor.dtype = wanted;
    tensor.rank = static_cast<int64_t>(dims.size());
    tensor.dims = dims.data();
    tensor.data = array.data();
    tensor.bytes = array.nbytes();
    tensor.device_kind = static_cast<tenon_device_kind>(array.device_type());
    tensor.device_index = array.device_id();
    expect(tenon_context_set_input_tensor(get(), index, &tensor));
    keep<Array>(inputs_, index, {});
    keep<DeviceArray>(device_inputs_, index, array);
  }
  void set_input_value(int64_t index, const Value* value) {
    expect(tenon_context_set_input_value(get(), index, value ? value->get() : nullptr));
    keep<Array>(inputs_, index, {});
  }
  /// Lets go of the inputs' memory.
  void clear_inputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) expect(tenon_context_set_input_value(get(), static_cast<int64_t>(i), nullptr));
    inputs_.clear();
    device_inputs_.clear();
  }
  void set_output_address(int64_t index, uintptr_t address, size_t bytes) {
    expect(tenon_context_set_output(get(), index, reinterpret_cast<void*>(address), bytes));
  }
  void place_output(int64_t index, int kind) { expect(tenon_context_place_output(get(), index, static_cast<tenon_device_kind>(kind))); }
  void run() {
    const nb::gil_scoped_release unlocked;
    expect(tenon_context_run(get()));
  }
  void run_on(uintptr_t stream) {
    const nb::gil_scoped_release unlocked;
    expect(tenon_context_run_on(get(), reinterpret_cast<void*>(stream)));
  }
  void enqueue(uintptr_t stream) {
    const nb::gil_scoped_release unlocked;
    expect(tenon_context_enqueue(get(), reinterpret_cast<void*>(stream)));
  }
  void synchronize() {
    const nb::gil_scoped_release unlocked;
    expect(tenon_context_synchronize(get()));
  }
  uintptr_t stream() const { return reinterpret_cast<uintptr_t>(context_.stream()); }
  nb::tuple stats() const {
    const tenon::RunStats s = context_.stats();
    return nb::make_tuple(s.copies_to_device, s.bytes_to_device, s.copies_to_host, s.bytes_to_host, s.copies_within_device,
                          s.bytes_within_device, s.graphs);
  }
  Value output(int64_t index) const {
    tenon_value* value = nullptr;
    expect(tenon_context_output_value(get(), index, &value));
    return Value(value);
  }
  nb::object output_shape(int64_t index) const {
    constexpr int64_t kCapacity = 64;
    int64_t rank = 0, dims[kCapacity];
    expect(tenon_context_output_shape(get(), index, kCapacity, &rank, dims));
    if (rank < 0) return nb::none();
    return to_tuple({dims, static_cast<size_t>(rank)});
  }
  nb::tuple memory() {
    int64_t bytes = 0, lower_bound = 0;
    expect(tenon_context_memory(get(), &bytes, &lower_bound));
    return nb::make_tuple(bytes, lower_bound);
  }

 private:
  tenon_context* get() const { return context_.c_handle(); }
  template <class T>
  static void keep(std::vector<T>& arrays, int64_t index, T array) {
    if (static_cast<size_t>(index) >= arrays.size()) arrays.resize(static_cast<size_t>(index) + 1);
    arrays[static_cast<size_t>(index)] = std::move(array);
  }
  std::vector<Array> inputs_;
  std::vector<DeviceArray> device_inputs_;
  tenon::ExecutionContext context_;  // last: its end waits for runs that may still read the inputs
};

using Text = std::optional<std::string>;

tenon::LoadOptions options_of(const Text& target, const Text& device, bool verify_weights) {
  return {.target = target.value_or(""), .verify_weights = verify_weights, .device = device.value_or("")};
}

tenon::Engine load(const std::string& path, const Text& target, const Text& device, bool verify_weights, nb::object log) {
  const tenon::Runtime runtime(logger_of(std::move(log)));
  const nb::gil_scoped_release unlocked;
  return take(runtime.load(path, options_of(target, device, verify_weights)));
}

tenon::Engine deserialize(std::span<const std::byte> bytes, const Text& target, const Text& device, bool verify_weights, nb::object log) {
  const tenon::Runtime runtime(logger_of(std::move(log)));
  const nb::gil_scoped_release unlocked;
  return take(runtime.deserialize(bytes, options_of(target, device, verify_weights)));
}

}  // namespace

void bind_engine(nb::module_& m) {
  nb::class_<tenon::HostMemory>(m, "HostMemory")
      .def("__len__", &tenon::HostMemory::size)
      .def("__bytes__", [](const tenon::HostMemory& memory) { return nb::bytes(memory.data(), memory.size()); });

  nb::class_<tenon::TensorInfo>(m, "TensorInfo")
      .def_ro("name", &tenon::TensorInfo::name)
      .def_prop_ro("dtype", [](const tenon::TensorInfo& info) { return static_cast<int>(info.dtype); })
      .def_ro("has_rank", &tenon::TensorInfo::has_rank)
      .def_ro("dims", &tenon::TensorInfo::dims)
      .def_ro("dim_texts", &tenon::TensorInfo::dim_texts)
      .def_ro("type", &tenon::TensorInfo::type);

  nb::class_<Context>(m, "Context")
      .def("set_input", &Context::set_input)
      .def("set_input_address", &Context::set_input_address)
      .def("set_input_capsule", &Context::set_input_capsule)
      .def("set_input_value", &Context::set_input_value, nb::arg("index"), nb::arg("value").none())
      .def("clear_inputs", &Context::clear_inputs)
      .def("set_output_address", &Context::set_output_address)
      .def("place_output", &Context::place_output)
      .def("run", &Context::run)
      .def("run_on", &Context::run_on)
      .def("enqueue", &Context::enqueue)
      .def("synchronize", &Context::synchronize)
      .def("stream", &Context::stream)
      .def("stats", &Context::stats)
      .def("output", &Context::output)
      .def("output_shape", &Context::output_shape)
      .def("memory", &Context::memory);

  nb::class_<tenon::Engine>(m, "Engine")
      .def_static("load", load, nb::arg("path"), nb::arg("target").none(), nb::arg("device").none(), nb::arg("verify_weights"),
                  nb::arg("log").none())
      .def_static(
          "deserialize",
          [](const nb::bytes& bytes, const Text& target, const Text& device, bool verify_weights, nb::object log) {
            return deserialize({static_cast<const std::byte*>(bytes.data()), bytes.size()}, target, device, verify_weights, std::move(log));
          },
          nb::arg("data"), nb::arg("target").none(), nb::arg("device").none(), nb::arg("verify_weights"), nb::arg("log").none())
      .def_static(
          "deserialize",
          [](const tenon::HostMemory& memory, const Text& target, const Text& device, bool verify_weights, nb::object log) {
            return deserialize(memory.view(), target, device, verify_weights, std::move(log));
          },
          nb::arg("data"), nb::arg("target").none(), nb::arg("device").none(), nb::arg("verify_weights"), nb::arg("log").none())
      .def("inputs", &tenon::Engine::inputs)
      .def("outputs", &tenon::Engine::outputs)
      .def("weights", &tenon::Engine::weights)
      .def("target", &tenon::Engine::target)
      .def("targets", &tenon::Engine::targets)
      .def("device",
           [](const tenon::Engine& engine) {
             const tenon::Device device = engine.device();
             return nb::make_tuple(static_cast<int>(device.kind), device.index);
           })
      .def("host_steps", &tenon::Engine::host_steps)
      .def("to_device",
           [](const tenon::Engine& engine, const Value& value) {
             tenon_value* out = nullptr;
             const nb::gil_scoped_release unlocked;
             expect(tenon_value_to_device(engine.c_handle(), value.get(), &out));
             return Value(out);
           })
      .def("refit",
           [](tenon::Engine& engine, const std::string& name, const Array& array, int dtype, const std::vector<int64_t>& dims) {
             const tenon::TensorView view{static_cast<tenon::DType>(dtype), dims, array.data(), array.nbytes()};
             const nb::gil_scoped_release unlocked;
             expect(engine.refit(name, view));
           })
      .def("serialize",
           [](const tenon::Engine& engine) {
             const nb::gil_scoped_release unlocked;
             return take(engine.serialize());
           })
      .def("create_context", [](const tenon::Engine& engine) { return Context(take(engine.create_context())); });
}

}  // namespace bindings
