#include "tensor/fact.h"

#include <algorithm>

namespace tenon {
namespace {

constexpr int kMaxTypeNesting = 32;

bool same(const std::shared_ptr<const ValueType>& a, const std::shared_ptr<const ValueType>& b) { return a == b || (a && b && *a == *b); }

Result<ValueType> parse_type(Scanner& in, int depth) {
  if (depth > kMaxTypeNesting) return in.error("a type is nested too deeply");
  const std::string_view name = in.identifier();
  if (name == "seq" || name == "opt") {
    TENON_OK(in.expect("("));
    TENON_TRY(element, parse_type(in, depth + 1));
    TENON_OK(in.expect(")"));
    return name == "seq" ? ValueType::sequence(std::move(element)) : ValueType::optional(std::move(element));
  }
  if (name == "map") {
    TENON_OK(in.expect("("));
    const std::string_view key_name = in.identifier();
    const auto key = dtype_of(key_name);
    if (!key) return in.error(strf("'{}' is no element type", key_name));
    TENON_OK(in.expect(","));
    TENON_TRY(element, parse_type(in, depth + 1));
    TENON_OK(in.expect(")"));
    return ValueType::map(*key, std::move(element));
  }
  const auto dtype = dtype_of(name);
  if (!dtype) return in.error(strf("'{}' is no element type", name));
  TENON_TRY(shape, parse_shape(in));
  return ValueType::tensor(*dtype, std::move(shape));
}

/// The type that all items have: the first one's, its shape forgotten where others differ.
ValueType type_of_items(const std::vector<HostValue>& items) {
  if (items.empty()) return {};
  ValueType out = fact_of(items.front()).type;
  for (const HostValue& item : items) {
    if (!out.is_tensor() || !out.shape.has_rank()) break;
    if (!(fact_of(item).type == out)) out.shape = Shape::unknown();
  }
  return out;
}

std::optional<std::vector<Dim>> elems_if_small(const Tensor& tensor) {
  if (!is_int(tensor.dtype) && tensor.dtype != DType::boolean) return std::nullopt;
  if (tensor.elems() > Fact::kMaxElems) return std::nullopt;
  const Dims values = ints_of(tensor);
  return std::vector<Dim>(values.begin(), values.end());
}

}  // namespace

bool operator==(const ValueType& a, const ValueType& b) {
  return a.kind == b.kind && a.dtype == b.dtype && a.shape == b.shape && same(a.element, b.element);
}

std::string to_string(const ValueType& type) {
  const std::string element = type.element ? to_string(*type.element) : "none[...]";
  switch (type.kind) {
    case ValueType::Kind::tensor: return strf("{}{}", to_string(type.dtype), to_string(type.shape));
    case ValueType::Kind::sequence: return strf("seq({})", element);
    case ValueType::Kind::optional: return strf("opt({})", element);
    case ValueType::Kind::map: return strf("map({}, {})", to_string(type.dtype), element);
  }
  return {};
}

Result<ValueType> parse_value_type(Scanner& in) { return parse_type(in, 0); }

const TypeRow& TypeOf<ValueType>::row() {
  static const TypeRow row = [] {
    TypeRow r;
    r.kind = TypeRow::Kind::leaf;
    r.name = "type";
    r.print = [](const void* v, std::string& out) { out += to_string(*static_cast<const ValueType*>(v)); };
    r.parse = [](Scanner& in, void* v) -> Result<void> {
      TENON_TRY(type, parse_value_type(in));
      *static_cast<ValueType*>(v) = std::move(type);
      return {};
    };
    return r;
  }();
  return row;
}

Fact Fact::of(Tensor tensor) {
  Fact out(tensor.dtype, Shape::of(tensor.dims));
  out.elems = elems_if_small(tensor);
  out.constant = std::make_shared<const Tensor>(std::move(tensor));
  return out;
}

std::optional<Dims> Fact::ints() const {
  if (elems) return Shape(*elems).constant();
  if (constant && (is_int(constant->dtype) || constant->dtype == DType::boolean)) return ints_of(*constant);
  return std::nullopt;
}

Fact fact_of(const HostValue& value) {
  Fact out;
  switch (value.kind) {
    case HostValue::Kind::absent: break;
    case HostValue::Kind::tensor:
      out.type = ValueType::tensor(value.tensor.dtype, Shape::of(value.tensor.dims));
      if (value.tensor.data) out.elems = elems_if_small(value.tensor);
      break;
    case HostValue::Kind::sequence: out.type = ValueType::sequence(type_of_items(value.items)); break;
    case HostValue::Kind::optional: out.type = ValueType::optional(type_of_items(value.items)); break;
    case HostValue::Kind::map: out.type = ValueType::map(value.tensor.dtype, type_of_items(value.items)); break;
  }
  return out;
}

}  // namespace tenon
