// com.microsoft MultiHeadAttention and DecoderMaskedMultiHeadAttention.
#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// [b, heads, s, d] with a vector [heads·d], or a part of a longer one, added.
ValueId with_head_bias(NodeImport& n, ValueId x, ValueId bias, int64_t heads) {
  if (bias == ValueId::none) return x;
  const ValueId rows = n.emit(ops::Unsqueeze{.axes = {1}}, {n.emit(ops::Reshape{}, {bias, n.int_list({heads, -1})})});
  return n.pointwise({x, rows}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
}

/// Beams: row r of the cache is made of the rows of its batch element that cache_indirection [batch, beams, max] names for each key.
ValueId beams_of(NodeImport& n, ValueId cache, ValueId width, ValueId indirection) {
  const ValueId beams = n.emit(ops::Reshape{}, {n.cast(width, DType::i64), n.int_list({1})});
  const ValueId tail = n.emit(ops::Concat{.axis = 0}, {n.int_list({-1}), dim_of(n, cache, 2)});
  const ValueId sources = n.emit(ops::Reshape{}, {indirection, tail});
  const ValueId rows = n.pointwise({sources, n.indices_of(cache, 0, 0, 2), beams},
                                   [](const std::vector<Term>& t) { return t[1] / t[2] * t[2] + t[0].cast(DType::i64); });
  const ValueId keys = n.emit(ops::Expand{}, {n.indices_of(cache, 2, 1, 2), n.emit(ops::ShapeOf{}, {rows})});
  const ValueId pairs =
      n.emit(ops::Concat{.axis = 2}, {n.emit(ops::Unsqueeze{.axes = {2}}, {rows}), n.emit(ops::Unsqueeze{.axes = {2}}, {keys})});
  const ValueId by_key = n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {cache});
  return n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {n.emit(ops::GatherND{}, {by_key, pairs})});
}

/// query, key and value of MultiHeadAttention in their layouts: apart [b, s, heads·d], key and value with heads in front
/// [b, heads, s, d] (of cross attention: `ready`), key and value in one [b, s, heads, 2, d], all in one [b, s, heads, 3, d].
struct QueryKeyValue {
  ValueId q = ValueId::none, k = ValueId::none, v = ValueId::none;
  bool ready = false;
};
QueryKeyValue query_key_value(NodeImport& n, int64_t heads) {
  const ValueId query = n.required(0, "query");
  const auto unpacked = [&](ValueId packed, size_t count) {
    Values parts = n.emit(ops::Split{.axis = 3, .num_outputs = static_cast<int64_t>(count)}, {packed}, count);
    for (ValueId& part : parts) part = n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {n.emit(ops::Squeeze{.axes = {{3}}}, {part})});
    return parts;
  };
  if (n.rank(query) == 5) {
    const Values parts = unpacked(query, 3);
    return {parts[0], parts[1], parts[2]};
  }
  QueryKeyValue out{.q = split_heads(n, query, heads)};
  const ValueId key = n.input(1);
  if (key == ValueId::none) n.unsupported("query, key and value packed into an input of rank 3");
  if (n.failed()) return out;
  if (n.rank(key) == 5) {
    const Values parts = unpacked(key, 2);
    out.k = parts[0];
    out.v = parts[1];
    return out;
  }
  out.ready = n.rank(key) == 4;
  out.k = out.ready ? key : split_heads(n, key, heads);
  out.v = out.ready ? n.required(2, "value") : split_heads(n, n.required(2, "value"), heads);
  return out;
}

/// [q + k + v] in parts; q and k have the same size.
void add_biases(NodeImport& n, QueryKeyValue& x, ValueId bias, int64_t heads) {
  if (bias == ValueId::none) return;
  const ValueId size = n.pointwise({dim_of(n, x.q, 3)}, [&](const std::vector<Term>& t) { return t[0] * static_cast<double>(heads); });
  const ValueId twice = n.pointwise({size}, [](const std::vector<Term>& t) { return t[0] * 2; });
  const ValueId axis = n.int_list({0}), end = n.int_list({INT64_MAX});
  x.q = with_head_bias(n, x.q, n.emit(ops::Slice{}, {bias, axis, size, axis}), heads);
  if (x.ready) return;
  x.k = with_head_bias(n, x.k, n.emit(ops::Slice{}, {bias, size, twice, axis}), heads);
  x.v = with_head_bias(n, x.v, n.emit(ops::Slice{}, {bias, twice, end, axis}), heads);
}

/// Where the two operators have their inputs.
struct PlacesOfInputs {
  size_t mask, bias_of_scores, past_key, past_length, beam_width, indirection, bias;
};
Values heads_attention(NodeImport& n, const PlacesOfInputs& at, bool shares) {
  const int64_t heads = n.required_int("num_heads");
  if (heads < 1) n.refuse("num_heads {}", heads);
  if (n.failed()) return {};
  QueryKeyValue x = query_key_value(n, heads);
  add_biases(n, x, n.input(at.bias), heads);
  if (n.failed()) return {};
  HeadsOfAttention a{.q = x.q, .k = x.k, .v = x.v, .causal = n.int_attr("unidirectional", 0) != 0};
  ValueId present_key = a.k, present_value = a.v;
  if (n.has_input(at.past_key) && !x.ready) {
    ValueId key = n.input(at.past_key), value = n.required(at.past_key + 1, "past_value");
    if (shares) {
      const ValueId length = n.required(at.past_length, "past_sequence_length");
      present_key = write_shared(n, key, a.k, length).whole;
      present_value = write_shared(n, value, a.v, length).whole;
      if (n.has_input(at.indirection)) {
        const ValueId width = n.required(at.beam_width, "beam_width"), rows = n.input(at.indirection);
        key = beams_of(n, key, width, rows);
        value = beams_of(n, value, width, rows);
      }
      a.k = write_shared(n, key, a.k, length).used;
      a.v = write_shared(n, value, a.v, length).used;
    } else {
      if (n.has_input(at.indirection)) n.unsupported("cache_indirection without past_present_share_buffer");
      present_key = a.k = n.emit(ops::Concat{.axis = 2}, {key, a.k});
      present_value = a.v = n.emit(ops::Concat{.axis = 2}, {value, a.v});
    }
  }
  a.mask = attention_mask(n, at.mask, a.q, a.k);
  a.bias = n.input(at.bias_of_scores);
  const Values y = attend(n, a);
  return {y[0], present_key, present_value, y[1]};
}

}  // namespace

Result<Values> import_multi_head_attention(NodeImport& n) {
  return heads_attention(
      n, {.mask = 4, .bias_of_scores = 5, .past_key = 6, .past_length = 8, .beam_width = 99, .indirection = 9, .bias = 3}, n.has_input(8));
}
Result<Values> import_decoder_masked_attention(NodeImport& n) {
  return heads_attention(n,
                         {.mask = 3, .bias_of_scores = 4, .past_key = 5, .past_length = 7, .beam_width = 8, .indirection = 9, .bias = 10},
                         n.int_attr("past_present_share_buffer", 0) != 0);
}

}  // namespace tenon::onnx
