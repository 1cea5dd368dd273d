// com.microsoft's biases of attention that depend on positions.
#include <cmath>

#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/range.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace tenon::onnx {

/// rel_pos times a gate of each query: with (u, v) the sums of the two halves of q · weight + bias, sigmoid(u) · (sigmoid(v) · eco_a - 1)
/// + 2.
Result<Values> import_gated_relative_position_bias(NodeImport& n) {
  const int64_t heads = n.required_int("num_heads");
  if (heads < 1) n.refuse("num_heads {}", heads);
  if (n.has_input(6)) n.unsupported("token_offset, queries without padding");
  if (n.failed()) return Values{};
  const ValueId flat =
      n.pointwise({n.required(0, "query_layer"), n.required(1, "query_bias")}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  const ValueId q = split_heads(n, flat, heads);
  const ValueId product = n.emit(ops::MatMul{}, {q, n.required(3, "weight")});
  const ValueId gates = n.pointwise({product, n.required(4, "bias")}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  Values halves = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {gates}, 2);
  for (ValueId& half : halves) half = n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .axes = {-1}}, {half});
  return Values{n.pointwise({halves[0], halves[1], n.required(5, "eco_a"), n.required(2, "rel_pos")}, [](const std::vector<Term>& t) {
    const Term u = apply(Fn::sigmoid, t[0]), v = apply(Fn::sigmoid, t[1]);
    return (u * (v * t[2] - 1) + 2) * t[3];
  })};
}

/// T5's: distances fall into buckets, single ones near by and ever wider ones up to max_distance; a table [buckets, heads] has their
/// biases.
Result<Values> import_relative_position_bias(NodeImport& n) {
  const ValueId table = n.required(0, "bias_table");
  const bool both = n.int_attr("is_bidirectional", 0) != 0;
  const auto farthest = static_cast<double>(n.required_int("max_distance"));
  const auto rows = n.rank(table) == 2 ? n.size(table, 0) : std::nullopt;
  if (!rows) n.unsupported("the number of buckets must be known when the model is imported");
  if (n.failed()) return Values{};
  const int64_t buckets = both ? *rows / 2 : *rows, exact = buckets / 2;
  if (exact < 1 || farthest <= static_cast<double>(exact)) n.refuse("{} buckets for distances up to {}", *rows, farthest);
  const auto number = [&](int64_t value) { return n.constant(make_tensor<int64_t>(DType::i64, {}, std::span(&value, 1))); };
  const auto steps = [&](size_t input, int64_t other) {
    const ValueId length = n.emit(ops::Reshape{}, {n.cast(n.required(input, "a length"), DType::i64), n.int_list({})});
    return n.emit(ops::Unsqueeze{.axes = {other}}, {n.emit(ops::Range{}, {number(0), length, number(1)})});
  };
  const double scale = static_cast<double>(buckets - exact) / std::log(farthest / static_cast<double>(exact));
  const ValueId bucket = n.pointwise({steps(1, 1), steps(2, 0)}, [&](const std::vector<Term>& t) {
    const Term relative = t[1] - t[0], zero = relative.constant(0);
    const Term distance = both ? apply(Fn::abs, relative) : max(-relative, zero);
    const Term far = apply(Fn::log, max(distance, distance.constant(1)).cast(DType::f32) / static_cast<double>(exact)) * scale;
    const Term wide = min(far.cast(DType::i64) + static_cast<double>(exact), zero.constant(static_cast<double>(buckets - 1)));
    const Term mine = where(distance < static_cast<double>(exact), distance, wide);
    return both ? mine + where(relative > 0, zero.constant(static_cast<double>(buckets)), zero) : mine;
  });
  const ValueId by_pair = n.emit(ops::Gather{}, {table, bucket});
  return Values{n.emit(ops::Unsqueeze{.axes = {0}}, {n.emit(ops::Transpose{.perm = {2, 0, 1}}, {by_pair})})};
}

}  // namespace tenon::onnx
