// The elements of tensors as they lie in memory.
#include <algorithm>
#include <protozero/varint.hpp>

#include "onnx/external.h"
#include "onnx/model.h"

namespace tenon::onnx {
namespace {

template <class... Args>
Error wrong(const TensorView& tensor, fmt::format_string<Args...> text, Args&&... args) {
  return fail(ErrorKind::invalid_model, "at byte {}: tensor '{}' ({}): {}", tensor.offset, tensor.name, data_type_name(tensor.data_type),
              strf(text, std::forward<Args>(args)...));
}

/// What the dims and the type want.
Result<int64_t> wanted_bytes(const TensorView& tensor) {
  const int64_t bits = data_type_bits(tensor.data_type);
  if (bits == 0) return wrong(tensor, "elements of type {} have no bytes", tensor.data_type);
  TENON_TRY(elems, tensor.elems());
  int64_t total = 0;
  if (__builtin_mul_overflow(elems, bits, &total)) return wrong(tensor, "its size in bits exceeds 64 bits");
  return total / 8 + (total % 8 != 0);
}

Result<Payload> checked(const TensorView& tensor, Payload payload, int64_t wanted) {
  if (std::cmp_equal(payload.bytes.size(), wanted)) return payload;
  return wrong(tensor, "has {} bytes, its dims want {}", payload.bytes.size(), wanted);
}

Payload owned(Bytes bytes) {
  auto owner = std::make_shared<const Bytes>(std::move(bytes));
  const ByteView view = *owner;
  return {.bytes = view, .owner = std::move(owner)};
}

bool has_six_bits(const TensorView& tensor) { return data_type_bits(tensor.data_type) == 6; }

/// 6-bit floats lie in files four in three bytes, low bits first, and in memory one in a byte.
Payload unpacked(Payload packed, int64_t elems) {
  Bytes out(static_cast<size_t>(elems));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t byte = i * 6 / 8, shift = i * 6 % 8;
    auto bits = std::to_integer<unsigned>(packed.bytes[byte]);
    if (shift > 2) bits |= std::to_integer<unsigned>(packed.bytes[byte + 1]) << 8;
    out[i] = static_cast<std::byte>(bits >> shift & 63);
  }
  return owned(std::move(out));
}

/// The typed field that ONNX names for each element type.
bool fits(Storage storage, int32_t type) {
  switch (storage) {
    case Storage::float_data: return type == kFloat || type == kComplex64;
    case Storage::double_data: return type == kDouble || type == kComplex128;
    case Storage::int64_data: return type == kInt64;
    case Storage::uint64_data: return type == kUint64 || type == kUint32;
    case Storage::int32_data: return type == kInt32 || (data_type_bits(type) > 0 && data_type_bits(type) <= 16);
    default: return true;
  }
}

/// A field of n bytes takes any number that fits n bytes with or without sign: writers do both for the bits of float16.
bool fits_bytes(int64_t value, int64_t bytes) {
  if (bytes == 8) return true;
  const int64_t span = int64_t{1} << (8 * bytes);
  return value >= -span / 2 && value < span;
}

/// Varints, one per element; 2- and 4-bit types hold one full byte in each, 6-bit floats one element.
Result<Payload> decode_varints(const TensorView& tensor, ByteView wire, int64_t wanted) {
  const int64_t width = std::max<int64_t>(data_type_bits(tensor.data_type) / 8, 1);
  const auto ends = std::ranges::count_if(wire, [](std::byte byte) { return (byte & std::byte{0x80}) == std::byte{0}; });
  // Before memory is taken: dims may promise any size.
  if (ends != wanted / width) return wrong(tensor, "has {} elements, its dims want {}", ends, wanted / width);
  const bool is_signed = tensor.storage != Storage::uint64_data;
  Bytes out(static_cast<size_t>(wanted));
  std::byte* to = out.data();
  const auto* from = reinterpret_cast<const char*>(wire.data());
  const char* const end = from + wire.size();
  for (int64_t i = 0; i < ends; ++i, to += width) {
    uint64_t value = 0;
    try {
      value = protozero::decode_varint(&from, end);
    } catch (const protozero::exception&) {
      return wrong(tensor, "element {} is no number of 64 bits", i);
    }
    const auto number = static_cast<int64_t>(value);
    if (is_signed ? !fits_bytes(number, width) : (width == 4 && value > UINT32_MAX))
      return wrong(tensor, "element {} does not fit {} bytes", i, width);
    if (has_six_bits(tensor) && value > 63) return wrong(tensor, "element {} does not fit 6 bits", i);
    if (tensor.data_type == kBool) value = value != 0;
    std::memcpy(to, &value, static_cast<size_t>(width));
  }
  if (from != end) return wrong(tensor, "its last element is cut off");
  return owned(std::move(out));
}

Result<Payload> external(const TensorView& tensor, ExternalFiles* files, int64_t wanted) {
  const ExternalView& at = *tensor.external;
  if (!files) return wrong(tensor, "its elements lie in the file '{}', which is read only as part of a model", at.location);
  auto opened = files->open(at.location);
  if (!opened.ok()) return std::move(opened.error()).within(strf("tensor '{}'", tensor.name));
  const ByteView whole = (*opened)->bytes();
  const uint64_t length = at.length.value_or(static_cast<uint64_t>(wanted));
  if (at.offset > whole.size() || length > whole.size() - at.offset)
    return wrong(tensor, "wants {} bytes at {} of '{}', which has {}", length, at.offset, at.location, whole.size());
  return checked(tensor, {.bytes = whole.subspan(at.offset, length), .owner = *opened}, wanted);
}

/// As the file has it.
Result<Payload> stored(const TensorView& tensor, const std::shared_ptr<const void>& keep_alive, ExternalFiles* files) {
  TENON_TRY(wanted, wanted_bytes(tensor));
  if (!fits(tensor.storage, tensor.data_type)) return wrong(tensor, "its elements are in a field for other types");
  const ByteView wire = tensor.joined.empty() ? tensor.raw : ByteView(tensor.joined);
  switch (tensor.storage) {
    case Storage::none: return checked(tensor, {}, wanted);
    case Storage::string_data: return wrong(tensor, "it holds strings");
    case Storage::external: return external(tensor, files, wanted);
    case Storage::int32_data: return decode_varints(tensor, wire, has_six_bits(tensor) ? *tensor.elems() : wanted);
    case Storage::int64_data:
    case Storage::uint64_data: return decode_varints(tensor, wire, wanted);
    case Storage::raw:
    case Storage::float_data:
    case Storage::double_data: break;
  }
  if (tensor.joined.empty()) return checked(tensor, {.bytes = wire, .owner = keep_alive}, wanted);
  return checked(tensor, owned(tensor.joined), wanted);  // a copy: the view may go before its payload
}

Result<Payload> payload_of(const TensorView& tensor, const std::shared_ptr<const void>& keep_alive, ExternalFiles* files) {
  TENON_TRY(out, stored(tensor, keep_alive, files));
  if (!has_six_bits(tensor) || tensor.storage == Storage::int32_data) return std::move(out);
  return unpacked(std::move(out), *tensor.elems());
}

}  // namespace

Result<Payload> payload(const TensorView& tensor) { return payload_of(tensor, nullptr, nullptr); }
Result<Payload> Model::payload(const TensorView& tensor) const { return payload_of(tensor, keep_alive, files.get()); }

}  // namespace tenon::onnx
