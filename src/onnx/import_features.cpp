// The operators of ai.onnx.ml that prepare features, and TfIdfVectorizer.
#include <algorithm>

#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/lookup.h"
#include "ops/maps.h"
#include "ops/one_hot.h"
#include "ops/pad.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/tf_idf.h"

namespace tenon::onnx {
namespace {

Tensor text_tensor(const std::vector<std::string>& strings) {
  return make_tensor<std::string>(DType::str, {static_cast<int64_t>(strings.size())}, strings);
}

}  // namespace

Result<Values> import_cast_map(NodeImport& n) {
  ops::CastMap op;
  const std::string to = n.string_attr("cast_to", "TO_FLOAT"), form = n.string_attr("map_form", "DENSE");
  if (to == "TO_INT64") op.dtype = DType::i64;
  if (to == "TO_STRING") op.dtype = DType::str;
  if (to != "TO_FLOAT" && op.dtype == DType::f32) n.refuse("attribute 'cast_to' is '{}'", to);
  if (form == "SPARSE") op.size = n.int_attr("max_map", 1);
  if (form != "SPARSE" && form != "DENSE") n.refuse("attribute 'map_form' is '{}'", form);
  return Values{n.emit(op, {n.required(0, "X")})};
}

Result<Values> import_dict_vectorizer(NodeImport& n) {
  const ops::DictVectorizer op{.ints = n.ints_attr("int64_vocabulary"), .strings = n.strings_attr("string_vocabulary")};
  if (op.ints.empty() == op.strings.empty()) n.refuse("wants the vocabulary as integers or as strings");
  return Values{n.emit(op, {n.required(0, "X")})};
}

/// Of equal keys the last counts; Lookup takes the first.
Result<Values> import_category_mapper(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  Dims ints = n.ints_attr("cats_int64s");
  std::vector<std::string> strings = n.strings_attr("cats_strings");
  if (ints.size() != strings.size()) n.refuse("{} integers for {} strings", ints.size(), strings.size());
  std::ranges::reverse(ints);
  std::ranges::reverse(strings);
  const ValueId numbers = n.constant(int64_tensor(ints)), texts = n.constant(text_tensor(strings));
  if (n.dtype(x) == DType::str)
    return Values{n.emit(ops::Lookup{}, {x, texts, numbers, n.int_list({n.wide_int_attr("default_int64", -1)})})};
  return Values{n.emit(ops::Lookup{}, {x, numbers, texts, n.constant(text_tensor({n.string_attr("default_string", "_Unused")}))})};
}

/// Numbers are categories by their integers. An index of all categories' count stands for one that is none of them.
Result<Values> import_one_hot_encoder(NodeImport& n) {
  ValueId x = n.required(0, "X");
  const std::vector<std::string> strings = n.strings_attr("cats_strings");
  const Dims ints = n.ints_attr("cats_int64s");
  if (ints.empty() == strings.empty()) n.refuse("wants the categories as integers or as strings");
  if (n.dtype(x) != DType::str) x = n.cast(x, DType::i64);
  Tensor keys = strings.empty() ? int64_tensor(ints) : text_tensor(strings);
  const int64_t count = keys.elems();
  Dims places;
  for (int64_t i = count - 1; i >= 0; --i) places.push_back(i);
  Tensor reversed = keys.dtype == DType::str ? text_tensor({strings.rbegin(), strings.rend()}) : int64_tensor({ints.rbegin(), ints.rend()});
  Values in = {x, n.constant(std::move(reversed)), n.int_list(places)};
  if (n.int_attr("zeros", 1) != 0) in.push_back(n.int_list({count}));
  const std::vector<float> off_on = {0, 1};
  const ValueId depth = n.constant(scalar_tensor(DType::i64, static_cast<double>(count)));
  return Values{
      n.emit(ops::OneHot{.axis = -1}, {n.emit(ops::Lookup{}, in), depth, n.constant(make_tensor<float>(DType::f32, {2}, off_on))})};
}

/// Each input as f32 [N, its width of `inputdimensions`]: what is wider is cut, what is narrower is filled up with zeros.
Result<Values> import_feature_vectorizer(NodeImport& n) {
  const Dims widths = n.ints_attr("inputdimensions");
  if (n.input_count() == 0) n.refuse("takes at least one input");
  if (!widths.empty() && widths.size() != n.input_count()) n.refuse("{} widths for {} inputs", widths.size(), n.input_count());
  Values parts;
  for (size_t i = 0; i < n.input_count() && !n.failed(); ++i) {
    ValueId x = n.cast(n.required(i, "X"), DType::f32);
    if (!n.fact(x).has_rank()) x = n.emit(ops::Reshape{}, {x, n.int_list({0, -1})});
    if (n.rank(x) == 1) x = n.emit(ops::Unsqueeze{.axes = {0}}, {x});
    if (n.rank(x) != 2) n.refuse("input {} must be [C] or [N, C], got {}", i, to_string(n.fact(x).shape()));
    if (!widths.empty() && !n.failed()) {
      if (widths[i] < 0) n.refuse("a width of {}", widths[i]);
      const auto known = n.size(x, 1);
      if (!known || *known < widths[i]) x = n.emit(ops::Pad{}, {x, n.int_list({0, 0, 0, known ? widths[i] - *known : widths[i]})});
      if (!known || *known > widths[i]) x = cut(n, x, 1, 0, widths[i]);
    }
    parts.push_back(x);
  }
  return Values{parts.size() == 1 ? parts[0] : n.emit(ops::Concat{.axis = 1}, parts)};
}

Result<Values> import_imputer(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const DType dtype = n.dtype(x);
  std::vector<double> floats = n.floats_attr("imputed_value_floats");
  const Dims ints = n.ints_attr("imputed_value_int64s");
  if (is_float(dtype) ? floats.empty() : ints.empty()) n.refuse("wants values to put in, of the type of x");
  if (n.failed()) return Values{ValueId::none};
  const auto count = static_cast<int64_t>(is_float(dtype) ? floats.size() : ints.size());
  const Tensor wide = is_float(dtype) ? make_tensor<double>(DType::f64, {count}, floats) : int64_tensor(ints);
  const auto values = convert(wide, dtype);
  if (!values.ok()) {
    n.refuse(values.error());
    return Values{ValueId::none};
  }
  const double real = n.float_attr("replaced_value_float", 0);
  const int64_t integer = n.wide_int_attr("replaced_value_int64", 0);
  return Values{n.pointwise({x, n.constant(*values)}, [&](const std::vector<Term>& t) {
    const Term replaced{t[0].expr, is_float(dtype) ? t[0].expr->add_real(real, dtype) : t[0].expr->add_int(integer, dtype)};
    const bool nan = is_float(dtype) && real != real;
    return where(nan ? apply(Fn::is_nan, t[0]) : apply(Fn::equal, t[0], replaced), t[1], t[0]);
  })};
}

/// By rows; rows whose divisor is zero stay.
Result<Values> import_normalizer(NodeImport& n) {
  ValueId x = n.required(0, "X");
  const DType wide = n.dtype(x) == DType::f32 ? DType::f32 : DType::f64;
  x = n.cast(x, wide);
  const std::string norm = n.string_attr("norm", "MAX");
  if (const Fact& known = n.fact(x); known.has_rank() && (known.rank() < 1 || known.rank() > 2))
    n.refuse("X must be [C] or [N, C], got {}", to_string(known.shape()));
  ops::Reduce reduce{.kind = engine::ReduceKind::max, .axes = {-1}};
  if (norm == "L1") reduce.kind = engine::ReduceKind::l1;
  if (norm == "L2") reduce.kind = engine::ReduceKind::l2;
  if (norm != "MAX" && reduce.kind == engine::ReduceKind::max) n.refuse("attribute 'norm' is '{}', wanted MAX, L1 or L2", norm);
  const ValueId divisor = n.emit(reduce, {x});
  return Values{n.pointwise({x, divisor}, [](const std::vector<Term>& t) {
    return where(apply(Fn::equal, t[1], t[1].constant(0)), t[0], t[0] / t[1]).cast(DType::f32);
  })};
}

Result<Values> import_tf_idf_vectorizer(NodeImport& n) {
  ops::TfIdf op;
  const std::string mode = n.string_attr("mode", "");
  if (mode == "IDF") op.mode = ops::TfIdfMode::idf;
  if (mode == "TFIDF") op.mode = ops::TfIdfMode::tfidf;
  if (mode != "TF" && op.mode == ops::TfIdfMode::tf) n.refuse("attribute 'mode' is '{}', wanted TF, IDF or TFIDF", mode);
  op.min_length = n.required_int("min_gram_length");
  op.max_length = n.required_int("max_gram_length");
  op.max_skip = n.required_int("max_skip_count");
  if (op.min_length < 1 || op.max_length < op.min_length || op.max_skip < 0)
    n.refuse("n-grams of {} to {} elements, {} skipped", op.min_length, op.max_length, op.max_skip);
  op.starts = n.ints_attr("ngram_counts");
  op.columns = n.ints_attr("ngram_indexes");
  op.weights = n.floats_attr("weights");
  op.pool_ints = n.ints_attr("pool_int64s");
  op.pool_strings = n.strings_attr("pool_strings");
  if (!op.weights.empty() && op.weights.size() != op.columns.size())
    n.refuse("{} weights of {} n-grams", op.weights.size(), op.columns.size());
  return Values{n.emit(op, {n.required(0, "X")})};
}

}  // namespace tenon::onnx
