// Engines and contexts.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "value.h"

namespace bindings {
namespace {

/// A context, and the arrays that its inputs lie in.
class Context {
 public:
  explicit Context(tenon::ExecutionContext context) : context_(std::move(context)) {}

  /// `dtype`: ONNX's number, which may say more than the array's own type; `dims`: of the tensor (sub-byte types: the array is bytes).
  void set_input(int64_t index, const Array& array, int dtype, const std::vector<int64_t>& dims) {
    set_input_address(index, reinterpret_cast<uintptr_t>(array.data()), dtype, dims);
    keep(inputs_, index, array);
  }
  void set_input_address(int64_t index, uintptr_t address, int dtype, const std::vector<int64_t>& dims) {
    expect(tenon_context_set_input(get(), index, static_cast<tenon_dtype>(dtype), static_cast<int64_t>(dims.size()), dims.data(),
                                   reinterpret_cast<const void*>(address)));
    keep(inputs_, index, {});
  }
  void set_input_value(int64_t index, const Value* value) {
    expect(tenon_context_set_input_value(get(), index, value ? value->get() : nullptr));
    keep(inputs_, index, {});
  }
  /// Lets go of the inputs' memory.
  void clear_inputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) expect(tenon_context_set_input_value(get(), static_cast<int64_t>(i), nullptr));
    inputs_.clear();
  }
  void set_output_address(int64_t index, uintptr_t address, size_t bytes) {
    expect(tenon_context_set_output(get(), index, reinterpret_cast<void*>(address), bytes));
  }
  void run() {
    const nb::gil_scoped_release unlocked;
    expect(tenon_context_run(get()));
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
  static void keep(std::vector<Array>& arrays, int64_t index, Array array) {
    if (static_cast<size_t>(index) >= arrays.size()) arrays.resize(static_cast<size_t>(index) + 1);
    arrays[static_cast<size_t>(index)] = std::move(array);
  }
  tenon::ExecutionContext context_;
  std::vector<Array> inputs_;
};

tenon::LoadOptions options_of(const std::optional<std::string>& target, bool verify_weights) {
  return {.target = target.value_or(""), .verify_weights = verify_weights};
}

tenon::Engine load(const std::string& path, const std::optional<std::string>& target, bool verify_weights, nb::object log) {
  const tenon::Runtime runtime(logger_of(std::move(log)));
  const nb::gil_scoped_release unlocked;
  return take(runtime.load(path, options_of(target, verify_weights)));
}

tenon::Engine deserialize(std::span<const std::byte> bytes, const std::optional<std::string>& target, bool verify_weights, nb::object log) {
  const tenon::Runtime runtime(logger_of(std::move(log)));
  const nb::gil_scoped_release unlocked;
  return take(runtime.deserialize(bytes, options_of(target, verify_weights)));
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
      .def("set_input_value", &Context::set_input_value, nb::arg("index"), nb::arg("value").none())
      .def("clear_inputs", &Context::clear_inputs)
      .def("set_output_address", &Context::set_output_address)
      .def("run", &Context::run)
      .def("output", &Context::output)
      .def("output_shape", &Context::output_shape)
      .def("memory", &Context::memory);

  nb::class_<tenon::Engine>(m, "Engine")
      .def_static("load", load, nb::arg("path"), nb::arg("target").none(), nb::arg("verify_weights"), nb::arg("log").none())
      .def_static(
          "deserialize",
          [](const nb::bytes& bytes, const std::optional<std::string>& target, bool verify_weights, nb::object log) {
            return deserialize({static_cast<const std::byte*>(bytes.data()), bytes.size()}, target, verify_weights, std::move(log));
          },
          nb::arg("data"), nb::arg("target").none(), nb::arg("verify_weights"), nb::arg("log").none())
      .def_static(
          "deserialize",
          [](const tenon::HostMemory& memory, const std::optional<std::string>& target, bool verify_weights, nb::object log) {
            return deserialize(memory.view(), target, verify_weights, std::move(log));
          },
          nb::arg("data"), nb::arg("target").none(), nb::arg("verify_weights"), nb::arg("log").none())
      .def("inputs", &tenon::Engine::inputs)
      .def("outputs", &tenon::Engine::outputs)
      .def("weights", &tenon::Engine::weights)
      .def("target", &tenon::Engine::target)
      .def("targets", &tenon::Engine::targets)
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
