// com.microsoft Attention and QAttention: one input, whose product with the packed weights is q, k and v.
#include "onnx/import_attention.h"
#include "onnx/import_quant.h"
#include "ops/concat.h"
#include "ops/mat_mul.h"
#include "ops/reshape.h"
#include "ops/split.h"

namespace tenon::onnx {
namespace {

/// What Attention and QAttention do with the product of the input and the packed weights, [b, s, q + k + v].
Values packed_attention(NodeImport& n, ValueId product, size_t mask, size_t past, size_t bias, size_t past_length) {
  const int64_t heads = n.required_int("num_heads");
  if (heads < 1) n.refuse("num_heads {}", heads);
  if (n.int_attr("do_rotary", 0) != 0) n.unsupported("do_rotary; fuse the model to MultiHeadAttention and RotaryEmbedding");
  const Dims sizes = n.ints_attr("qkv_hidden_sizes");
  if (!sizes.empty() && sizes.size() != 3) n.refuse("qkv_hidden_sizes has {} numbers, wanted 3", sizes.size());
  if (n.failed()) return {};
  Values parts = sizes.empty() ? n.emit(ops::Split{.axis = -1, .num_outputs = 3}, {product}, 3)
                               : n.emit(ops::Split{.axis = -1}, {product, n.int_list(sizes)}, 3);
  for (ValueId& part : parts) part = split_heads(n, part, heads);
  HeadsOfAttention a{.q = parts[0], .k = parts[1], .v = parts[2], .causal = n.int_attr("unidirectional", 0) != 0};
  ValueId present_key = a.k, present_value = a.v;
  if (n.has_input(past)) {
    const Values both = n.emit(ops::Split{.axis = 0, .num_outputs = 2}, {n.input(past)}, 2);
    const ValueId key = n.emit(ops::Squeeze{.axes = {{0}}}, {both[0]}), value = n.emit(ops::Squeeze{.axes = {{0}}}, {both[1]});
    if (n.int_attr("past_present_share_buffer", 0) != 0) {
      const ValueId length = n.required(past_length, "past_sequence_length");
      const SharedCache keys = write_shared(n, key, a.k, length), values = write_shared(n, value, a.v, length);
      a.k = keys.used;
      a.v = values.used;
      present_key = keys.whole;
      present_value = values.whole;
    } else {
      present_key = a.k = n.emit(ops::Concat{.axis = 2}, {key, a.k});
      present_value = a.v = n.emit(ops::Concat{.axis = 2}, {value, a.v});
    }
  }
  a.mask = attention_mask(n, mask, a.q, a.k);
  if (n.has_input(bias)) a.bias = n.input(bias);
  Values out{attend(n, a)[0]};
  if (n.has_output(1)) {
    const ValueId key = n.emit(ops::Unsqueeze{.axes = {0}}, {present_key}), value = n.emit(ops::Unsqueeze{.axes = {0}}, {present_value});
    out.push_back(n.emit(ops::Concat{.axis = 0}, {key, value}));
  }
  return out;
}

}  // namespace

Result<Values> import_ms_attention(NodeImport& n) {
  ValueId product = n.emit(ops::MatMul{}, {n.required(0, "input"), n.required(1, "weights")});
  if (n.has_input(2)) product = n.pointwise({product, n.input(2)}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  return packed_attention(n, product, 3, 4, 5, 6);
}

Result<Values> import_q_attention(NodeImport& n) {
  const ValueId product = integer_product(n, n.required(0, "input"), n.required(3, "input_scale"), n.input(6), n.required(1, "weight"),
                                          n.required(4, "weight_scale"), n.input(7));
  const ValueId biased =
      n.pointwise({product, n.required(2, "bias")}, [](const std::vector<Term>& t) { return t[0].cast(t[1].type()) + t[1]; });
  constexpr size_t kAbsent = 99;
  return packed_attention(n, biased, 5, 8, kAbsent, kAbsent);
}

}  // namespace tenon::onnx
