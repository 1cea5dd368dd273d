#include "onnx/value_file.h"

#include "onnx/read.h"

namespace tenon::onnx {
namespace {

using Kind = ValueProtoView::Kind;

Kind kind_of(Message& in, int32_t elem_type) {
  switch (elem_type) {  // SequenceProto.DataType, OptionalProto.DataType
    case 0: return Kind::none;
    case 1: return Kind::tensor;
    case 2: return Kind::sparse_tensor;
    case 3: return Kind::sequence;
    case 4: return Kind::map;
    case 5: return Kind::optional;
    default: in.fail(strf("unknown element type {}", elem_type)); return Kind::none;
  }
}

void read_value(Message in, ValueProtoView& out);

/// SequenceProto and OptionalProto have the same fields under the same numbers.
void read_elements(Message in, ValueProtoView& out) {
  while (in.next()) {
    Kind kind = Kind::none;
    switch (in.tag()) {
      case 1: out.name = in.text(); break;
      case 2: out.element_kind = kind_of(in, in.int32()); break;
      case 3: kind = Kind::tensor; break;
      case 4: kind = Kind::sparse_tensor; break;
      case 5: kind = Kind::sequence; break;
      case 6: kind = Kind::map; break;
      case 7: kind = Kind::optional; break;
    }
    if (kind == Kind::none) continue;
    ValueProtoView& element = out.elements.emplace_back();
    element.kind = kind;
    read_value(in.message(), element);
  }
  if (out.element_kind == Kind::none && !out.elements.empty()) out.element_kind = out.elements.front().kind;
  for (const ValueProtoView& element : out.elements)
    if (element.kind != out.element_kind) return in.fail_whole("an element is not of the type that the list names");
  if (out.kind == Kind::optional && out.elements.size() > 1) in.fail_whole("an optional has more than one value");
}

void read_map_fields(Message in, ValueProtoView& out) {
  ValueProtoView values;
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.name = in.text(); break;
      case 2: out.key_type = in.int32(); break;
      case 3: in.append(out.keys); break;
      case 4: out.string_keys.push_back(in.text()); break;
      case 5: read_elements(in.message(), values); break;
    }
  }
  out.elements = std::move(values.elements);
  out.element_kind = values.element_kind;
  const size_t keys = out.key_type == kString ? out.string_keys.size() : out.keys.size();
  if (keys != out.elements.size()) in.fail_whole(strf("a map has {} keys and {} values", keys, out.elements.size()));
}

void read_value(Message in, ValueProtoView& out) {
  switch (out.kind) {
    case Kind::none: break;
    case Kind::tensor:
      read(in, out.tensor);
      out.name = out.tensor.name;
      break;
    case Kind::sparse_tensor:
      out.sparse_tensor = std::make_shared<SparseTensorView>();
      read(in, *out.sparse_tensor);
      out.name = out.sparse_tensor->values.name;
      break;
    case Kind::sequence:
    case Kind::optional: read_elements(in, out); break;
    case Kind::map: read_map_fields(in, out); break;
  }
}

template <Kind kind>
Result<ValueProtoView> read_whole_value(ByteView bytes) {
  return read_whole<ValueProtoView>(bytes, [](Message in, ValueProtoView& out) {
    out.kind = kind;
    read_value(in, out);
  });
}

}  // namespace

Result<TensorView> read_tensor(ByteView bytes) { return read_whole<TensorView>(bytes, read); }
Result<ValueProtoView> read_sequence(ByteView bytes) { return read_whole_value<Kind::sequence>(bytes); }
Result<ValueProtoView> read_optional(ByteView bytes) { return read_whole_value<Kind::optional>(bytes); }
Result<ValueProtoView> read_map(ByteView bytes) { return read_whole_value<Kind::map>(bytes); }

Bytes write_tensor(std::string_view name, int32_t data_type, std::span<const int64_t> dims, ByteView raw) {
  enum : uint64_t { kVarint = 0, kLength = 2 };
  ByteWriter out;  // not protozero's, whose lengths end at 32 bits
  const auto key = [&](uint64_t field, uint64_t wire) { out.varint(field << 3 | wire); };
  for (const int64_t dim : dims) {
    key(1, kVarint);
    out.varint(static_cast<uint64_t>(dim));
  }
  key(2, kVarint);
  out.varint(static_cast<uint64_t>(data_type));
  key(8, kLength);
  out.text(name);
  key(9, kLength);
  out.varint(raw.size());
  out.raw(raw);
  return std::move(out.bytes());
}

}  // namespace tenon::onnx
