// Bounds-checked reading and plain writing of bytes. All untrusted bytes of ours go through ByteReader. Little-endian.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tenon {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

class ByteReader {
 public:
  /// `origin`: offset of the first byte in the file, for error messages.
  explicit ByteReader(ByteView bytes, uint64_t origin = 0) : bytes_(bytes), origin_(origin) {}

  size_t remaining() const { return bytes_.size() - at_; }
  uint64_t offset() const { return origin_ + at_; }
  Result<uint64_t> varint();
  Result<uint64_t> fixed64();
  Result<ByteView> take(uint64_t count);
  Result<std::string_view> text();  // length, then bytes
  Error error(std::string_view what) const { return fail(ErrorKind::bad_engine, "at byte {}: {}", offset(), what); }

 private:
  ByteView bytes_;
  size_t at_ = 0;
  uint64_t origin_ = 0;
};

class ByteWriter {
 public:
  void varint(uint64_t value);
  void fixed64(uint64_t value);
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text);
  void align(size_t to) { out_.resize((out_.size() + to - 1) / to * to); }
  size_t size() const { return out_.size(); }
  Bytes& bytes() { return out_; }

 private:
  Bytes out_;
};

inline ByteView view_of(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace tenon
