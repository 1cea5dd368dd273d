// com.microsoft GroupQueryAttention: keys and values go into the cache behind the past of each batch element (seqlens_k: its length with
// the new keys, less 1), and queries see them causally.
#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/tensor_scatter.h"

namespace tenon::onnx {
namespace {

struct GroupedHeads {
  ValueId q = ValueId::none, k = ValueId::none, v = ValueId::none;
};

GroupedHeads grouped_heads(NodeImport& n, int64_t heads, int64_t kv_heads) {
  const ValueId query = n.required(0, "query");
  if (n.has_input(1))
    return {split_heads(n, query, heads), split_heads(n, n.input(1), kv_heads), split_heads(n, n.required(2, "value"), kv_heads)};
  const ValueId packed = split_heads(n, query, heads + 2 * kv_heads);
  const Values parts = n.emit(ops::Split{.axis = 1}, {packed, n.int_list({heads, kv_heads, kv_heads})}, 3);
  return {parts[0], parts[1], parts[2]};
}

ValueId normalized_heads(NodeImport& n, ValueId x, size_t weight, std::string_view epsilon) {
  if (!n.has_input(weight)) return x;
  const double common = n.float_attr("qk_norm_epsilon", 1e-6f);
  return n.emit(ops::LayerNorm{.axis = -1, .epsilon = n.float_attr(epsilon, common), .rms = true}, {x, n.input(weight)});
}

/// The cache with the new keys or values behind the past.
ValueId group_cache(NodeImport& n, ValueId fresh, size_t input, ValueId past) {
  if (!n.has_input(input)) return fresh;
  const ValueId cache = n.input(input);  // grows to the total length where it is shorter
  const ValueId total = n.emit(ops::Reshape{}, {n.cast(n.required(6, "total_sequence_length"), DType::i64), n.int_list({1})});
  const ValueId missing =
      n.pointwise({total, dim_of(n, cache, 2)}, [](const std::vector<Term>& t) { return max(t[0] - t[1], t[0].constant(0)); });
  const ValueId pads = n.emit(ops::Concat{.axis = 0}, {n.int_list({0}), missing});
  const ValueId room = n.emit(ops::Pad{}, {cache, pads, ValueId::none, n.int_list({2})});
  // What lies behind the past is no part of it.
  const ValueId clean = n.pointwise({room, n.indices_of(room, 2, 2, 4), n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {past})},
                                    [](const std::vector<Term>& t) { return where(t[1] < t[2], t[0], t[0].constant(0)); });
  return n.emit(ops::TensorScatter{.axis = 2}, {clean, fresh, past});
}

/// Softmax whose denominator has one more term: exp of the head's sink, or of 0.
ValueId softmax_with_sink(NodeImport& n, ValueId scores, int64_t heads) {
  if (!n.has_input(11) && n.int_attr("smooth_softmax", 0) == 0) return n.emit(ops::Softmax{.axis = -1}, {scores});
  ValueId sink = n.scalar(n.dtype(scores), 0);
  if (n.has_input(11)) sink = n.emit(ops::Reshape{}, {n.input(11), n.int_list({1, heads, 1, 1})});
  const ValueId rows = n.emit(ops::Concat{.axis = 0}, {n.emit(ops::ShapeOf{.start = 0, .end = 3}, {scores}), n.int_list({1})});
  const ValueId column = n.emit(ops::Expand{}, {sink, rows});
  const ValueId weights = n.emit(ops::Softmax{.axis = -1}, {n.emit(ops::Concat{.axis = 3}, {scores, column})});
  return n.emit(ops::Slice{}, {weights, n.int_list({0}), n.int_list({-1}), n.int_list({3})});
}

void refuse_unknown_forms(NodeImport& n, int64_t heads, int64_t kv_heads) {
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) n.refuse("num_heads {}, kv_num_heads {}", heads, kv_heads);
  if (n.has_input(12) || n.has_input(13) || n.string_attr("k_quant_type", "NONE") != "NONE" || n.int_attr("kv_cache_bit_width", 0) != 0)
    n.unsupported("a quantised cache; export the model with a cache of the type of its activations");
  if (n.has_input(16)) n.unsupported("query_seqlens, queries of different lengths in one batch");
  if (n.int_attr("sliding_window_cache", 0) != 0) n.unsupported("a cache of the window's size");
}

}  // namespace

Result<Values> import_group_query_attention(NodeImport& n) {
  const int64_t heads = n.required_int("num_heads"), kv_heads = n.required_int("kv_num_heads");
  const int64_t window = n.wide_int_attr("local_window_size", -1);
  const bool causal = n.int_attr("causal", 1) != 0;
  refuse_unknown_forms(n, heads, kv_heads);
  if (n.failed()) return Values{};
  auto [q, k, v] = grouped_heads(n, heads, kv_heads);
  q = normalized_heads(n, q, 14, "q_norm_epsilon");
  k = normalized_heads(n, k, 15, "k_norm_epsilon");
  // Positions of the new keys in the cache: [batch, 1] + [1, steps]. A padded prompt is longer than seqlens_k says.
  const ValueId lengths = n.emit(ops::Reshape{}, {n.cast(n.required(5, "seqlens_k"), DType::i64), n.int_list({-1})});
  const ValueId past =
      n.pointwise({lengths, dim_of(n, q, 2)}, [](const std::vector<Term>& t) { return max(t[0] + 1 - t[1], t[0].constant(0)); });
  if (n.int_attr("do_rotary", 0) != 0) {
    ValueId positions = n.input(9);
    if (positions == ValueId::none)
      positions = n.pointwise({n.emit(ops::Unsqueeze{.axes = {1}}, {past}), n.indices_of(q, 2, 1, 2)},
                              [](const std::vector<Term>& t) { return t[0] + t[1]; });
    const bool interleaved = n.int_attr("rotary_interleaved", 0) != 0;
    const ValueId cos = n.emit(ops::Gather{}, {n.required(7, "cos_cache"), positions});
    const ValueId sin = n.emit(ops::Gather{}, {n.required(8, "sin_cache"), positions});
    const auto half = n.size(cos, -1);
    const auto head = n.size(q, 3);
    const int64_t rotated = half && (!head || 2 * *half < *head) ? 2 * *half : 0;
    q = rotate(n, q, cos, sin, interleaved, rotated, true);
    k = rotate(n, k, cos, sin, interleaved, rotated, true);
  }
  k = group_cache(n, k, 3, past);
  v = group_cache(n, v, 4, past);
  const ValueId present_key = k, present_value = v;
  for (const ValueId present : {k, v}) n.keep_open(present);  // exporters state the size of one step
  if (heads != kv_heads) {
    k = repeat_heads(n, k, kv_heads, heads / kv_heads);
    v = repeat_heads(n, v, kv_heads, heads / kv_heads);
  }
  ValueId scores = scores_of_heads(n, q, k);
  if (const double softcap = n.float_attr("softcap", 0); softcap > 0)
    scores = n.pointwise({scores}, [&](const std::vector<Term>& t) { return apply(Fn::tanh, t[0] / softcap) * softcap; });
  if (n.has_input(10))
    scores = n.pointwise({scores, padded_mask(n, n.input(10), k)}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  const Values in{n.indices_of(q, 2, 2, 4), n.indices_of(k, 2, 3, 4), n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {past}),
                  n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {lengths})};
  const ValueId seen = n.pointwise(in, [&](const std::vector<Term>& t) {
    if (!causal) return t[1] <= t[3];
    // A window may end before the padding of a prompt begins; queries there see some key all the same, so that nothing becomes NaN.
    if (window > 0) return apply(Fn::logical_and, t[1] <= t[0] + t[2], t[1] > t[0] + t[2] - static_cast<double>(window));
    return apply(Fn::logical_and, t[1] <= t[0] + t[2], t[1] <= t[3]);
  });
  const ValueId masked = masked_where(n, scores, seen);
  const ValueId weights = softmax_with_sink(n, masked, heads);
  const ValueId y = n.emit(ops::MatMul{}, {weights, v});
  Values out{join_heads(n, y), present_key, present_value};
  if (const int64_t shown = n.int_attr("qk_output", 0); shown != 0 && n.has_output(3)) {
    const ValueId zeroed =
        shown == 2 ? weights : n.pointwise({scores, seen}, [](const std::vector<Term>& t) { return where(t[1], t[0], t[0].constant(0)); });
    const ValueId total = n.emit(ops::Reshape{}, {n.cast(n.required(6, "total_sequence_length"), DType::i64), n.int_list({1})});
    out.push_back(n.emit(ops::Slice{}, {zeroed, n.int_list({0}), total, n.int_list({3})}));
  }
  return out;
}

}  // namespace tenon::onnx
