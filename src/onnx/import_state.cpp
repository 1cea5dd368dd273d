// Layers that carry a state from token to token.
#include <cmath>

#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/constant_of_shape.h"
#include "ops/conv.h"
#include "ops/expand.h"
#include "ops/mat_mul.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/scan.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// [batch, time, heads·d] → [time, batch, heads, d, 1], FP32: what a step of the scan takes.
ValueId columns(NodeImport& n, ValueId x, int64_t heads) {
  const ValueId parts = n.emit(ops::Reshape{}, {n.cast(x, DType::f32), n.int_list({0, 0, heads, -1, 1})});
  return n.emit(ops::Transpose{.perm = {1, 0, 2, 3, 4}}, {parts});
}

/// f32 zeros [batch, heads, d_k, d_v].
ValueId no_state(NodeImport& n, ValueId query, int64_t heads, int64_t key_size, ValueId value) {
  const ValueId width = n.pointwise({dim_of(n, value, 2)}, [&](const std::vector<Term>& t) { return t[0] / static_cast<double>(heads); });
  const ValueId dims = n.emit(ops::Concat{.axis = 0}, {dim_of(n, query, 0), n.int_list({heads, key_size}), width});
  return n.emit(ops::ConstantOfShape{}, {dims, n.constant(filled(n, DType::f32, {1}, 0))});
}

enum class UpdateRule : uint8_t { linear, gated, delta, gated_delta };
constexpr auto enum_names(UpdateRule) { return std::array<std::string_view, 4>{"linear", "gated", "delta", "gated_delta"}; }

}  // namespace

/// S ← exp(decay) S + k (beta (v - (exp(decay) S)ᵀ k))ᵀ, y = scale Sᵀ q, token by token (ONNX LinearAttention-27). Sums are FP32.
Result<Values> import_linear_attention(NodeImport& n) {
  const ValueId query = n.required(0, "query"), key = n.required(1, "key"), value = n.required(2, "value");
  const int64_t q_heads = n.required_int("q_num_heads"), heads = n.required_int("kv_num_heads");
  const auto rule = n.enum_attr("update_rule", UpdateRule::gated_delta);
  const bool gated = rule == UpdateRule::gated || rule == UpdateRule::gated_delta;
  const bool corrected = rule == UpdateRule::delta || rule == UpdateRule::gated_delta;
  if (heads < 1 || q_heads < 1 || q_heads % heads != 0) n.refuse("{} query heads do not divide into {}", q_heads, heads);
  if (gated != n.has_input(4)) n.refuse("this update_rule {} decay", gated ? "wants the input" : "takes no");
  if (corrected != n.has_input(5)) n.refuse("this update_rule {} beta", corrected ? "wants the input" : "takes no");
  if (n.rank(query) != 3 || n.rank(key) != 3 || n.rank(value) != 3) n.refuse("wants query, key and value of rank 3");
  if (n.failed()) return Values{};
  const auto width = n.size(query, 2);
  if (!width || *width % q_heads != 0) n.refuse("the last dim of query must be known and a multiple of q_num_heads");
  if (n.failed()) return Values{};
  const int64_t group = q_heads / heads, key_size = *width / q_heads;
  double scale = n.float_attr("scale", 0);
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(key_size));

  const DType dtype = n.dtype(query), state_dtype = n.has_input(3) ? n.dtype(n.input(3)) : dtype;
  const ValueId state = n.has_input(3) ? n.cast(n.input(3), DType::f32) : no_state(n, query, heads, key_size, value);
  // The query as [time, batch, heads, group, d_k]: each head of keys serves a group of it.
  const ValueId grouped = n.emit(ops::Reshape{}, {n.cast(query, DType::f32), n.int_list({0, 0, heads, group, -1})});
  Values scanned{n.emit(ops::Transpose{.perm = {1, 0, 2, 3, 4}}, {grouped}), columns(n, key, heads), columns(n, value, heads)};
  if (gated) {  // one decay per head, or one per key dim
    const auto decays = n.rank(n.input(4)) == 3 ? n.size(n.input(4), 2) : std::nullopt;
    if (!decays || (*decays != heads && *decays != heads * key_size))
      n.refuse("decay wants a last dim of {} or {}", heads, heads * key_size);
    scanned.push_back(columns(n, n.input(4), heads));
  }
  if (corrected) {
    const auto betas = n.rank(n.input(5)) == 3 ? n.size(n.input(5), 2) : std::nullopt;
    if (!betas || (*betas != heads && *betas != 1)) n.refuse("beta wants a last dim of {} or 1", heads);
    if (!n.failed()) scanned.push_back(columns(n, n.input(5), *betas));
  }
  if (n.failed()) return Values{};
  Facts formals{n.fact(state)};
  for (const ValueId one : scanned) {
    Shape slice = n.fact(one).shape();
    slice.dims().erase(slice.dims().begin());
    formals.emplace_back(DType::f32, std::move(slice));
  }
  const GraphId region = n.write_region("linear_attention", formals, [&](NodeImport& step, const Values& in) {
    const ValueId q = in[1], k = in[2], v = in[3];
    ValueId s = in[0], update = v;  // s: [batch, heads, d_k, d_v], k: [.., d_k, 1], v: [.., d_v, 1]
    if (gated) s = step.pointwise({s, in[4]}, [](const std::vector<Term>& t) { return t[0] * apply(Fn::exp, t[1]); });
    if (corrected) {
      const ValueId held = step.emit(ops::MatMul{.trans_a = true}, {s, k});
      update = step.pointwise({in.back(), v, held}, [](const std::vector<Term>& t) { return t[0] * (t[1] - t[2]); });
    }
    const ValueId outer = step.emit(ops::MatMul{.trans_b = true}, {k, update});
    s = step.pointwise({s, outer}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
    const ValueId read = step.emit(ops::MatMul{}, {q, s});  // [batch, heads, group, d_v]
    return Values{s, step.pointwise({read}, [&](const std::vector<Term>& t) { return t[0] * scale; })};
  });
  if (n.failed()) return Values{};
  Values in{state};
  in.insert(in.end(), scanned.begin(), scanned.end());
  const ops::Scan scan{.num_scan_inputs = static_cast<int64_t>(scanned.size())};
  const Values out = n.emit_op(ops::make_op(scan), std::move(in), {region}, 2);
  if (n.failed()) return Values{};
  const ValueId read = n.emit(ops::Transpose{.perm = {1, 0, 2, 3, 4}}, {out[1]});
  const ValueId flat = n.emit(
      ops::Reshape{.allowzero = true},
      {read, n.emit(ops::Concat{.axis = 0},
                    {dim_of(n, query, 0), dim_of(n, query, 1),
                     n.pointwise({dim_of(n, value, 2)}, [&](const std::vector<Term>& t) { return t[0] * static_cast<double>(group); })})});
  return Values{n.cast(flat, dtype), n.cast(out[0], state_dtype)};
}

/// A depthwise convolution over the state and the input one after the other (ONNX CausalConvWithState-27).
Result<Values> import_causal_conv_with_state(NodeImport& n) {
  const ValueId x = n.required(0, "input"), weight = n.required(1, "weight");
  const std::string activation = n.string_attr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    n.refuse("attribute 'activation' is '{}', wanted none, silu or swish", activation);
  if (n.rank(x) != 3 || n.rank(weight) != 3) n.refuse("wants input and weight of rank 3");
  if (n.failed()) return Values{};
  const auto channels = n.size(weight, 0), taps = n.size(weight, 2);
  if (!channels || !taps || *taps < 1) n.unsupported("the shape of weight must be known when the model is imported");
  if (n.failed()) return Values{};
  const ValueId whole =
      n.has_input(3) ? n.emit(ops::Concat{.axis = 2}, {n.input(3), x}) : n.emit(ops::Pad{}, {x, n.int_list({0, 0, *taps - 1, 0, 0, 0})});
  Values in{whole, weight};
  if (n.has_input(2)) in.push_back(n.input(2));
  ValueId y = n.emit(ops::Conv{.groups = *channels}, in);
  if (activation != "none") {
    const DType dtype = n.dtype(y);
    y = n.pointwise({y}, [&](const std::vector<Term>& t) {
      const Term wide = t[0].cast(dtype == DType::f64 ? DType::f64 : DType::f32);
      return (wide * apply(Fn::sigmoid, wide)).cast(dtype);
    });
  }
  const ValueId start = dim_of(n, x, 2);  // of k - 1 + length elements, the last k - 1
  const ValueId state = n.emit(ops::Slice{}, {whole, start, n.int_list({INT64_MAX}), n.int_list({2})});
  return Values{y, state};
}

}  // namespace tenon::onnx
