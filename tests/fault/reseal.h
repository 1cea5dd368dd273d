// Checksums of a damaged engine made right again, so that a mutation reaches the code behind them.
#pragma once
#include <cstring>

#include "base/hash.h"
#include "engine/file.h"

namespace tenon {

/// Header 24 bytes, then a row of 56 per section: name 32, offset, bytes, checksum; then the table's checksum (docs/engine-format.md).
/// Leaves bytes alone that are no engine's.
inline void reseal(std::span<std::byte> bytes) {
  constexpr size_t kHeader = 24, kRow = 56, kName = 32;
  const auto number = [&](size_t at) {
    uint64_t out = 0;
    std::memcpy(&out, bytes.data() + at, 8);
    return out;
  };
  const auto set = [&](size_t at, uint64_t value) { std::memcpy(bytes.data() + at, &value, 8); };
  if (bytes.size() < kHeader) return;
  const uint64_t count = number(16);
  if (count > 1024 || bytes.size() < kHeader + count * kRow + 8) return;
  for (uint64_t i = 0; i < count; ++i) {
    const size_t row = kHeader + i * kRow;
    const uint64_t offset = number(row + kName), size = number(row + kName + 8);
    if (offset > bytes.size() || size > bytes.size() - offset) continue;
    const bool data = std::memcmp(bytes.data() + row, "data\0", 5) == 0;  // its blobs have checksums of their own
    set(row + kName + 16, data ? 0 : hash_bytes(bytes.subspan(offset, size)));
  }
  const size_t table = kHeader + count * kRow;
  set(table, hash_bytes(bytes.first(table)));
}

}  // namespace tenon
