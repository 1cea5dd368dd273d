#include "base/bytes.h"

namespace tenon {

Result<uint64_t> ByteReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at_ >= bytes_.size()) return error("the data ends inside a number");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  return error("a number has more than 64 bits");
}

Result<uint64_t> ByteReader::fixed64() {
  TENON_TRY(bytes, take(8));
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), 8);
  return value;
}

Result<ByteView> ByteReader::take(uint64_t count) {
  if (count > remaining()) return error(strf("wanted {} bytes, {} are left", count, remaining()));
  const ByteView out = bytes_.subspan(at_, count);
  at_ += count;
  return out;
}

Result<std::string_view> ByteReader::text() {
  TENON_TRY(length, varint());
  TENON_TRY(bytes, take(length));
  return text_of(bytes);
}

void ByteWriter::varint(uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<std::byte>(value));
}

void ByteWriter::fixed64(uint64_t value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out_.insert(out_.end(), bytes, bytes + 8);
}

void ByteWriter::text(std::string_view text) {
  varint(text.size());
  raw(view_of(text));
}

}  // namespace tenon
