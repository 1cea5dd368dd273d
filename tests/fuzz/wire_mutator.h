// Mutations of protobuf messages that keep the lengths around a change right, so that what is wrong lies behind the reader.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tenon::fuzz {

/// libFuzzer's custom mutator: data[0, size) becomes another message of at most max_size bytes; its size. Fields are removed, repeated,
/// moved, renumbered and exchanged, numbers become limits, names become other names of the file. One in eight is mutated as plain bytes.
size_t mutate_message(uint8_t* data, size_t size, size_t max_size, unsigned seed);

/// libFuzzer's custom crossover: `one` with a field of `other` in one of its messages, in `out`; its size.
size_t cross_messages(const uint8_t* one, size_t one_size, const uint8_t* other, size_t other_size, uint8_t* out, size_t max_size,
                      unsigned seed);

}  // namespace tenon::fuzz
