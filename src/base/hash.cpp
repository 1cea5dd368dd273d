#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenon {

uint64_t hash_bytes(std::span<const std::byte> bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }
uint64_t hash_text(std::string_view text, uint64_t seed) { return XXH3_64bits_withSeed(text.data(), text.size(), seed); }

}  // namespace tenon
