// Sequences and optionals.
#include "onnx/node_import.h"
#include "ops/loop.h"
#include "ops/optional.h"
#include "ops/sequence.h"

namespace tenon::onnx {

Result<Values> import_sequence_construct(NodeImport& n) { return Values{n.emit(ops::SequenceConstruct{}, n.inputs())}; }
Result<Values> import_sequence_empty(NodeImport& n) {
  return Values{n.emit(ops::SequenceEmpty{.dtype = n.dtype_attr("dtype", DType::f32)}, {})};
}
Result<Values> import_sequence_at(NodeImport& n) {
  return Values{n.emit(ops::SequenceAt{}, {n.required(0, "input_sequence"), n.required(1, "position")})};
}
Result<Values> import_sequence_insert(NodeImport& n) {
  return Values{n.emit(ops::SequenceInsert{}, {n.required(0, "input_sequence"), n.required(1, "tensor"), n.input(2)})};
}
Result<Values> import_sequence_erase(NodeImport& n) {
  return Values{n.emit(ops::SequenceErase{}, {n.required(0, "input_sequence"), n.input(1)})};
}
Result<Values> import_sequence_length(NodeImport& n) { return Values{n.emit(ops::SequenceLength{}, {n.required(0, "input_sequence")})}; }
Result<Values> import_split_to_sequence(NodeImport& n) {
  const ops::SplitToSequence split{.axis = n.int_attr("axis", 0), .keepdims = n.int_attr("keepdims", 1) != 0};
  return Values{n.emit(split, {n.required(0, "input"), n.input(1)})};
}
Result<Values> import_concat_from_sequence(NodeImport& n) {
  const ops::ConcatFromSequence concat{.axis = n.required_int("axis"), .new_axis = n.int_attr("new_axis", 0) != 0};
  return Values{n.emit(concat, {n.required(0, "input_sequence")})};
}

/// A Loop over the sequence: the body sees one element of each input that is a sequence, its outputs are appended to new sequences.
Result<Values> import_sequence_map(NodeImport& n) {
  const AttributeView* attribute = n.attr("body");
  if (!attribute || !attribute->graph()) n.refuse("attribute 'body' is missing");
  const ValueId sequence = n.required(0, "input_sequence");
  if (n.failed()) return Values{};
  const GraphView& body = *attribute->graph();
  const NodeImport::Captures captures = n.captures({&body});
  const size_t carried = body.outputs.size();
  Values in{n.emit(ops::SequenceLength{}, {sequence}), ValueId::none};
  for (const ValueView& output : body.outputs) {
    const std::optional<DType> dtype = output.type.kind == TypeView::Kind::tensor ? dtype_of_onnx(output.type.elem_type) : std::nullopt;
    in.push_back(n.emit(ops::SequenceEmpty{.dtype = dtype.value_or(DType::none) == DType::none ? DType::f32 : *dtype}, {}));
  }
  in.insert(in.end(), n.inputs().begin(), n.inputs().end());
  in.insert(in.end(), captures.values.begin(), captures.values.end());
  Fact condition(DType::boolean, Shape{});
  condition.elems = {Dim(1)};  // a body runs only while it holds
  Facts formals{Fact(DType::i64, Shape{}), condition};
  for (size_t i = 2; i < in.size(); ++i) formals.push_back(n.fact(in[i]));
  const GraphId region = n.write_region(std::string(body.name), formals, [&](NodeImport& inner, const Values& given) {
    const auto inputs = given.begin() + 2 + static_cast<std::ptrdiff_t>(carried);
    const auto captured = inputs + static_cast<std::ptrdiff_t>(n.input_count());
    Values elements;
    for (auto value = inputs; value != captured; ++value) {
      const bool each = inner.fact(*value).type.kind == ValueType::Kind::sequence;
      elements.push_back(each ? inner.emit(ops::SequenceAt{}, {*value, given[0]}) : *value);
    }
    const Values results = inner.inline_body(body, elements, captures, {captured, given.end()});
    Values out{given[1]};
    for (size_t i = 0; i < results.size(); ++i) out.push_back(inner.emit(ops::SequenceInsert{}, {given[2 + i], results[i]}));
    return out;
  });
  if (n.failed()) return Values{};
  const ops::Loop loop{.captures = static_cast<int64_t>(n.input_count() + captures.values.size())};
  return n.emit_op(ops::make_op(loop), std::move(in), {region}, carried);
}

Result<Values> import_optional(NodeImport& n) {
  ops::Optional optional;
  if (n.has_input(0)) return Values{n.emit(std::move(optional), {n.input(0)})};
  if (const std::optional<ValueType> type = n.type_attr("type")) optional.type = *type;
  return Values{n.emit(std::move(optional), {})};
}
Result<Values> import_optional_has_element(NodeImport& n) { return Values{n.emit(ops::OptionalHasElement{}, {n.input(0)})}; }
Result<Values> import_optional_get_element(NodeImport& n) { return Values{n.emit(ops::OptionalGetElement{}, {n.required(0, "input")})}; }

}  // namespace tenon::onnx
