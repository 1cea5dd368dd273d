// Attention and rotary embedding, written out: MatMul, scale, mask, softmax, MatMul, which is what recognisers look for.
#include <cmath>
#include <limits>

#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/tensor_scatter.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// [b, s, heads·d] → [b, heads, s, d].
ValueId split_heads(NodeImport& n, ValueId x, int64_t heads) {
  const ValueId parts = n.emit(ops::Reshape{}, {x, n.int_list({0, 0, heads, -1})});
  return n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {parts});
}
ValueId join_heads(NodeImport& n, ValueId x) {
  return n.emit(ops::Reshape{}, {n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {x}), n.int_list({0, 0, -1})});
}

/// Each head `times` times in a row: [b, h, s, d] → [b, h·times, s, d].
ValueId repeat_heads(NodeImport& n, ValueId x, int64_t heads, int64_t times) {
  const ValueId wide = n.emit(ops::Expand{}, {n.emit(ops::Unsqueeze{.axes = {2}}, {x}), n.int_list({1, 1, times, 1, 1})});
  const ValueId tail = n.emit(ops::ShapeOf{.start = 2}, {x}), head = n.emit(ops::ShapeOf{.start = 0, .end = 1}, {x});
  return n.emit(ops::Reshape{.allowzero = true}, {wide, n.emit(ops::Concat{.axis = 0}, {head, n.int_list({heads * times}), tail})});
}

/// A mask that ends before the last key forbids the keys behind its end.
ValueId padded_mask(NodeImport& n, ValueId mask, ValueId keys) {
  const Fact &known = n.fact(mask), &key = n.fact(keys);
  const int64_t rank = n.rank(mask);
  if (n.failed() || rank < 1 || key.rank() < 3) return mask;
  if (n.module().symbols.known_equal(known.shape()[rank - 1], key.shape()[2]) == Known::yes) return mask;
  const ValueId missing =
      n.pointwise({dim_of(n, keys, 2), dim_of(n, mask, rank - 1)}, [](const std::vector<Term>& t) { return t[0] - t[1]; });
  const ValueId pads = n.emit(ops::Concat{.axis = 0}, {n.int_list(Dims(static_cast<size_t>(2 * rank - 1), 0)), missing});
  const DType dtype = n.dtype(mask);
  const uint8_t no = 0;
  const ValueId value =
      dtype == DType::boolean ? n.constant(make_tensor<uint8_t>(dtype, {}, std::span(&no, 1))) : n.scalar(dtype, kMinusInfinity);
  return n.emit(ops::Pad{}, {mask, pads, value});
}

ValueId masked_where(NodeImport& n, ValueId scores, ValueId allowed) {
  return n.pointwise({scores, allowed}, [](const std::vector<Term>& t) { return where(t[1], t[0], t[0].constant(kMinusInfinity)); });
}

}  // namespace

Result<Values> import_attention(NodeImport& n) {
  ValueId q = n.required(0, "Q"), k = n.required(1, "K"), v = n.required(2, "V");
  const bool flat = n.rank(q) == 3;
  int64_t q_heads = n.int_attr("q_num_heads", 0), kv_heads = n.int_attr("kv_num_heads", 0);
  if (flat && (q_heads < 1 || kv_heads < 1)) n.refuse("Q of rank 3 wants the attributes q_num_heads and kv_num_heads");
  if (!flat && n.rank(q) != 4) n.refuse("Q must have rank 3 or 4, got {}", to_string(n.fact(q).shape()));
  if (n.failed()) return Values{};
  if (flat) {
    q = split_heads(n, q, q_heads);
    k = split_heads(n, k, kv_heads);
    v = split_heads(n, v, kv_heads);
  }
  const ValueId past_key = n.input(4), past_value = n.input(5);
  if (past_key != ValueId::none) k = n.emit(ops::Concat{.axis = 2}, {past_key, k});
  if (past_value != ValueId::none) v = n.emit(ops::Concat{.axis = 2}, {past_value, v});
  const ValueId present_key = k, present_value = v;
  if (n.rank(k) != 4 || n.rank(q) != 4) n.refuse("K must have the rank of Q");
  if (n.failed()) return Values{};
  const auto q_count = n.fact(q).shape()[1].constant(), kv_count = n.fact(k).shape()[1].constant();
  if (q_heads == 0) q_heads = q_count.value_or(0);
  if (kv_heads == 0) kv_heads = kv_count.value_or(0);
  if (q_heads > 0 && kv_heads > 0 && q_heads != kv_heads) {
    if (q_heads % kv_heads != 0) n.refuse("{} heads of Q do not divide into {} of K", q_heads, kv_heads);
    if (n.failed()) return Values{};
    k = repeat_heads(n, k, kv_heads, q_heads / kv_heads);
    v = repeat_heads(n, v, kv_heads, q_heads / kv_heads);
  }
  double scale = n.float_attr("scale", 0);
  if (!n.has_attr("scale")) {
    const auto head = n.fact(q).shape()[3].constant();
    if (!head) n.unsupported("the head size must be known when the model is imported, or the attribute scale given");
    scale = 1 / std::sqrt(static_cast<double>(head.value_or(1)));
  }
  const ValueId product = n.emit(ops::MatMul{.trans_b = true}, {q, k});
  ValueId scores = n.pointwise({product}, [&](const std::vector<Term>& t) { return t[0] * scale; });
  const ValueId raw = scores;
  if (const double softcap = n.float_attr("softcap", 0); softcap > 0)
    scores = n.pointwise({scores}, [&](const std::vector<Term>& t) { return apply(Fn::tanh, t[0] / softcap) * softcap; });
  const ValueId capped = scores;
  if (n.has_input(3)) {
    const ValueId mask = padded_mask(n, n.input(3), k);
    scores = n.dtype(mask) == DType::boolean
                 ? masked_where(n, scores, mask)
                 : n.pointwise({scores, mask}, [](const std::vector<Term>& t) { return t[0] + t[1].cast(t[0].type()); });
  }
  ValueId lengths = ValueId::none;  // the keys in use of each batch element, [b, 1, 1, 1]
  if (n.has_input(6)) lengths = n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {n.cast(n.input(6), DType::i64)});
  const bool causal = n.int_attr("is_causal", 0) != 0;
  const int64_t left = n.int_attr("left_window_size", -1), right = n.int_attr("right_window_size", -1);
  if (causal || left >= 0 || right >= 0) {  // query i stands at i + what lies before the first query, and sees keys around that place
    Values in{n.indices_of(q, 2, 2, 4), n.indices_of(k, 2, 3, 4)};
    if (past_key != ValueId::none) {
      in.push_back(dim_of(n, past_key, 2));
    } else if (lengths != ValueId::none) {
      in.push_back(n.pointwise({lengths, dim_of(n, q, 2)}, [](const std::vector<Term>& t) { return t[0] - t[1]; }));
    }
    const ValueId distance = n.pointwise(in, [](const std::vector<Term>& t) { return t[1] - (t.size() > 2 ? t[0] + t[2] : t[0]); });
    const double most = causal ? 0 : static_cast<double>(right);  // is_causal forbids what a right window would allow
    scores = masked_where(n, scores, n.pointwise({distance}, [&](const std::vector<Term>& t) {
      const Term near = t[0] >= static_cast<double>(-left), before = t[0] <= most;
      return left < 0 ? before : most < 0 ? near : apply(Fn::logical_and, near, before);
    }));
  }
  if (lengths != ValueId::none)
    scores =
        masked_where(n, scores, n.pointwise({n.indices_of(k, 2, 3, 4), lengths}, [](const std::vector<Term>& t) { return t[0] < t[1]; }));
  const ValueId biased = scores;
  const DType type = n.dtype(q);
  const DType precision = n.int_attr("softmax_precision", 0) != 0 ? n.dtype_attr("softmax_precision", type) : type;
  const ValueId wide = n.cast(scores, precision);
  ValueId weights = n.emit(ops::Softmax{.axis = -1}, {wide});
  if (n.has_input(3) || lengths != ValueId::none || left >= 0 || right >= 0) {  // a query that sees no key at all attends to nothing
    const ValueId most = n.emit(ops::Reduce{.kind = engine::ReduceKind::max, .axes = {-1}}, {wide});
    weights = n.pointwise({weights, most}, [](const std::vector<Term>& t) {
      return where(apply(Fn::equal, t[1], t[1].constant(kMinusInfinity)), t[0].constant(0), t[0]);
    });
  }
  weights = n.cast(weights, type);
  ValueId y = n.emit(ops::MatMul{}, {weights, n.cast(v, type)});
  if (flat) y = join_heads(n, y);
  const int64_t mode = n.int_attr("qk_matmul_output_mode", 0);
  // ONNX 1.22 put the softcap before the mask and swapped the modes 1 and 2. Mode 1 without a softcap would be mode 0 today, so it is
  // the earlier mode 1: masked.
  const bool caps = n.float_attr("softcap", 0) > 0;
  const ValueId shown = mode == 1 && caps ? capped : mode == 1 || mode == 2 ? biased : mode == 3 ? weights : raw;
  return Values{y, present_key, present_value, shown};
}

namespace {

/// x1 and x2, the halves or the even and odd elements of the rotated dims, become cos·x1 - sin·x2 and sin·x1 + cos·x2.
ValueId rotate(NodeImport& n, ValueId x, ValueId cos, ValueId sin, bool interleaved, int64_t rotary, bool heads_first) {
  const int64_t rank = n.rank(x);
  ValueId turned = x, kept = ValueId::none;
  if (rotary > 0) {
    const ValueId axis = n.int_list({rank - 1});
    turned = n.emit(ops::Slice{}, {x, n.int_list({0}), n.int_list({rotary}), axis});
    kept = n.emit(ops::Slice{}, {x, n.int_list({rotary}), n.int_list({INT64_MAX}), axis});
  }
  const ValueId shape = n.emit(ops::ShapeOf{}, {turned});
  if (interleaved) turned = n.emit(ops::Reshape{}, {turned, n.int_list({0, 0, 0, -1, 2})});
  Values halves = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {turned}, 2);
  if (interleaved)
    for (ValueId& half : halves) half = n.emit(ops::Squeeze{.axes = {{4}}}, {half});
  const int64_t axis = heads_first ? 1 : 2;
  const ValueId c = n.emit(ops::Unsqueeze{.axes = {axis}}, {cos}), s = n.emit(ops::Unsqueeze{.axes = {axis}}, {sin});
  const Values in{halves[0], halves[1], c, s};
  ValueId real = n.pointwise(in, [](const std::vector<Term>& t) { return t[2] * t[0] - t[3] * t[1]; });
  ValueId imaginary = n.pointwise(in, [](const std::vector<Term>& t) { return t[3] * t[0] + t[2] * t[1]; });
  ValueId y = ValueId::none;
  if (interleaved) {
    real = n.emit(ops::Unsqueeze{.axes = {4}}, {real});
    imaginary = n.emit(ops::Unsqueeze{.axes = {4}}, {imaginary});
    y = n.emit(ops::Reshape{}, {n.emit(ops::Concat{.axis = 4}, {real, imaginary}), shape});
  } else {
    y = n.emit(ops::Concat{.axis = -1}, {real, imaginary});
  }
  return kept == ValueId::none ? y : n.emit(ops::Concat{.axis = -1}, {y, kept});
}

Values rotary(NodeImport& n, ValueId x, ValueId cos, ValueId sin, ValueId positions) {
  const bool interleaved = n.int_attr("interleaved", 0) != 0;
  const int64_t dims = n.int_attr("rotary_embedding_dim", 0), heads = n.int_attr("num_heads", 0);
  if (positions != ValueId::none) {
    cos = n.emit(ops::Gather{}, {cos, positions});
    sin = n.emit(ops::Gather{}, {sin, positions});
  }
  if (n.rank(x) == 4) return {rotate(n, x, cos, sin, interleaved, dims, true)};
  if (heads < 1) n.refuse("an input of rank 3 wants the attribute num_heads");
  if (n.failed()) return {};
  const ValueId split = n.emit(ops::Reshape{}, {x, n.int_list({0, 0, heads, -1})});
  return {n.emit(ops::Reshape{}, {rotate(n, split, cos, sin, interleaved, dims, false), n.emit(ops::ShapeOf{}, {x})})};
}

}  // namespace

Result<Values> import_rotary_embedding(NodeImport& n) {
  return rotary(n, n.required(0, "X"), n.required(1, "cos_cache"), n.required(2, "sin_cache"), n.input(3));
}

/// com.microsoft's form of it takes the positions second.
Result<Values> import_ms_rotary_embedding(NodeImport& n) {
  ValueId positions = n.required(1, "position_ids");
  const ValueId x = n.required(0, "input");
  if (n.rank(positions) == 1) {  // one offset: the positions that follow it, for all of the batch
    const ValueId steps = n.indices_of(x, n.rank(x) == 4 ? 2 : 1, 1, 2);
    positions =
        n.pointwise({n.emit(ops::Unsqueeze{.axes = {1}}, {positions}), steps}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  }
  return rotary(n, x, n.required(2, "cos_cache"), n.required(3, "sin_cache"), positions);
}

/// com.microsoft GroupQueryAttention: keys and values go into the cache behind the past of each batch element (seqlens_k: its length
/// with the new keys, less 1), and queries see them causally.
Result<Values> import_group_query_attention(NodeImport& n) {
  const int64_t heads = n.required_int("num_heads"), kv_heads = n.required_int("kv_num_heads");
  const int64_t window = n.int_attr("local_window_size", -1);
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) n.refuse("num_heads {}, kv_num_heads {}", heads, kv_heads);
  if (!n.has_input(1)) n.unsupported("query, key and value packed into one input");
  ValueId q = n.required(0, "query"), k = n.required(1, "key"), v = n.required(2, "value");
  if (n.failed()) return Values{};
  q = split_heads(n, q, heads);
  k = split_heads(n, k, kv_heads);
  v = split_heads(n, v, kv_heads);
  // Positions of the new keys in the cache: [batch, 1] + [1, steps].
  const ValueId lengths = n.emit(ops::Reshape{}, {n.cast(n.required(5, "seqlens_k"), DType::i64), n.int_list({-1})});
  const ValueId past = n.pointwise({lengths, dim_of(n, q, 2)}, [](const std::vector<Term>& t) { return t[0] + 1 - t[1]; });
  if (n.int_attr("do_rotary", 0) != 0) {
    const ValueId positions = n.pointwise({n.emit(ops::Unsqueeze{.axes = {1}}, {past}), n.indices_of(q, 2, 1, 2)},
                                          [](const std::vector<Term>& t) { return t[0] + t[1]; });
    const bool interleaved = n.int_attr("rotary_interleaved", 0) != 0;
    const ValueId cos = n.emit(ops::Gather{}, {n.required(7, "cos_cache"), positions});
    const ValueId sin = n.emit(ops::Gather{}, {n.required(8, "sin_cache"), positions});
    q = rotate(n, q, cos, sin, interleaved, 0, true);
    k = rotate(n, k, cos, sin, interleaved, 0, true);
  }
  const auto cached = [&](ValueId fresh, size_t input) {
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
  };
  k = cached(k, 3);
  v = cached(v, 4);
  const ValueId present_key = k, present_value = v;
  if (heads != kv_heads) {
    k = repeat_heads(n, k, kv_heads, heads / kv_heads);
    v = repeat_heads(n, v, kv_heads, heads / kv_heads);
  }
  double scale = n.float_attr("scale", 0);
  if (scale == 0) {
    const auto head = n.fact(q).has_rank() ? n.fact(q).shape()[3].constant() : std::nullopt;
    if (!head) n.unsupported("the head size must be known when the model is imported, or the attribute scale given");
    scale = 1 / std::sqrt(static_cast<double>(head.value_or(1)));
  }
  ValueId scores = n.emit(ops::MatMul{.trans_b = true}, {q, k});
  const double softcap = n.float_attr("softcap", 0);
  scores = n.pointwise(
      {scores}, [&](const std::vector<Term>& t) { return softcap > 0 ? apply(Fn::tanh, t[0] * scale / softcap) * softcap : t[0] * scale; });
  const Values in{n.indices_of(q, 2, 2, 4), n.indices_of(k, 2, 3, 4), n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {past})};
  scores = masked_where(n, scores, n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term seen = t[1] <= t[0] + t[2];
    return window < 0 ? seen : apply(Fn::logical_and, seen, t[1] > t[0] + t[2] - static_cast<double>(window));
  }));
  const ValueId y = n.emit(ops::MatMul{}, {n.emit(ops::Softmax{.axis = -1}, {scores}), v});
  return Values{join_heads(n, y), present_key, present_value};
}

}  // namespace tenon::onnx
