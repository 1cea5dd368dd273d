#include "tests/fuzz/wire_mutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace tenon::fuzz {
namespace {

enum Wire : uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

struct Field {
  uint64_t number = 0;
  Wire wire = varint;
  uint64_t value = 0;         // of a varint
  std::string bytes;          // of the others, where there are no fields
  std::vector<Field> fields;  // of what reads as a message
};
using Fields = std::vector<Field>;

std::optional<uint64_t> read_varint(std::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  return std::nullopt;
}

/// The fields of a message; nothing if the bytes do not read as one. Text and numbers may: they are written back as they were.
std::optional<Fields> parse(std::string_view in, int depth) {
  Fields out;
  while (!in.empty()) {
    const auto tag = read_varint(in);
    if (!tag || *tag >> 3 == 0 || *tag >> 3 > 1000) return std::nullopt;
    Field& field = out.emplace_back();
    field.number = *tag >> 3;
    field.wire = static_cast<Wire>(*tag & 7);
    size_t size = 0;
    switch (field.wire) {
      case varint: {
        const auto value = read_varint(in);
        if (!value) return std::nullopt;
        field.value = *value;
        continue;
      }
      case fixed64: size = 8; break;
      case fixed32: size = 4; break;
      case length: {
        const auto stated = read_varint(in);
        if (!stated || *stated > in.size()) return std::nullopt;
        size = *stated;
        break;
      }
      default: return std::nullopt;
    }
    if (size > in.size()) return std::nullopt;
    const std::string_view bytes = in.substr(0, size);
    in.remove_prefix(size);
    std::optional<Fields> fields;
    if (field.wire == length && size >= 2 && depth > 0) fields = parse(bytes, depth - 1);
    if (fields) field.fields = std::move(*fields);
    if (!fields) field.bytes = bytes;
  }
  return out;
}

void write_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

std::string write(const Fields& fields) {
  std::string out;
  for (const Field& field : fields) {
    write_varint(out, field.number << 3 | field.wire);
    if (field.wire == varint) write_varint(out, field.value);
    if (field.wire == fixed32 || field.wire == fixed64) out += field.bytes;
    if (field.wire != length) continue;
    const std::string bytes = field.fields.empty() ? field.bytes : write(field.fields);
    write_varint(out, bytes.size());
    out += bytes;
  }
  return out;
}

/// All lists of fields, the outer ones first.
void collect(Fields& fields, std::vector<Fields*>& out) {
  out.push_back(&fields);
  for (Field& field : fields)
    if (!field.fields.empty()) collect(field.fields, out);
}

class Mutator {
 public:
  Mutator(Fields& root, unsigned seed) : random_(seed) { collect(root, lists_); }

  void mutate() {
    Fields& list = any_list();
    if (list.empty()) return;
    const size_t at = below(list.size());
    Field& field = list[at];
    switch (below(8)) {
      case 0: list.erase(list.begin() + static_cast<ptrdiff_t>(at)); return;
      case 1: list.insert(list.begin() + static_cast<ptrdiff_t>(below(list.size() + 1)), Field(field)); return;
      case 2: std::swap(field, list[below(list.size())]); return;
      case 3: field.number = 1 + below(30); return;
      default: change(field);
    }
  }
  void insert(const Field& field) {
    Fields& list = any_list();
    list.insert(list.begin() + static_cast<ptrdiff_t>(below(list.size() + 1)), field);
  }
  Field any_field() {
    const Fields& list = any_list();
    return list.empty() ? Field{.number = 1} : list[below(list.size())];
  }

 private:
  size_t below(size_t limit) { return random_() % limit; }
  Fields& any_list() { return *lists_[below(lists_.size())]; }

  void change(Field& field) {
    if (field.wire == varint) {
      static constexpr std::array<uint64_t, 14> kLimits = {
          0, 1, 2, 3, 7, 16, 127, 65536, 1u << 31, (1ull << 32) - 1, 1ull << 40, 1ull << 62, (1ull << 63) - 1, 1ull << 63};
      const uint64_t limit = kLimits[below(kLimits.size())];
      const uint64_t next = field.value + below(5) - 2;
      field.value = below(3) == 0 ? next : below(2) == 0 ? limit : ~limit + 1;
      return;
    }
    if (below(2) == 0) {  // what another field of this number says: another name, another body, another type
      for (int tries = 0; tries < 20; ++tries) {
        Field other = any_field();
        if (other.number != field.number || other.wire != field.wire) continue;
        field = std::move(other);
        return;
      }
    }
    if (!field.fields.empty()) {
      field.fields.erase(field.fields.begin() + static_cast<ptrdiff_t>(below(field.fields.size())));
      return;
    }
    const size_t size = field.bytes.size();
    field.bytes.resize(field.wire == length ? size + 8 : size);
    const size_t mutated = LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(field.bytes.data()), size, field.bytes.size());
    field.bytes.resize(field.wire == length ? mutated : size);
  }

  std::mt19937 random_;
  std::vector<Fields*> lists_;
};

constexpr int kDepth = 24;
std::string_view view(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace

size_t mutate_message(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::optional<Fields> fields = parse(view(data, size), kDepth);
  if (!fields || fields->empty() || seed % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  for (unsigned left = 1 + seed / 8 % 3; left > 0; --left) Mutator(*fields, seed + left).mutate();
  const std::string out = write(*fields);
  if (out.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, out.data(), out.size());
  return out.size();
}

size_t cross_messages(const uint8_t* one, size_t one_size, const uint8_t* other, size_t other_size, uint8_t* out, size_t max_size,
                      unsigned seed) {
  std::optional<Fields> into = parse(view(one, one_size), kDepth), from = parse(view(other, other_size), kDepth);
  std::string written;
  if (into && from) {
    Mutator(*into, seed).insert(Mutator(*from, seed + 1).any_field());
    written = write(*into);
  }
  if (written.empty() || written.size() > max_size) written = view(one, std::min(one_size, max_size));
  std::memcpy(out, written.data(), written.size());
  return written.size();
}

}  // namespace tenon::fuzz
