// ONNX's attention and rotary embedding, written out: MatMul, scale, mask, softmax, MatMul, which is what recognisers look for.
#include <algorithm>

#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/split.h"

namespace tenon::onnx {

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
  const auto q_count = n.size(q, 1), kv_count = n.size(k, 1);
  if (q_heads == 0) q_heads = q_count.value_or(0);
  if (kv_heads == 0) kv_heads = kv_count.value_or(0);
  if (q_heads > 0 && kv_heads > 0 && q_heads != kv_heads) {
    if (q_heads % kv_heads != 0) n.refuse("{} heads of Q do not divide into {} of K", q_heads, kv_heads);
    if (n.failed()) return Values{};
    k = repeat_heads(n, k, kv_heads, q_heads / kv_heads);
    v = repeat_heads(n, v, kv_heads, q_heads / kv_heads);
  }
  ValueId scores = scores_of_heads(n, q, k);
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
  const int64_t left = n.wide_int_attr("left_window_size", -1), right = n.wide_int_attr("right_window_size", -1);
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
      const Term near = t[0] >= -static_cast<double>(left), before = t[0] <= most;
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

Values rotary(NodeImport& n, ValueId x, ValueId cos, ValueId sin, ValueId positions) {
  const bool interleaved = n.int_attr("interleaved", 0) != 0;
  const int64_t dims = n.int_attr("rotary_embedding_dim", 0), heads = n.int_attr("num_heads", 0);
  if (positions != ValueId::none) {
    cos = n.emit(ops::Gather{}, {cos, positions});
    sin = n.emit(ops::Gather{}, {sin, positions});
  }
  if (n.rank(x) == 4) return {rotate(n, x, cos, sin, interleaved, dims, true)};
  const auto half = dims == 0 ? n.size(cos, -1) : std::nullopt;
  if (heads < 1 && !half) n.refuse("an input of rank 3 wants the attribute num_heads");
  if (n.failed()) return {};
  const ValueId split = n.emit(ops::Reshape{}, {x, n.int_list(heads < 1 ? Dims{0, 0, -1, 2 * *half} : Dims{0, 0, heads, -1})});
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

/// Three streams of positions [3, b, s]; each turns its sections of the pairs: mrope_layout 0 has the sections one behind the other, 1
/// takes from the second and third stream every third pair, as far as their sections reach.
Result<Values> import_m_rotary_embedding(NodeImport& n) {
  const Dims sections = n.ints_attr("mrope_section");
  const ValueId positions = n.required(1, "position_ids");
  constexpr int64_t kMostPairs = 1 << 16;
  if (sections.size() != 3 || std::ranges::any_of(sections, [](int64_t count) { return count < 0 || count > kMostPairs; }))
    n.refuse("mrope_section must be three numbers up to {}", kMostPairs);
  if (n.failed()) return Values{};
  Dims stream;  // of each pair
  const int64_t layout = n.int_attr("mrope_layout", 0), pairs = sections[0] + sections[1] + sections[2];
  for (int64_t i = 0; i < pairs; ++i) {
    const int64_t chunk = i < sections[0] ? 0 : i < sections[0] + sections[1] ? 1 : 2;
    const int64_t turn = i % 3;
    stream.push_back(layout == 0 ? chunk : turn > 0 && i < 3 * sections[static_cast<size_t>(turn)] ? turn : 0);
  }
  const ValueId streams = n.int_list(stream);
  const Values each = n.emit(ops::Split{.axis = 0, .num_outputs = 3}, {positions}, 3);
  const auto table = [&](ValueId cache) {
    Values in{streams};
    for (const ValueId one : each) in.push_back(n.emit(ops::Gather{}, {cache, n.emit(ops::Squeeze{.axes = {{0}}}, {one})}));
    return n.pointwise(in, [](const std::vector<Term>& t) {
      return where(apply(Fn::equal, t[0], t[0].constant(0)), t[1], where(apply(Fn::equal, t[0], t[0].constant(1)), t[2], t[3]));
    });
  };
  return rotary(n, n.required(0, "input"), table(n.required(2, "cos_cache")), table(n.required(3, "sin_cache")), ValueId::none);
}

}  // namespace tenon::onnx
