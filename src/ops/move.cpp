#include "ops/move.h"

#include <algorithm>
#include <cstring>

namespace tenon::ops {
namespace {

uint8_t packed(const Tensor& tensor, int bits, int64_t i) {
  const int64_t at = i * bits;
  return static_cast<uint8_t>((std::to_integer<unsigned>(tensor.data[at / 8]) >> (at % 8)) & ((1U << bits) - 1));
}
void set_packed(Tensor& tensor, int bits, int64_t i, unsigned value) {
  const int64_t at = i * bits;
  const auto mask = static_cast<unsigned>(((1U << bits) - 1) << (at % 8));
  std::byte& byte = tensor.data[at / 8];
  byte = static_cast<std::byte>((std::to_integer<unsigned>(byte) & ~mask) | ((value << (at % 8)) & mask));
}

}  // namespace

void copy_elems(const Tensor& from, int64_t i, Tensor& to, int64_t j, int64_t count) {
  if (count <= 0) return;
  if (from.dtype == DType::str) {
    const auto source = from.as<std::string>().subspan(static_cast<size_t>(i), static_cast<size_t>(count));
    std::copy(source.begin(), source.end(), to.as<std::string>().begin() + j);
    return;
  }
  const int bits = bits_of(from.dtype);
  if (bits % 8 == 0) {
    std::memcpy(to.data + j * (bits / 8), from.data + i * (bits / 8), static_cast<size_t>(count * (bits / 8)));
    return;
  }
  for (int64_t k = 0; k < count; ++k) set_packed(to, bits, j + k, packed(from, bits, i + k));
}

void fill_elems(const Tensor& from, int64_t i, Tensor& to, int64_t j, int64_t count) {
  for (int64_t k = 0; k < count; ++k) copy_elems(from, i, to, j + k, 1);
}

void clear(Tensor& tensor) {
  if (tensor.dtype == DType::str) {
    std::ranges::fill(tensor.as<std::string>(), std::string());
  } else if (tensor.bytes() > 0) {
    std::memset(tensor.data, 0, static_cast<size_t>(tensor.bytes()));
  }
}

std::complex<double> element_as_complex(const Tensor& tensor, int64_t i) {
  const auto at = static_cast<size_t>(i);
  if (tensor.dtype == DType::c64) return tensor.as<std::complex<float>>()[at];
  return tensor.as<std::complex<double>>()[at];
}

Result<Tensor> part_of(const Tensor& tensor, int part) {
  TENON_TRY(out, Tensor::allocate(tensor.dtype == DType::c64 ? DType::f32 : DType::f64, tensor.dims));
  const auto size = static_cast<size_t>(bits_of(out.dtype) / 8);
  for (size_t i = 0; i < static_cast<size_t>(tensor.elems()); ++i)
    std::memcpy(out.data + i * size, tensor.data + (2 * i + static_cast<size_t>(part)) * size, size);
  return std::move(out);
}

void set_part(Tensor& to, int part, const Tensor& from) {
  const auto size = static_cast<size_t>(bits_of(from.dtype) / 8);
  for (size_t i = 0; i < static_cast<size_t>(from.elems()); ++i)
    std::memcpy(to.data + (2 * i + static_cast<size_t>(part)) * size, from.data + i * size, size);
}

void Odometer::next() {
  --left_;
  for (size_t d = at_.size(); d-- > 0;) {
    if (++at_[d] < dims_[d]) return;
    at_[d] = 0;
  }
}

int64_t Odometer::dot(const Dims& strides) const {
  int64_t sum = 0;
  for (size_t d = 0; d < at_.size(); ++d) sum += at_[d] * strides[d];
  return sum;
}

int64_t elems_before(const Dims& dims, int64_t axis) { return elems_of(std::span(dims).first(static_cast<size_t>(axis))); }
int64_t elems_after(const Dims& dims, int64_t axis) { return elems_of(std::span(dims).subspan(static_cast<size_t>(axis) + 1)); }

Result<int64_t> checked_index(int64_t index, int64_t size) {
  if (index < -size || index >= size) return fail("index {} is outside [{}, {}]", index, -size, size - 1);
  return index < 0 ? index + size : index;
}

Facts facts_of(std::span<const HostValue> in) {
  // With contents: scales, depths and limits of float type are no elems.
  Facts facts;
  for (const HostValue& value : in) facts.push_back(value.kind == HostValue::Kind::tensor ? Fact::of(value.tensor) : fact_of(value));
  return facts;
}

}  // namespace tenon::ops
