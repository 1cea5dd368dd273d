#include "base/fields.h"

#include <bit>
#include <cstring>

#include "base/hash.h"

namespace tenon {
namespace {

using Kind = TypeRow::Kind;
constexpr int kMaxDepth = 420;  // 64 regions of a plan inside each other take six records each

// Lists and variants hand out mutable element pointers; reading through them changes nothing.
void* mutable_of(const void* value) { return const_cast<void*>(value); }
void* field_of(const FieldRow& field, void* value) { return static_cast<char*>(value) + field.offset; }
const void* field_of(const FieldRow& field, const void* value) { return static_cast<const char*>(value) + field.offset; }

std::string_view enum_name(const TypeRow& type, const void* value) {
  const int64_t i = type.get(value);
  TENON_CHECK(i >= 0 && i < static_cast<int64_t>(type.name_count), "enum value {} of {}", i, type.name_count);
  return type.names[i];
}

bool set_enum(const TypeRow& type, void* value, std::string_view name) {
  for (size_t i = 0; i < type.name_count; ++i) {
    if (type.names[i] != name) continue;
    type.set(value, static_cast<int64_t>(i));
    return true;
  }
  return false;
}

uint64_t zigzag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
int64_t unzigzag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }

constexpr std::string_view kHex = "0123456789abcdef";

}  // namespace

void print_fields(const TypeRow& type, const void* value, std::string& out) {
  bool first = true;
  for (const FieldRow& field : type.fields) {
    const void* held = field_of(field, value);
    if (equal(*field.type, held, field_of(field, type.defaults))) continue;
    if (!first) out += ' ';
    first = false;
    out += field.name;
    out += '=';
    print(*field.type, held, out);
  }
}

void print(const TypeRow& type, const void* value, std::string& out) {
  switch (type.kind) {
    case Kind::boolean: out += *static_cast<const bool*>(value) ? "true" : "false"; return;
    case Kind::integer: out += strf("{}", *static_cast<const int64_t*>(value)); return;
    case Kind::real32: {
      const float v = *static_cast<const float*>(value);
      out += v == v && v - v == 0 ? strf("{}", v) : real_text(v);
      return;
    }
    case Kind::real64: out += real_text(*static_cast<const double*>(value)); return;
    case Kind::text: out += quote(*static_cast<const std::string*>(value)); return;
    case Kind::blob:
      out += '"';
      for (const std::byte b : *static_cast<const Bytes*>(value)) {
        out += kHex[static_cast<uint8_t>(b) >> 4];
        out += kHex[static_cast<uint8_t>(b) & 15];
      }
      out += '"';
      return;
    case Kind::enumeration: out += enum_name(type, value); return;
    case Kind::leaf: type.print(value, out); return;
    case Kind::list: {
      out += '[';
      const size_t n = type.count(value);
      for (size_t i = 0; i < n; ++i) {
        if (i) out += ", ";
        print(type.element(), type.at(mutable_of(value), i), out);
      }
      out += ']';
      return;
    }
    case Kind::object:
      out += '{';
      print_fields(type, value, out);
      out += '}';
      return;
    case Kind::variant: {
      const TypeRow& held = *type.alternatives[type.index(value)];
      out += held.name;
      print(held, type.held(mutable_of(value)), out);
      return;
    }
  }
}

Result<void> parse_fields(const TypeRow& type, Scanner& in, void* value) {
  while (true) {
    const size_t start = in.mark();
    const std::string_view name = in.identifier();
    if (name.empty() || in.peek() != '=') {
      in.rewind(start);
      return {};
    }
    in.accept("=");
    const FieldRow* row = nullptr;
    for (const FieldRow& field : type.fields)
      if (field.name == name) row = &field;
    if (!row) return in.error(strf("{} has no field '{}'", type.name, name));
    TENON_OK(parse(*row->type, in, field_of(*row, value)));
  }
}

Result<void> parse(const TypeRow& type, Scanner& in, void* value) {
  switch (type.kind) {
    case Kind::boolean: {
      const bool yes = in.accept("true");
      if (!yes && !in.accept("false")) return in.error("wanted true or false");
      *static_cast<bool*>(value) = yes;
      return {};
    }
    case Kind::integer: {
      TENON_TRY(number, in.integer());
      *static_cast<int64_t*>(value) = number;
      return {};
    }
    case Kind::real32:
    case Kind::real64: {
      TENON_TRY(number, in.real());
      if (type.kind == Kind::real32) {
        *static_cast<float*>(value) = static_cast<float>(number);
      } else {
        *static_cast<double*>(value) = number;
      }
      return {};
    }
    case Kind::text: {
      TENON_TRY(text, in.quoted());
      *static_cast<std::string*>(value) = text;
      return {};
    }
    case Kind::blob: {
      TENON_TRY(text, in.quoted());
      Bytes bytes;
      for (size_t i = 0; i + 1 < text.size(); i += 2) {
        const size_t high = kHex.find(text[i]), low = kHex.find(text[i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return in.error("wanted hexadecimal digits");
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
      }
      if (text.size() % 2) return in.error("wanted an even number of hexadecimal digits");
      *static_cast<Bytes*>(value) = std::move(bytes);
      return {};
    }
    case Kind::enumeration: {
      const std::string_view name = in.word();
      if (!set_enum(type, value, name)) return in.error(strf("'{}' is not a known name here", name));
      return {};
    }
    case Kind::leaf: return type.parse(in, value);
    case Kind::list: {
      TENON_OK(in.expect("["));
      type.resize(value, 0);
      while (!in.accept("]")) {
        const size_t n = type.count(value);
        if (n && !in.accept(",")) return in.error("wanted ',' or ']'");
        if (!type.resize(value, n + 1)) return in.error("too many elements");
        TENON_OK(parse(type.element(), in, type.at(value, n)));
      }
      return {};
    }
    case Kind::object:
      TENON_OK(in.expect("{"));
      TENON_OK(parse_fields(type, in, value));
      return in.expect("}");
    case Kind::variant: {
      const std::string_view name = in.identifier();
      for (size_t i = 0; i < type.alternatives.size(); ++i)
        if (type.alternatives[i]->name == name) return parse(*type.alternatives[i], in, type.emplace(value, i));
      return in.error(strf("'{}' is not a known kind", name));
    }
  }
  return {};
}

void encode(const TypeRow& type, const void* value, ByteWriter& out) {
  switch (type.kind) {
    case Kind::boolean: out.varint(*static_cast<const bool*>(value)); return;
    case Kind::integer: out.varint(zigzag(*static_cast<const int64_t*>(value))); return;
    case Kind::real32: out.varint(std::bit_cast<uint32_t>(*static_cast<const float*>(value))); return;
    case Kind::real64: out.fixed64(std::bit_cast<uint64_t>(*static_cast<const double*>(value))); return;
    case Kind::text: out.text(*static_cast<const std::string*>(value)); return;
    case Kind::blob: out.text(text_of(*static_cast<const Bytes*>(value))); return;
    case Kind::enumeration: out.text(enum_name(type, value)); return;
    case Kind::leaf: {
      std::string text;
      type.print(value, text);
      out.text(text);
      return;
    }
    case Kind::list: {
      const size_t n = type.count(value);
      out.varint(n);
      for (size_t i = 0; i < n; ++i) encode(type.element(), type.at(mutable_of(value), i), out);
      return;
    }
    case Kind::object: {
      ByteWriter body;
      size_t present = 0;
      for (const FieldRow& field : type.fields) {
        const void* held = field_of(field, value);
        if (equal(*field.type, held, field_of(field, type.defaults))) continue;
        ByteWriter payload;
        encode(*field.type, held, payload);
        body.varint(static_cast<uint64_t>(field.id));
        body.text(text_of(payload.bytes()));
        ++present;
      }
      out.varint(present);
      out.raw(body.bytes());
      return;
    }
    case Kind::variant: {
      const TypeRow& held = *type.alternatives[type.index(value)];
      out.text(held.name);
      encode(held, type.held(mutable_of(value)), out);
      return;
    }
  }
}

Result<void> decode(const TypeRow& type, ByteReader& in, void* value, int depth) {
  if (depth > kMaxDepth) return in.error("records are nested too deeply");
  switch (type.kind) {
    case Kind::boolean: {
      TENON_TRY(v, in.varint());
      if (v > 1) return in.error("wanted 0 or 1");
      *static_cast<bool*>(value) = v != 0;
      return {};
    }
    case Kind::integer: {
      TENON_TRY(v, in.varint());
      *static_cast<int64_t*>(value) = unzigzag(v);
      return {};
    }
    case Kind::real32: {
      TENON_TRY(v, in.varint());
      if (v > UINT32_MAX) return in.error("wanted a 32-bit float");
      *static_cast<float*>(value) = std::bit_cast<float>(static_cast<uint32_t>(v));
      return {};
    }
    case Kind::real64: {
      TENON_TRY(v, in.fixed64());
      *static_cast<double*>(value) = std::bit_cast<double>(v);
      return {};
    }
    case Kind::text: {
      TENON_TRY(v, in.text());
      *static_cast<std::string*>(value) = std::string(v);
      return {};
    }
    case Kind::blob: {
      TENON_TRY(v, in.text());
      const ByteView bytes = view_of(v);
      *static_cast<Bytes*>(value) = Bytes(bytes.begin(), bytes.end());
      return {};
    }
    case Kind::enumeration: {
      TENON_TRY(name, in.text());
      if (!set_enum(type, value, name)) return in.error(strf("unknown name '{}'", name));
      return {};
    }
    case Kind::leaf: {
      TENON_TRY(text, in.text());
      Scanner scanner(text);
      auto parsed = type.parse(scanner, value);
      if (!parsed.ok()) return in.error(parsed.error().message());
      if (!scanner.at_end()) return in.error(strf("trailing text after {}", type.name));
      return {};
    }
    case Kind::list: {
      TENON_TRY(n, in.varint());
      if (n > in.remaining()) return in.error(strf("{} elements in {} bytes", n, in.remaining()));
      type.resize(value, 0);
      for (size_t i = 0; i < n; ++i) {
        if (!type.resize(value, i + 1)) return in.error("too many elements");
        TENON_OK(decode(type.element(), in, type.at(value, i), depth + 1));
      }
      return {};
    }
    case Kind::object: {
      TENON_TRY(n, in.varint());
      for (uint64_t i = 0; i < n; ++i) {
        TENON_TRY(id, in.varint());
        TENON_TRY(length, in.varint());
        const uint64_t start = in.offset();
        TENON_TRY(payload, in.take(length));
        const FieldRow* row = nullptr;
        for (const FieldRow& field : type.fields)
          if (static_cast<uint64_t>(field.id) == id) row = &field;
        if (!row) return in.error(strf("{} has an unknown field {}: the file was written by a newer version", type.name, id));
        ByteReader inner(payload, start);
        TENON_OK(decode(*row->type, inner, field_of(*row, value), depth + 1));
        if (inner.remaining()) return inner.error(strf("bytes follow field '{}'", row->name));
      }
      return {};
    }
    case Kind::variant: {
      TENON_TRY(name, in.text());
      for (size_t i = 0; i < type.alternatives.size(); ++i)
        if (type.alternatives[i]->name == name) return decode(*type.alternatives[i], in, type.emplace(value, i), depth + 1);
      return in.error(strf("unknown kind '{}'", name));
    }
  }
  return {};
}

bool equal(const TypeRow& type, const void* a, const void* b) {
  switch (type.kind) {
    case Kind::boolean: return *static_cast<const bool*>(a) == *static_cast<const bool*>(b);
    case Kind::integer: return *static_cast<const int64_t*>(a) == *static_cast<const int64_t*>(b);
    case Kind::real32: return std::memcmp(a, b, sizeof(float)) == 0;
    case Kind::real64: return std::memcmp(a, b, sizeof(double)) == 0;
    case Kind::text: return *static_cast<const std::string*>(a) == *static_cast<const std::string*>(b);
    case Kind::blob: return *static_cast<const Bytes*>(a) == *static_cast<const Bytes*>(b);
    case Kind::enumeration: return type.get(a) == type.get(b);
    case Kind::leaf: {
      std::string left, right;
      type.print(a, left);
      type.print(b, right);
      return left == right;
    }
    case Kind::list: {
      const size_t n = type.count(a);
      if (n != type.count(b)) return false;
      for (size_t i = 0; i < n; ++i)
        if (!equal(type.element(), type.at(mutable_of(a), i), type.at(mutable_of(b), i))) return false;
      return true;
    }
    case Kind::object:
      for (const FieldRow& field : type.fields)
        if (!equal(*field.type, field_of(field, a), field_of(field, b))) return false;
      return true;
    case Kind::variant:
      if (type.index(a) != type.index(b)) return false;
      return equal(*type.alternatives[type.index(a)], type.held(mutable_of(a)), type.held(mutable_of(b)));
  }
  return false;
}

uint64_t hash(const TypeRow& type, const void* value) {
  ByteWriter out;
  encode(type, value, out);
  return hash_bytes(out.bytes());
}

namespace {

TypeRow plain(Kind kind, std::string_view name) {
  TypeRow row;
  row.kind = kind;
  row.name = name;
  return row;
}

}  // namespace

const TypeRow& TypeOf<bool>::row() {
  static const TypeRow row = plain(Kind::boolean, "bool");
  return row;
}
const TypeRow& TypeOf<int64_t>::row() {
  static const TypeRow row = plain(Kind::integer, "int");
  return row;
}
const TypeRow& TypeOf<float>::row() {
  static const TypeRow row = plain(Kind::real32, "float");
  return row;
}
const TypeRow& TypeOf<double>::row() {
  static const TypeRow row = plain(Kind::real64, "double");
  return row;
}
const TypeRow& TypeOf<std::string>::row() {
  static const TypeRow row = plain(Kind::text, "text");
  return row;
}
const TypeRow& TypeOf<Bytes>::row() {
  static const TypeRow row = plain(Kind::blob, "bytes");
  return row;
}

}  // namespace tenon
