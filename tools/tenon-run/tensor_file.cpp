#include "tensor_file.h"

#include <cstring>
#include <fstream>
#include <optional>

namespace tenon_run {
namespace {

using tenon::DType;
using tenon::Error;
using tenon::ErrorKind;

/// Protobuf's wire format (protobuf.dev/programming-guides/encoding): bounds-checked, nothing where the bytes end early.
class Wire {
 public:
  explicit Wire(std::span<const std::byte> bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::span<const std::byte> rest() const { return rest_; }

  std::optional<uint64_t> varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      out |= (byte & 0x7f) << shift;
      if (!(byte & 0x80)) return out;
    }
    return std::nullopt;
  }
  std::optional<std::span<const std::byte>> take(uint64_t count) {
    if (count > rest_.size()) return std::nullopt;
    const auto out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }

 private:
  std::span<const std::byte> rest_;
};

// Fields of TensorProto in onnx.proto.
enum Field : uint64_t {
  kDims = 1,
  kDataType = 2,
  kFloats = 4,
  kInt32s = 5,
  kStrings = 6,
  kInt64s = 7,
  kName = 8,
  kRaw = 9,
  kDoubles = 10,
  kUint64s = 11,
  kLocation = 14
};

size_t bits_of(DType type) { return static_cast<size_t>(tenon_dtype_bits(static_cast<tenon_dtype>(type))); }

class Reader {
 public:
  tenon::Result<FileTensor> read(std::span<const std::byte> bytes) {
    Wire in(bytes);
    while (!in.empty())
      if (!field(in)) return bad("the file is no TensorProto, or damaged");
    if (out_.dtype == DType::string) return bad("tensors of strings are not read here");
    if (external_) return bad("external data is not read here");
    const auto wanted = bytes_of(out_.dtype, out_.dims);
    if (!wanted) return wanted.error();
    out_.data = raw_.empty() ? typed() : std::vector<std::byte>(raw_.begin(), raw_.end());
    const bool six_bits = !raw_.empty() && (out_.dtype == DType::f6e2m3 || out_.dtype == DType::f6e3m2);
    const size_t stored = six_bits ? (*wanted * 6 + 7) / 8 : *wanted;
    if (out_.data.size() != stored)
      return bad("the elements take " + std::to_string(out_.data.size()) + " bytes, the shape says " + std::to_string(stored));
    if (six_bits) out_.data = unpacked(*wanted);
    return std::move(out_);
  }

 private:
  static Error bad(std::string message) { return {ErrorKind::invalid_argument, std::move(message)}; }

  bool field(Wire& in) {
    const auto tag = in.varint();
    if (!tag) return false;
    const uint64_t number = *tag >> 3;
    switch (*tag & 7) {
      case 0: {
        const auto value = in.varint();
        if (value) number_field(number, *value);
        return value.has_value();
      }
      case 1: return fixed(number, in.take(8));
      case 5: return fixed(number, in.take(4));
      case 2: {
        const auto size = in.varint();
        const auto body = size ? in.take(*size) : std::nullopt;
        return body && bytes_field(number, *body);
      }
      default: return false;
    }
  }

  void number_field(uint64_t number, uint64_t value) {
    if (number == kDims) out_.dims.push_back(static_cast<int64_t>(value));
    if (number == kDataType) out_.dtype = static_cast<DType>(value > TENON_DTYPE_F6E3M2 ? 0 : value);
    if (number == kInt32s || number == kInt64s || number == kUint64s) numbers_.push_back(value);
    if (number == kLocation && value == 1) external_ = true;
  }

  bool fixed(uint64_t number, std::optional<std::span<const std::byte>> bytes) {
    if (bytes && (number == kFloats || number == kDoubles)) packed_.insert(packed_.end(), bytes->begin(), bytes->end());
    return bytes.has_value();
  }

  bool bytes_field(uint64_t number, std::span<const std::byte> body) {
    if (number == kRaw) raw_ = body;
    if (number == kName) out_.name.assign(reinterpret_cast<const char*>(body.data()), body.size());
    if (number == kFloats || number == kDoubles) packed_.insert(packed_.end(), body.begin(), body.end());
    if (number != kDims && number != kInt32s && number != kInt64s && number != kUint64s) return true;
    for (Wire list(body); !list.empty();) {
      const auto value = list.varint();
      if (!value) return false;
      number_field(number, *value);
    }
    return true;
  }

  /// The elements from the typed fields: little-endian floats as they are, integers cut to the element's width.
  std::vector<std::byte> typed() const {
    if (!packed_.empty()) return packed_;
    // In int32_data a sub-byte element keeps its packed byte, 16-bit floats keep their bits (onnx.proto, TensorProto.int32_data).
    const size_t width = std::max<size_t>(bits_of(out_.dtype), 8) / 8;
    std::vector<std::byte> out;
    for (const uint64_t value : numbers_)
      for (size_t i = 0; i < width && i < 8; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
    return out;
  }

  /// 6-bit floats lie in raw_data four in three bytes, low bits first (onnx.proto), and in memory one in a byte.
  std::vector<std::byte> unpacked(size_t elems) const {
    std::vector<std::byte> out;
    for (size_t bit = 0; bit < elems * 6; bit += 6) {
      auto bits = static_cast<unsigned>(raw_[bit / 8]);
      if (bit % 8 > 2) bits |= static_cast<unsigned>(raw_[bit / 8 + 1]) << 8;
      out.push_back(static_cast<std::byte>(bits >> bit % 8 & 63));
    }
    return out;
  }

  FileTensor out_;
  std::span<const std::byte> raw_;
  std::vector<std::byte> packed_;
  std::vector<uint64_t> numbers_;
  bool external_ = false;
};

}  // namespace

tenon::Result<size_t> bytes_of(DType dtype, const std::vector<int64_t>& dims) {
  int64_t elems = 1;
  for (const int64_t dim : dims)
    if (dim < 0 || __builtin_mul_overflow(elems, dim, &elems) || elems > (int64_t{1} << 48))
      return Error{ErrorKind::invalid_argument, "the shape is negative or too large"};
  const size_t bits = bits_of(dtype);
  if (bits == 0) return Error{ErrorKind::unsupported, std::string("elements of type ") + tenon::to_string(dtype) + " are not read here"};
  return (static_cast<size_t>(elems) * bits + 7) / 8;
}

tenon::Result<std::vector<std::byte>> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::not_found, "cannot open '" + path + "'"};
  std::vector<std::byte> out;
  char piece[65536];
  while (file.read(piece, sizeof piece) || file.gcount() > 0) {
    const auto* first = reinterpret_cast<const std::byte*>(piece);
    out.insert(out.end(), first, first + file.gcount());
  }
  if (file.bad()) return Error{ErrorKind::io, "cannot read '" + path + "'"};
  return out;
}

tenon::Result<FileTensor> read_tensor(const std::string& path) {
  auto bytes = read_bytes(path);
  if (!bytes) return bytes.error();
  auto out = Reader().read(*bytes);
  if (!out) return Error{out.error().kind, path + ": " + out.error().message};
  return out;
}

}  // namespace tenon_run
