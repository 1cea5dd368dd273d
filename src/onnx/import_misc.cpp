// Constants, casts, and what passes its input through.
#include "onnx/import.h"
#include "onnx/node_import.h"
#include "ops/constant_of_shape.h"
#include "ops/identity.h"
#include "ops/pointwise.h"
#include "ops/random.h"
#include "ops/shape_of.h"
#include "ops/text.h"

namespace tenon::onnx {
namespace {

Values passed_through(NodeImport& n, ValueId x) {
  // A constant keeps its identity under another name: shape inference and refit see through it.
  if (n.contents(x)) return {x};
  return {n.emit(ops::Identity{}, {x})};
}

/// 8-bit and narrower floats saturate unless told otherwise.
Values cast_to(NodeImport& n, ValueId x, DType to) {
  if (n.dtype(x) == DType::str || to == DType::str)
    return n.dtype(x) == to ? passed_through(n, x) : Values{n.emit(ops::StringCast{.to = to}, {x})};
  const bool saturate = n.int_attr("saturate", 1) != 0 && is_float(to) && bits_of(to) <= 8;
  return {n.pointwise({x}, [&](const std::vector<Term>& t) { return Term{t[0].expr, t[0].expr->add_cast(t[0].node, to, saturate)}; })};
}

}  // namespace

Result<Values> import_identity(NodeImport& n) { return passed_through(n, n.required(0, "input")); }

Result<Values> import_constant(NodeImport& n) {
  if (n.has_attr("value")) {
    if (const std::optional<Tensor> value = n.tensor_attr("value")) return Values{n.initializer(*value)};
    return Values{};
  }
  if (const AttributeView* sparse = n.attr("sparse_value"); sparse && sparse->sparse_tensor()) {
    TENON_TRY(dense, import_tensor(n.model(), *sparse->sparse_tensor()));
    return Values{n.initializer(dense)};
  }
  if (n.has_attr("value_float")) return Values{n.scalar(DType::f32, n.float_attr("value_float", 0))};
  if (n.has_attr("value_int")) {
    const int64_t value = n.wide_int_attr("value_int", 0);
    return Values{n.constant(make_tensor<int64_t>(DType::i64, {}, std::span(&value, 1)))};
  }
  if (n.has_attr("value_ints")) return Values{n.int_list(n.ints_attr("value_ints"))};
  if (n.has_attr("value_floats")) {
    const std::vector<double> values = n.floats_attr("value_floats");
    const std::vector<float> narrow(values.begin(), values.end());
    return Values{n.initializer(make_tensor<float>(DType::f32, {static_cast<int64_t>(narrow.size())}, narrow))};
  }
  if (n.has_attr("value_string")) {
    const std::vector<std::string> text{n.string_attr("value_string", "")};
    return Values{n.constant(make_tensor<std::string>(DType::str, {}, text))};
  }
  if (n.has_attr("value_strings")) {
    const std::vector<std::string> texts = n.strings_attr("value_strings");
    return Values{n.constant(make_tensor<std::string>(DType::str, {static_cast<int64_t>(texts.size())}, texts))};
  }
  n.refuse("the value is missing");
  return Values{};
}

Result<Values> import_cast(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  DType to = DType::none;
  if (const AttributeView* name = n.attr("to"); name && name->type == AttributeType::s) {  // opset 1 spells the type
    static constexpr std::pair<std::string_view, DType> kNames[] = {
        {"FLOAT", DType::f32},  {"DOUBLE", DType::f64},   {"FLOAT16", DType::f16}, {"INT8", DType::i8},    {"INT16", DType::i16},
        {"INT32", DType::i32},  {"INT64", DType::i64},    {"UINT8", DType::u8},    {"UINT16", DType::u16}, {"UINT32", DType::u32},
        {"UINT64", DType::u64}, {"BOOL", DType::boolean}, {"STRING", DType::str}};
    for (const auto& [text, dtype] : kNames)
      if (name->s == text) to = dtype;
  } else {
    to = n.dtype_attr("to", DType::none);
  }
  if (to == DType::none) n.refuse("attribute 'to' is missing");
  return cast_to(n, x, to);
}
Result<Values> import_cast_like(NodeImport& n) {
  const DType to = n.dtype(n.required(1, "target_type"));
  if (to == DType::none) n.unsupported("the element type of target_type is not known");
  return cast_to(n, n.required(0, "input"), to);
}

/// Inference: the input, and a mask that keeps everything. Training: what a random number below `ratio` meets becomes 0, the rest grows
/// by 1 / (1 - ratio).
Result<Values> import_dropout(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  const std::optional<Dims> training = n.ints(n.opset() >= 12 ? n.input(2) : ValueId::none);
  const bool trains = n.opset() >= 12 && n.has_input(2) && !(training && training->size() == 1 && (*training)[0] == 0);
  if (!trains) {
    Values out = passed_through(n, x);
    if (!n.has_output(1) || n.failed()) return out;
    const uint8_t kept = 1;
    const DType mask = n.opset() < 10 ? n.dtype(x) : DType::boolean;
    const ValueId one = mask == DType::boolean ? n.constant(make_tensor<uint8_t>(mask, {1}, std::span(&kept, 1))) : n.scalar(mask, 1);
    out.push_back(n.emit(ops::ConstantOfShape{}, {n.emit(ops::ShapeOf{}, {x}), one}));
    return out;
  }
  ops::Random uniform;
  if (n.has_attr("seed")) uniform.seed = static_cast<double>(n.wide_int_attr("seed", 0));
  const ValueId random = n.emit(uniform, {n.emit(ops::ShapeOf{}, {x})});
  const ValueId ratio = n.has_input(1) ? n.input(1) : n.scalar(DType::f32, 0.5);
  const ValueId mask = n.pointwise({random, n.input(2), ratio}, [](const std::vector<Term>& t) {
    return apply(Fn::logical_or, apply(Fn::logical_not, t[1]), t[0] >= t[2].cast(DType::f32));
  });
  const ValueId y = n.pointwise({x, mask, n.input(2), ratio}, [](const std::vector<Term>& t) {
    const Term grown = t[0] / (t[0].constant(1) - t[3].cast(t[0].type()));
    return where(t[2], where(t[1], grown, t[0].constant(0)), t[0]);
  });
  return Values{y, mask};
}

}  // namespace tenon::onnx
