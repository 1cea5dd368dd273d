#include "tensor/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "tensor/convert.h"

namespace tenon {

Result<Tensor> Tensor::allocate(DType dtype, Dims dims) {
  if (dtype == DType::none) return fail("a tensor of shape {} has no element type", to_string(dims));
  TENON_TRY(elems, checked_elems(dims));
  const auto none = [&] { return fail(ErrorKind::out_of_memory, "no memory for a tensor {}{}", to_string(dtype), to_string(dims)); };
  if (elems > int64_t{1} << 55) return none();  // its bytes would not fit 63 bits
  Tensor out;
  out.dtype = dtype;
  if (dtype == DType::str) {
    auto* strings = new (std::nothrow) std::string[static_cast<size_t>(elems)];
    if (!strings) return none();
    out.data = reinterpret_cast<std::byte*>(strings);
    out.owner = std::shared_ptr<const void>(strings, [](const std::string* p) { delete[] p; });
  } else {
    // Whole 64-byte units, at least one: vector code may read to the end of the last, and no tensor has a null pointer.
    const auto bytes = static_cast<size_t>((bytes_of(dtype, elems) + 64) / 64 * 64);
    void* memory = std::aligned_alloc(64, bytes);
    if (!memory) return none();
    if (bits_of(dtype) < 8) std::memset(memory, 0, bytes);  // elements are written into shared bytes
    out.data = static_cast<std::byte*>(memory);
    out.owner = std::shared_ptr<const void>(memory, [](const void* p) { std::free(const_cast<void*>(p)); });
  }
  out.dims = std::move(dims);
  return out;
}

Tensor Tensor::wrap(DType dtype, Dims dims, std::byte* data, std::shared_ptr<const void> owner) {
  Tensor out;
  out.dtype = dtype;
  out.dims = std::move(dims);
  out.data = data;
  out.owner = std::move(owner);
  return out;
}

Tensor int64_tensor(const Dims& values) {
  return make_tensor<int64_t>(DType::i64, {static_cast<int64_t>(values.size())}, std::span<const int64_t>(values));
}

Tensor scalar_tensor(DType dtype, double value) {
  auto out = Tensor::allocate(dtype, {});
  TENON_CHECK(out.ok() && is_real(dtype), "a scalar of type {}", to_string(dtype));
  convert_elems(DType::f64, reinterpret_cast<const std::byte*>(&value), 0, dtype, out->data, 0, 1);
  return std::move(*out);
}

double element_as_double(const Tensor& tensor, int64_t i) {
  double out = 0;
  if (is_real(tensor.dtype)) convert_elems(tensor.dtype, tensor.data, i, DType::f64, reinterpret_cast<std::byte*>(&out), 0, 1);
  return out;
}

int64_t element_as_int(const Tensor& tensor, int64_t i) {
  int64_t out = 0;
  if (is_real(tensor.dtype)) convert_elems(tensor.dtype, tensor.data, i, DType::i64, reinterpret_cast<std::byte*>(&out), 0, 1);
  return out;
}

Dims ints_of(const Tensor& tensor) {
  Dims out(static_cast<size_t>(tensor.elems()));
  if (is_real(tensor.dtype))
    convert_elems(tensor.dtype, tensor.data, 0, DType::i64, reinterpret_cast<std::byte*>(out.data()), 0, tensor.elems());
  return out;
}

Result<void> prepare_output(HostValue& out, DType dtype, const Dims& dims) {
  if (out.kind == HostValue::Kind::tensor && out.tensor.data) {
    if (out.tensor.dtype != dtype || out.tensor.dims != dims)
      return fail("the result is {}{}, the plan expected {}{}", to_string(dtype), to_string(dims), to_string(out.tensor.dtype),
                  to_string(out.tensor.dims));
    return {};
  }
  TENON_TRY(tensor, Tensor::allocate(dtype, dims));
  out = HostValue(std::move(tensor));
  return {};
}

}  // namespace tenon
