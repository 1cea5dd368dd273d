// Values: tensors, strings, sequences, optionals, maps.
#include "value.h"

#include <nanobind/stl/vector.h>

namespace bindings {
namespace {

/// A capsule that keeps `value`'s memory alive by a handle of its own.
nb::capsule owner_of(const Value& value) {
  tenon_value* same = nullptr;
  expect(tenon_value_share(value.get(), &same));
  return {same, [](void* p) noexcept { tenon_value_free(static_cast<tenon_value*>(p)); }};
}

/// A NumPy array over the value's memory, which it keeps alive. Sub-byte types: [bytes].
nb::object array_of(const Value& value) {
  const tenon_tensor tensor = value.tensor();
  const nb::capsule owner = owner_of(value);
  std::vector<size_t> shape(tensor.dims, tensor.dims + tensor.rank);
  if (tenon_dtype_bits(tensor.dtype) < 8) shape = {tensor.bytes};
  return nb::cast(
      nb::ndarray<nb::numpy>(const_cast<void*>(tensor.data), shape.size(), shape.data(), owner, nullptr, carrier(tensor.dtype)));
}

/// A DLPack capsule, "dltensor", over the value's memory, which it keeps alive. The value says its device and element type.
nb::object capsule_of(const Value& value) {
  const tenon_tensor tensor = value.tensor();
  const nb::capsule owner = owner_of(value);
  std::vector<size_t> shape(tensor.dims, tensor.dims + tensor.rank);
  if (tenon_dtype_bits(tensor.dtype) < 8) shape = {tensor.bytes};
  return nb::cast(nb::ndarray<>(const_cast<void*>(tensor.data), shape.size(), shape.data(), owner, nullptr, dlpack_type(tensor.dtype),
                                static_cast<int>(tensor.device_kind), tensor.device_index));
}

nb::list strings_of(const Value& value) {
  const tenon_tensor tensor = value.tensor();
  int64_t count = 1;
  for (int64_t i = 0; i < tensor.rank; ++i) count *= tensor.dims[i];
  nb::list out;
  for (int64_t i = 0; i < count; ++i) {
    const char* text = nullptr;
    size_t bytes = 0;
    expect(tenon_value_string(value.get(), i, &text, &bytes));
    out.append(nb::bytes(text, bytes));
  }
  return out;
}

std::vector<Value> items_of(const Value& value) {
  int64_t count = 0;
  expect(tenon_value_count(value.get(), &count));
  std::vector<Value> out;
  for (int64_t i = 0; i < count; ++i) {
    tenon_value* item = nullptr;
    expect(tenon_value_item(value.get(), i, &item));
    out.emplace_back(item);
  }
  return out;
}

Value tensor_value(const Array& array, int dtype, const std::vector<int64_t>& dims) {
  tenon_value* out = nullptr;
  expect(tenon_value_tensor(static_cast<tenon_dtype>(dtype), static_cast<int64_t>(dims.size()), dims.data(), array.data(), &out));
  return Value(out);
}

Value string_value(const std::vector<int64_t>& dims, const nb::list& texts) {
  std::vector<const char*> pointers;
  std::vector<size_t> lengths;
  for (const nb::handle text : texts) {
    const auto bytes = nb::cast<nb::bytes>(text);
    pointers.push_back(bytes.c_str());
    lengths.push_back(bytes.size());
  }
  size_t wanted = 1;
  for (const int64_t dim : dims) wanted *= static_cast<size_t>(dim);
  if (wanted != pointers.size()) throw nb::value_error("the number of strings is not the product of the dims");
  tenon_value* out = nullptr;
  expect(tenon_value_strings(static_cast<int64_t>(dims.size()), dims.data(), pointers.data(), lengths.data(), &out));
  return Value(out);
}

Value compound_value(int kind, const nb::list& items) {
  std::vector<const tenon_value*> handles;
  for (const nb::handle item : items) handles.push_back(nb::cast<const Value&>(item).get());
  tenon_value* out = nullptr;
  expect(tenon_value_compound(static_cast<tenon_kind>(kind), static_cast<int64_t>(handles.size()), handles.data(), &out));
  return Value(out);
}

}  // namespace

tenon_tensor Value::tensor() const {
  tenon_tensor out = {};
  out.size = sizeof out;
  expect(tenon_value_as_tensor(get(), &out));
  return out;
}

nb::dlpack::dtype carrier(tenon_dtype dtype) {
  const auto type = [](nb::dlpack::dtype_code code, int bits) {
    return nb::dlpack::dtype{static_cast<uint8_t>(code), static_cast<uint8_t>(bits), 1};
  };
  const int bits = tenon_dtype_bits(dtype);
  switch (dtype) {
    case TENON_DTYPE_F16:
    case TENON_DTYPE_F32:
    case TENON_DTYPE_F64: return type(nb::dlpack::dtype_code::Float, bits);
    case TENON_DTYPE_I8:
    case TENON_DTYPE_I16:
    case TENON_DTYPE_I32:
    case TENON_DTYPE_I64: return type(nb::dlpack::dtype_code::Int, bits);
    case TENON_DTYPE_BOOL: return type(nb::dlpack::dtype_code::Bool, 8);
    case TENON_DTYPE_C64:
    case TENON_DTYPE_C128: return type(nb::dlpack::dtype_code::Complex, bits);
    default: return type(nb::dlpack::dtype_code::UInt, bits < 8 ? 8 : bits);
  }
}

nb::dlpack::dtype dlpack_type(tenon_dtype dtype) {
  // DLPack's DLDataTypeCode, by number: older headers lack the names of the 8-bit floats.
  constexpr uint8_t kBfloat = 4, kF8e4m3fn = 10, kF8e4m3fnuz = 11, kF8e5m2 = 12, kF8e5m2fnuz = 13, kF8e8m0 = 14;
  switch (dtype) {
    case TENON_DTYPE_BF16: return {kBfloat, 16, 1};
    case TENON_DTYPE_F8E4M3FN: return {kF8e4m3fn, 8, 1};
    case TENON_DTYPE_F8E4M3FNUZ: return {kF8e4m3fnuz, 8, 1};
    case TENON_DTYPE_F8E5M2: return {kF8e5m2, 8, 1};
    case TENON_DTYPE_F8E5M2FNUZ: return {kF8e5m2fnuz, 8, 1};
    case TENON_DTYPE_F8E8M0: return {kF8e8m0, 8, 1};
    default: return carrier(dtype);
  }
}

nb::tuple to_tuple(std::span<const int64_t> dims) {
  nb::list out;
  for (const int64_t dim : dims) out.append(dim);
  return nb::tuple(out);
}

void bind_value(nb::module_& m) {
  nb::class_<Value>(m, "Value")
      .def_static("tensor", tensor_value)
      .def_static("strings", string_value)
      .def_static("compound", compound_value)
      .def_prop_ro("kind",
                   [](const Value& value) {
                     tenon_kind kind = TENON_KIND_TENSOR;
                     expect(tenon_value_kind(value.get(), &kind));
                     return static_cast<int>(kind);
                   })
      .def_prop_ro("dtype", [](const Value& value) { return static_cast<int>(value.tensor().dtype); })
      .def_prop_ro("shape",
                   [](const Value& value) {
                     const tenon_tensor tensor = value.tensor();
                     return to_tuple({tensor.dims, static_cast<size_t>(tensor.rank)});
                   })
      .def_prop_ro("device",
                   [](const Value& value) {
                     const tenon_tensor tensor = value.tensor();
                     return nb::make_tuple(static_cast<int>(tensor.device_kind), tensor.device_index);
                   })
      .def("use_on", [](const Value& value, uintptr_t stream) { expect(tenon_value_use_on(value.get(), reinterpret_cast<void*>(stream))); })
      .def("to_host",
           [](const Value& value) {
             tenon_value* out = nullptr;
             const nb::gil_scoped_release unlocked;
             expect(tenon_value_to_host(value.get(), &out));
             return Value(out);
           })
      .def("capsule", capsule_of)
      .def("array", array_of)
      .def("texts", strings_of)
      .def("items", [](const Value& value) {
        nb::list out;
        for (Value& item : items_of(value)) out.append(nb::cast(std::move(item)));
        return out;
      });
}

}  // namespace bindings
