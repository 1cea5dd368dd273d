// Sequences and optionals.
#include "onnx/node_import.h"
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

Result<Values> import_optional(NodeImport& n) {
  ops::Optional optional;
  if (n.has_input(0)) return Values{n.emit(std::move(optional), {n.input(0)})};
  if (const std::optional<ValueType> type = n.type_attr("type")) optional.type = *type;
  return Values{n.emit(std::move(optional), {})};
}
Result<Values> import_optional_has_element(NodeImport& n) { return Values{n.emit(ops::OptionalHasElement{}, {n.input(0)})}; }
Result<Values> import_optional_get_element(NodeImport& n) { return Values{n.emit(ops::OptionalGetElement{}, {n.required(0, "input")})}; }

}  // namespace tenon::onnx
