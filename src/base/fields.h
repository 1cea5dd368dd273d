// One description per plain struct drives its text, binary form, hash and ==: `kFields` lists {id, name, member}.
// Ids are never reused and defaults are frozen: a field equal to its default is left out of text, bytes and hash.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"

namespace tenon {

template <class C, class M>
struct Field {
  int id = 0;
  std::string_view name;
  M C::*member = nullptr;
};
template <class C, class M>
Field(int, const char*, M C::*) -> Field<C, M>;

namespace detail {

template <size_t I, class F>
struct FieldSlot {
  F field;
};
template <class Index, class... F>
struct FieldSlots;
template <size_t... I, class... F>
struct FieldSlots<std::index_sequence<I...>, F...> : FieldSlot<I, F>... {
  template <class Visit>
  constexpr void each(const Visit& visit) const {
    (visit(static_cast<const FieldSlot<I, F>&>(*this).field), ...);
  }
};

}  // namespace detail

/// The fields of a struct. No std::tuple: the constraints of its constructors take a compiler long where the list is long.
template <class... F>
struct Fields : detail::FieldSlots<std::index_sequence_for<F...>, F...> {
  constexpr explicit Fields(F... field) : detail::FieldSlots<std::index_sequence_for<F...>, F...>{{field}...} {}
};

struct TypeRow;
struct FieldRow {
  int id = 0;
  std::string_view name;
  const TypeRow* type = nullptr;
  size_t offset = 0;
};

/// Type-erased description of a plain type. Leaf types (dims, expressions) bring their own text, which is also their binary form.
struct TypeRow {
  enum class Kind { boolean, integer, real32, real64, text, blob, enumeration, list, object, variant, leaf };
  Kind kind = Kind::object;
  std::string_view name;
  // enumeration
  const std::string_view* names = nullptr;
  size_t name_count = 0;
  int64_t (*get)(const void*) = nullptr;
  void (*set)(void*, int64_t) = nullptr;
  // list; for optional<T>, a list of at most one
  const TypeRow& (*element)() = nullptr;  // called late: a struct may contain lists of itself
  size_t (*count)(const void*) = nullptr;
  bool (*resize)(void*, size_t) = nullptr;
  void* (*at)(void*, size_t) = nullptr;
  // object
  std::vector<FieldRow> fields;
  const void* defaults = nullptr;
  // variant
  std::vector<const TypeRow*> alternatives;
  size_t (*index)(const void*) = nullptr;
  void* (*emplace)(void*, size_t) = nullptr;
  void* (*held)(void*) = nullptr;
  // leaf
  void (*print)(const void*, std::string&) = nullptr;
  Result<void> (*parse)(Scanner&, void*) = nullptr;
};

void print(const TypeRow& type, const void* value, std::string& out);
/// The fields of an object as they stand after an op: `axis=1 mode=linear`; empty for defaults.
void print_fields(const TypeRow& type, const void* value, std::string& out);
Result<void> parse(const TypeRow& type, Scanner& in, void* value);
Result<void> parse_fields(const TypeRow& type, Scanner& in, void* value);
void encode(const TypeRow& type, const void* value, ByteWriter& out);
/// Strict: an unknown field, name or trailing byte is an error. `depth` bounds recursion on untrusted bytes.
Result<void> decode(const TypeRow& type, ByteReader& in, void* value, int depth = 0);
bool equal(const TypeRow& type, const void* a, const void* b);
uint64_t hash(const TypeRow& type, const void* value);

/// Specialise for leaf types and enums: `static const TypeRow& row()`.
template <class T, class = void>
struct TypeOf;

template <class T>
const TypeRow& type_of() {
  return TypeOf<T>::row();
}

namespace detail {

template <class T, class E>
TypeRow list_row() {
  TypeRow row;
  row.kind = TypeRow::Kind::list;
  row.name = "list";
  row.element = type_of<E>;
  row.count = [](const void* v) { return static_cast<const T*>(v)->size(); };
  row.resize = [](void* v, size_t n) {
    static_cast<T*>(v)->resize(n);
    return true;
  };
  row.at = [](void* v, size_t i) -> void* { return &(*static_cast<T*>(v))[i]; };
  return row;
}

}  // namespace detail

template <>
struct TypeOf<bool> {
  static const TypeRow& row();
};
template <>
struct TypeOf<int64_t> {
  static const TypeRow& row();
};
template <>
struct TypeOf<float> {
  static const TypeRow& row();
};
template <>
struct TypeOf<double> {
  static const TypeRow& row();
};
template <>
struct TypeOf<std::string> {
  static const TypeRow& row();
};
template <>
struct TypeOf<Bytes> {
  static const TypeRow& row();
};

template <class E>
struct TypeOf<std::vector<E>, std::enable_if_t<!std::is_same_v<E, std::byte>>> {
  static const TypeRow& row() {
    static const TypeRow row = detail::list_row<std::vector<E>, E>();
    return row;
  }
};

template <class E>
struct TypeOf<std::optional<E>> {
  static const TypeRow& row() {
    static const TypeRow row = [] {
      using T = std::optional<E>;
      TypeRow r;
      r.kind = TypeRow::Kind::list;
      r.name = "optional";
      r.element = type_of<E>;
      r.count = [](const void* v) -> size_t { return static_cast<const T*>(v)->has_value(); };
      r.resize = [](void* v, size_t n) {
        if (n > 1) return false;
        if (n == 1) *static_cast<T*>(v) = E{};
        if (n == 0) static_cast<T*>(v)->reset();
        return true;
      };
      r.at = [](void* v, size_t) -> void* { return &**static_cast<T*>(v); };
      return r;
    }();
    return row;
  }
};

/// Enums declare `constexpr std::array<std::string_view, N> enum_names(E)` beside them, found by argument-dependent lookup.
template <class E>
struct TypeOf<E, std::enable_if_t<std::is_enum_v<E>>> {
  static const TypeRow& row() {
    static const TypeRow row = [] {
      static constexpr auto names = enum_names(E{});
      TypeRow r;
      r.kind = TypeRow::Kind::enumeration;
      r.name = "enum";
      r.names = names.data();
      r.name_count = names.size();
      r.get = [](const void* v) { return static_cast<int64_t>(*static_cast<const E*>(v)); };
      r.set = [](void* v, int64_t x) { *static_cast<E*>(v) = static_cast<E>(x); };
      return r;
    }();
    return row;
  }
};

/// Structs with kName and kFields.
template <class T>
struct TypeOf<T, std::void_t<decltype(T::kFields)>> {
  static const TypeRow& row() {
    static const T defaults{};
    static const TypeRow row = describe(defaults);
    return row;
  }

 private:
  static TypeRow describe(const T& defaults) {
    TypeRow row;
    row.kind = TypeRow::Kind::object;
    row.name = T::kName;
    row.defaults = &defaults;
    T::kFields.each([&](const auto& field) {
      row.fields.push_back(
          {field.id, field.name, &type_of_member(field.member),
           static_cast<size_t>(reinterpret_cast<const char*>(&(defaults.*field.member)) - reinterpret_cast<const char*>(&defaults))});
    });
    return row;
  }
  template <class C, class M>
  static const TypeRow& type_of_member(M C::*) {
    return type_of<M>();
  }
};

/// A variant is written as the kName of what it holds. The first alternative is the default.
template <class... Ts>
struct TypeOf<std::variant<Ts...>> {
  static const TypeRow& row() {
    static const TypeRow row = [] {
      using T = std::variant<Ts...>;
      TypeRow r;
      r.kind = TypeRow::Kind::variant;
      r.name = "variant";
      r.alternatives = {&type_of<Ts>()...};
      r.index = [](const void* v) { return static_cast<const T*>(v)->index(); };
      r.emplace = [](void* v, size_t i) -> void* {
        static constexpr void* (*make[])(T&) = {[](T& t) -> void* { return &t.template emplace<Ts>(); }...};
        return make[i](*static_cast<T*>(v));
      };
      r.held = [](void* v) -> void* { return std::visit([](auto& x) -> void* { return &x; }, *static_cast<T*>(v)); };
      return r;
    }();
    return row;
  }
};

template <class T>
std::string to_text(const T& value) {
  std::string out;
  print(type_of<T>(), &value, out);
  return out;
}
template <class T>
Result<T> from_text(std::string_view text) {
  Scanner in(text);
  T value{};
  TENON_OK(parse(type_of<T>(), in, &value));
  if (!in.at_end()) return in.error("wanted the end");
  return value;
}
template <class T>
Bytes to_bytes(const T& value) {
  ByteWriter out;
  encode(type_of<T>(), &value, out);
  return std::move(out.bytes());
}
template <class T>
Result<T> from_bytes(ByteView bytes, uint64_t origin = 0) {
  ByteReader in(bytes, origin);
  T value{};
  TENON_OK(decode(type_of<T>(), in, &value));
  if (in.remaining()) return in.error("bytes follow the end");
  return value;
}
template <class T>
bool fields_equal(const T& a, const T& b) {
  return equal(type_of<T>(), &a, &b);
}

}  // namespace tenon
