// ai.onnx.ml and other values that are no plain numbers: labels, maps, strings, random numbers, bits.
#include <cmath>
#include <numeric>

#include "onnx/import_attrs.h"
#include "ops/bit_cast.h"
#include "ops/concat.h"
#include "ops/cum_sum.h"
#include "ops/det.h"
#include "ops/gather.h"
#include "ops/lookup.h"
#include "ops/move.h"
#include "ops/norm.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/tensor_scatter.h"
#include "ops/text.h"
#include "ops/zip_map.h"

namespace tenon::onnx {

/// Elements of the last dim; a vector counts as one row, unless its rank is not known.
Result<Values> import_array_feature_extractor(NodeImport& n) {
  ValueId x = n.required(0, "X");
  if (n.fact(x).has_rank() && n.rank(x) == 1) x = n.emit(ops::Unsqueeze{.axes = {0}}, {x});
  const ValueId indices = n.emit(ops::Reshape{}, {n.required(1, "Y"), n.int_list({-1})});
  return Values{n.emit(ops::Gather{.axis = -1}, {x, indices})};
}
Result<Values> import_zip_map(NodeImport& n) {
  const ops::ZipMap map{.ints = n.ints_attr("classlabels_int64s"), .strings = n.strings_attr("classlabels_strings")};
  if (map.ints.empty() == map.strings.empty()) n.refuse("wants the labels as integers or as strings");
  return Values{n.emit(map, {n.required(0, "X")})};
}
namespace {

/// A list that an attribute of LabelEncoder holds: <stem>_int64s, _floats, _strings or _tensor.
std::optional<Tensor> labels_attr(NodeImport& n, const std::string& stem) {
  if (auto tensor = n.tensor_attr(stem + "_tensor")) return tensor;
  if (const Dims ints = n.ints_attr(stem + "_int64s"); !ints.empty()) return int64_tensor(ints);
  const std::vector<double> wide = n.floats_attr(stem + "_floats");
  const std::vector<float> floats(wide.begin(), wide.end());
  if (!floats.empty()) return make_tensor<float>(DType::f32, {static_cast<int64_t>(floats.size())}, floats);
  const std::vector<std::string> strings = n.strings_attr(stem + "_strings");
  if (strings.empty()) return std::nullopt;
  return make_tensor<std::string>(DType::str, {static_cast<int64_t>(strings.size())}, strings);
}
/// What LabelEncoder gives for an element that is no key.
Tensor default_label(NodeImport& n, DType type) {
  if (auto tensor = n.tensor_attr("default_tensor")) return *tensor;
  const std::string text = n.string_attr("default_string", "_Unused");
  if (type == DType::str) return make_tensor<std::string>(type, {1}, std::span(&text, 1));
  return filled(n, type, {1},
                is_float(type) ? n.float_attr("default_float", -0.0) : static_cast<double>(n.wide_int_attr("default_int64", -1)));
}

Tensor backwards(const Tensor& list) {
  Tensor out = *Tensor::allocate(list.dtype, {list.elems()});
  for (int64_t i = 0; i < list.elems(); ++i) ops::copy_elems(list, i, out, list.elems() - 1 - i, 1);
  return out;
}

}  // namespace

/// Version 1 has one list of strings, whose positions are the other side: which way round, the input's type says.
Result<Values> import_label_encoder(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  std::optional<Tensor> keys = labels_attr(n, "keys"), values = labels_attr(n, "values");
  if (const auto classes = labels_attr(n, "classes")) {
    Dims positions(static_cast<size_t>(classes->elems()));
    std::iota(positions.begin(), positions.end(), 0);
    const bool to_text = n.dtype(x) != DType::str;
    keys = to_text ? int64_tensor(positions) : *classes;
    values = to_text ? *classes : int64_tensor(positions);
  }
  if (!keys || !values || keys->elems() != values->elems()) {
    n.refuse("wants as many keys as values");
    return Values{ValueId::none};
  }
  // ONNX LabelEncoder-4: of equal keys the last counts. Lookup takes the first.
  if (n.opset() >= 4) {
    keys = backwards(*keys);
    values = backwards(*values);
  }
  return Values{n.emit(ops::Lookup{}, {x, n.constant(*keys), n.constant(*values), n.constant(default_label(n, values->dtype))})};
}
Result<Values> import_binarizer(NodeImport& n) {
  double threshold = n.float_attr("threshold", 0);
  // An integer is above the threshold where it is above the integer below.
  if (!is_float(n.dtype(n.input(0)))) threshold = std::floor(threshold);
  return Values{n.pointwise({n.required(0, "X")},
                            [&](const std::vector<Term>& t) { return where(t[0] > threshold, t[0].constant(1), t[0].constant(0)); })};
}
/// (x - offset) · scale, one of each or one per feature.
Result<Values> import_scaler(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const DType type = n.dtype(x) == DType::f32 ? DType::f32 : DType::f64;
  const auto vector = [&](std::string_view name, double otherwise) {
    std::vector<double> values = n.floats_attr(name);
    if (values.empty()) values.push_back(otherwise);
    return n.cast(n.constant(make_tensor<double>(DType::f64, {static_cast<int64_t>(values.size())}, values)), type);
  };
  return Values{n.pointwise({x, vector("offset", 0), vector("scale", 1)},
                            [&](const std::vector<Term>& t) { return ((t[0].cast(type) - t[1]) * t[2]).cast(DType::f32); })};
}

Result<Values> import_string_concat(NodeImport& n) { return Values{n.emit(ops::StringConcat{}, {n.required(0, "X"), n.required(1, "Y")})}; }
Result<Values> import_string_normalizer(NodeImport& n) {
  ops::StringNormalizer op{.case_sensitive = n.int_attr("is_case_sensitive", 0) != 0, .stopwords = n.strings_attr("stopwords")};
  const std::string change = n.string_attr("case_change_action", "NONE");
  if (change == "LOWER") op.case_change = ops::CaseChange::lower;
  if (change == "UPPER") op.case_change = ops::CaseChange::upper;
  return Values{n.emit(op, {n.required(0, "X")})};
}
Result<Values> import_string_split(NodeImport& n) {
  ops::StringSplit op;
  if (n.has_attr("delimiter")) op.delimiter = n.string_attr("delimiter", "");
  if (n.has_attr("maxsplit")) op.maxsplit = n.wide_int_attr("maxsplit", 0);
  return n.emit(op, {n.required(0, "X")}, 2);
}
Result<Values> import_regex_full_match(NodeImport& n) {
  return Values{n.emit(ops::RegexFullMatch{.pattern = n.string_attr("pattern", "")}, {n.required(0, "X")})};
}

Result<Values> import_bit_cast(NodeImport& n) {
  return Values{n.emit(ops::BitCast{.dtype = n.dtype_attr("to", DType::none)}, {n.required(0, "input")})};
}
Result<Values> import_det(NodeImport& n) { return Values{n.emit(ops::Det{}, {n.required(0, "X")})}; }
Result<Values> import_tensor_scatter(NodeImport& n) {
  const ops::TensorScatter op{.axis = n.int_attr("axis", -2), .circular = n.string_attr("mode", "linear") == "circular"};
  return Values{n.emit(op, {n.required(0, "past_cache"), n.required(1, "update"), n.input(2)})};
}

namespace {

/// Random numbers in a shape that is an attribute, or that of the input.
ValueId random(NodeImport& n, ops::RandomKind kind, ValueId shape, DType dtype) {
  const bool normal = kind == ops::RandomKind::normal;
  ops::Random op{.kind = kind, .dtype = dtype};
  op.a = n.float_attr(normal ? "mean" : "low", 0);
  op.b = n.float_attr(normal ? "scale" : "high", 1);
  if (n.has_attr("seed")) op.seed = n.float_attr("seed", 0);
  return n.emit(op, {shape});
}
Values random_like(NodeImport& n, ops::RandomKind kind) {
  const ValueId x = n.required(0, "input");
  return {random(n, kind, n.emit(ops::ShapeOf{}, {x}), n.dtype_attr("dtype", n.dtype(x)))};
}
Values random_shaped(NodeImport& n, ops::RandomKind kind) {
  return {random(n, kind, n.int_list(n.ints_attr("shape")), n.dtype_attr("dtype", DType::f32))};
}

}  // namespace

Result<Values> import_random_normal(NodeImport& n) { return random_shaped(n, ops::RandomKind::normal); }
Result<Values> import_random_uniform(NodeImport& n) { return random_shaped(n, ops::RandomKind::uniform); }
Result<Values> import_random_normal_like(NodeImport& n) { return random_like(n, ops::RandomKind::normal); }
Result<Values> import_random_uniform_like(NodeImport& n) { return random_like(n, ops::RandomKind::uniform); }
/// The class where a uniform number falls among the running sums of the probabilities that the logits mean.
Result<Values> import_multinomial(NodeImport& n) {
  const ValueId logits = n.cast(n.required(0, "input"), DType::f32);
  const int64_t samples = n.int_attr("sample_size", 1);
  const DType dtype = n.dtype_attr("dtype", DType::i32);
  if (dtype != DType::i32 && dtype != DType::i64) n.refuse("attribute 'dtype' must say int32 or int64");
  const ValueId sums = n.emit(ops::CumSum{}, {n.emit(ops::Softmax{.axis = 1}, {logits}), n.constant(filled(n, DType::i64, {}, 1))});
  const ValueId shape = n.emit(ops::Concat{.axis = 0}, {dim_of(n, logits, 0), n.int_list({samples})});
  ops::Random uniform;
  if (n.has_attr("seed")) uniform.seed = n.float_attr("seed", 0);
  const ValueId drawn = n.emit(ops::Unsqueeze{.axes = {2}}, {n.emit(uniform, {shape})});
  const ValueId before = n.pointwise({n.emit(ops::Unsqueeze{.axes = {1}}, {sums}), drawn},
                                     [](const std::vector<Term>& t) { return (t[0] <= t[1]).cast(DType::i64); });
  const ValueId at = n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .axes = {2}, .keepdims = false}, {before});
  return Values{n.pointwise({at, dim_of(n, logits, 1)},  // the last sum may round to less than 1
                            [&](const std::vector<Term>& t) { return min(t[0], t[1] - 1).cast(dtype); })};
}
/// One with the probability that the input says.
Result<Values> import_bernoulli(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const DType dtype = n.dtype_attr("dtype", n.dtype(x));
  const ValueId uniform = random(n, ops::RandomKind::uniform, n.emit(ops::ShapeOf{}, {x}), DType::f32);
  return Values{n.pointwise({x, uniform}, [&](const std::vector<Term>& t) { return (t[1] < t[0].cast(DType::f32)).cast(dtype); })};
}

}  // namespace tenon::onnx
