// ai.onnx.preview FlexAttention: attention whose scores and probabilities pass through graphs of the model.
#include <cmath>

#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"

namespace tenon::onnx {
namespace {

/// What the graph of an attribute makes of x; x itself where the attribute is absent.
ValueId modified(NodeImport& n, std::string_view name, ValueId x) {
  const AttributeView* attribute = n.attr(name);
  if (!attribute || n.failed()) return x;
  if (!attribute->graph()) n.refuse("attribute '{}' is no graph", name);
  if (n.failed()) return x;
  const NodeImport::Captures captures = n.captures({attribute->graph()});
  const Values out = n.inline_body(*attribute->graph(), {x}, captures, captures.values);
  if (!n.failed() && out.size() != 1) n.refuse("the graph '{}' gives {} outputs, wanted one", name, out.size());
  return n.failed() ? x : n.cast(out[0], n.dtype(x));
}

}  // namespace

Result<Values> import_flex_attention(NodeImport& n) {
  const ValueId q = n.required(0, "Q"), k = n.required(1, "K"), v = n.required(2, "V");
  if (n.rank(q) != 4 || n.rank(k) != 4 || n.rank(v) != 4) n.refuse("wants Q, K and V of rank 4");
  if (n.failed()) return Values{};
  const auto heads = n.size(q, 1), kv_heads = n.size(k, 1), size = n.size(q, 3);
  if (!heads || !kv_heads || !size) n.unsupported("the heads and the head size must be known when the model is imported");
  if (n.failed()) return Values{};
  if (*kv_heads < 1 || *heads % *kv_heads != 0) n.refuse("{} heads of Q do not divide into {} of K", *heads, *kv_heads);
  const double scale = n.has_attr("scale") ? n.float_attr("scale", 1) : 1 / std::sqrt(static_cast<double>(*size));
  const DType dtype = n.dtype(q), precise = n.dtype_attr("softmax_precision", dtype == DType::f64 ? DType::f64 : DType::f32);
  // [b, kv heads, group, l, d] against [b, kv heads, 1, s, d]: each head of keys serves a group of queries.
  const int64_t group = *heads / std::max<int64_t>(*kv_heads, 1);
  const ValueId grouped = n.emit(ops::Reshape{}, {q, n.int_list({0, *kv_heads, group, -1, *size})});
  const ValueId product = n.emit(ops::MatMul{.trans_b = true}, {grouped, n.emit(ops::Unsqueeze{.axes = {2}}, {k})});
  const ValueId scaled = n.pointwise({product}, [&](const std::vector<Term>& t) { return t[0] * scale; });
  const ValueId flat = n.emit(ops::Flatten{.axis = 3}, {scaled});
  const ValueId dims = n.emit(ops::Concat{.axis = 0}, {dim_of(n, q, 0), n.int_list({*heads}), dim_of(n, q, 2), dim_of(n, k, 2)});
  const ValueId scores = n.emit(ops::Reshape{.allowzero = true}, {flat, dims});
  const ValueId probabilities = n.emit(ops::Softmax{.axis = -1}, {modified(n, "score_mod", n.cast(scores, precise))});
  const ValueId weights = modified(n, "prob_mod", probabilities);
  const ValueId regrouped =
      n.emit(ops::Concat{.axis = 0}, {dim_of(n, q, 0), n.int_list({*kv_heads, group}), dim_of(n, q, 2), dim_of(n, k, 2)});
  const ValueId apart = n.emit(ops::Reshape{.allowzero = true}, {weights, regrouped});
  const ValueId y = n.emit(ops::MatMul{}, {apart, n.emit(ops::Unsqueeze{.axes = {2}}, {n.cast(v, precise)})});
  const ValueId out_dims = n.emit(ops::Concat{.axis = 0}, {dim_of(n, q, 0), n.int_list({*heads}), dim_of(n, q, 2), dim_of(n, v, 3)});
  return Values{n.cast(n.emit(ops::Reshape{.allowzero = true}, {y, out_dims}), n.dtype(v))};
}

}  // namespace tenon::onnx
