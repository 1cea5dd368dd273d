// com.microsoft MoE and QMoE: every expert computes every row, and a row takes the sum of those that its router chose.
#include <cmath>
#include <numbers>

#include "onnx/import_attrs.h"
#include "onnx/import_quant.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/scatter.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/top_k.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// One layer of all experts: weights [experts, out, in], bias [experts, out] or none.
struct ExpertLayer {
  ValueId weights = ValueId::none, bias = ValueId::none;
};

ValueId expert_layer(NodeImport& n, ValueId x, const ExpertLayer& layer) {
  const ValueId y = n.emit(ops::MatMul{.trans_b = true}, {x, layer.weights});
  if (layer.bias == ValueId::none) return y;
  return n.pointwise({y, n.emit(ops::Unsqueeze{.axes = {1}}, {layer.bias})}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
}

/// gate · sigmoid(alpha · gate) · (linear + beta), both limited; gate and linear take turns in the last dim, or each has a half of it.
ValueId swiglu(NodeImport& n, ValueId gate, ValueId linear) {
  const double alpha = n.float_attr("activation_alpha", 1), beta = n.float_attr("activation_beta", 0),
               limit = n.float_attr("swiglu_limit", 0);
  if (n.int_attr("swiglu_limit_after_activation", 0) != 0) n.unsupported("swiglu_limit_after_activation");
  return n.pointwise({gate, linear}, [&](const std::vector<Term>& t) {
    Term g = t[0], l = t[1];
    if (limit > 0) {
      g = min(g, g.constant(limit));
      l = max(min(l, l.constant(limit)), l.constant(-limit));
    }
    return g * apply(Fn::sigmoid, g * alpha) * (l + beta);
  });
}

ValueId expert_activation(NodeImport& n, ValueId x, const ExpertLayer& first, const ExpertLayer& third) {
  const std::string name = n.string_attr("activation_type", "relu");
  const int64_t fusion = n.int_attr("swiglu_fusion", 0);
  const ValueId h = expert_layer(n, x, first);
  if (name == "swiglu" && fusion == 0) {
    if (third.weights == ValueId::none) n.refuse("swiglu wants fc3_experts_weights or swiglu_fusion");
    return n.failed() ? h : swiglu(n, h, expert_layer(n, x, third));
  }
  if (name == "swiglu" && fusion == 1) {
    const auto turns = n.emit(ops::Concat{.axis = 0}, {n.emit(ops::ShapeOf{.start = 0, .end = 2}, {h}), n.int_list({-1, 2})});
    Values parts = n.emit(ops::Split{.axis = 3, .num_outputs = 2}, {n.emit(ops::Reshape{}, {h, turns})}, 2);
    for (ValueId& part : parts) part = n.emit(ops::Squeeze{.axes = {{3}}}, {part});
    return swiglu(n, parts[0], parts[1]);
  }
  if (name == "swiglu") {
    const Values parts = n.emit(ops::Split{.axis = 2, .num_outputs = 2}, {h}, 2);
    return swiglu(n, parts[0], parts[1]);
  }
  const ValueId y = n.pointwise({h}, [&](const std::vector<Term>& t) {
    const Term v = t[0];
    if (name == "relu") return apply(Fn::relu, v);
    if (name == "gelu") return v * 0.5 * (apply(Fn::tanh, (v + v * v * v * 0.044715) * std::sqrt(2 / std::numbers::pi)) + 1);
    if (name == "silu") return v * apply(Fn::sigmoid, v);
    if (name != "identity") n.unsupported("activation_type '{}'", name);
    return v;
  });
  if (third.weights == ValueId::none) return y;
  return n.pointwise({y, expert_layer(n, x, third)}, [](const std::vector<Term>& t) { return t[0] * t[1]; });
}

/// How much of each expert a row takes, [rows, experts]: softmax of the router's numbers over all experts, or with
/// normalize_routing_weights over the chosen ones; or, of the chosen ones, numbers of their own.
ValueId routed(NodeImport& n, ValueId logits, ValueId separate) {
  const bool normalize = n.int_attr("normalize_routing_weights", 0) != 0;
  const Values top = n.emit(ops::TopK{}, {logits, n.int_list({n.int_attr("k", 1)})}, 2);
  ValueId chosen = ValueId::none;
  if (separate != ValueId::none) {
    chosen = n.emit(ops::GatherElements{.axis = 1}, {separate, top[1]});
    if (normalize) {
      const ValueId sum = n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .axes = {1}}, {chosen});
      chosen = n.pointwise({chosen, sum}, [](const std::vector<Term>& t) { return t[0] / t[1]; });
    }
  } else if (normalize) {
    chosen = n.emit(ops::Softmax{.axis = -1}, {top[0]});
  } else {
    chosen = n.emit(ops::GatherElements{.axis = 1}, {n.emit(ops::Softmax{.axis = -1}, {logits}), top[1]});
  }
  const ValueId zeros = n.pointwise({logits}, [](const std::vector<Term>& t) { return t[0].constant(0); });
  return n.emit(ops::ScatterElements{.axis = 1}, {zeros, top[1], chosen});
}

Values experts(NodeImport& n, const ExpertLayer& first, const ExpertLayer& second, const ExpertLayer& third, ValueId separate) {
  if (n.int_attr("use_sparse_mixer", 0) != 0) n.unsupported("use_sparse_mixer");
  const ValueId input = n.required(0, "input");
  const ValueId rows = n.emit(ops::Concat{.axis = 0}, {n.int_list({-1}), n.emit(ops::ShapeOf{.start = -1}, {input})});
  const ValueId x = n.emit(ops::Reshape{}, {input, rows});
  const ValueId hidden = expert_activation(n, n.emit(ops::Unsqueeze{.axes = {0}}, {x}), first, third);
  const ValueId all = expert_layer(n, hidden, second);
  const ValueId shares = n.emit(ops::Transpose{.perm = {1, 0}}, {routed(n, n.required(1, "router_probs"), separate)});
  const ValueId weighted = n.pointwise({all, n.emit(ops::Unsqueeze{.axes = {2}}, {shares})},
                                       [](const std::vector<Term>& t) { return t[0] * t[1].cast(t[0].type()); });
  const ValueId y = n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .axes = {0}, .keepdims = false}, {weighted});
  return {n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {input})})};
}

/// Weights of a few bits, [experts, out, in · bits / 8] bytes, with one scale per row [experts, out] or per block [experts, out, blocks].
ValueId expert_weights(NodeImport& n, size_t weights, size_t scales, size_t zeros, std::string_view bits_of) {
  const int64_t bits = n.int_attr(bits_of, n.int_attr("expert_weight_bits", 4)), block = n.int_attr("block_size", 0);
  if (bits != 2 && bits != 4 && bits != 8) n.unsupported("{} bits", bits);
  if (n.int_attr("weights_prepacked", -1) > 0) n.unsupported("weights in the layout of one execution provider");
  if (n.failed()) return ValueId::none;
  const ValueId q = unpacked_bytes(n, n.required(weights, "weights"), bits);
  ValueId scale = n.required(scales, "scales"), zero = n.input(zeros);
  if (n.rank(scale) == 2) scale = n.emit(ops::Unsqueeze{.axes = {2}}, {scale});
  if (zero == ValueId::none) {
    const auto middle = static_cast<double>(int64_t{1} << (bits - 1));
    zero = n.pointwise({scale}, [&](const std::vector<Term>& t) { return Term{t[0].expr, t[0].expr->add_constant(middle, DType::u8)}; });
  } else {
    if (n.rank(zero) == 2) zero = block > 0 ? n.emit(ops::Unsqueeze{.axes = {2}}, {zero}) : zero;
    if (n.rank(zero) == 2) {  // one number per row, packed along the rows
      const ValueId rows = unpacked_bytes(n, zero, bits);
      zero = n.emit(ops::Unsqueeze{.axes = {2}}, {n.emit(ops::Slice{}, {rows, n.int_list({0}), dim_of(n, scale, 1), n.int_list({1})})});
    } else {
      zero = n.emit(ops::Slice{}, {unpacked_bytes(n, zero, bits), n.int_list({0}), dim_of(n, scale, 2), n.int_list({2})});
    }
  }
  if (block > 0) return n.emit(ops::DequantizeLinear{.axis = 2, .block_size = block}, {q, scale, zero});
  return n.pointwise({q, scale, zero},
                     [](const std::vector<Term>& t) { return (t[0].cast(DType::i32) - t[2].cast(DType::i32)).cast(t[1].type()) * t[1]; });
}

}  // namespace

Result<Values> import_moe(NodeImport& n) {
  return experts(n, {n.required(2, "fc1_experts_weights"), n.input(3)}, {n.required(4, "fc2_experts_weights"), n.input(5)},
                 {n.input(6), n.input(7)}, ValueId::none);
}
Result<Values> import_q_moe(NodeImport& n) {
  if (n.string_attr("quant_type", "int") != "int") n.unsupported("quant_type '{}'", n.string_attr("quant_type", "int"));
  const DType type = n.dtype(n.required(0, "input"));
  const auto layer = [&](size_t weights, size_t zeros, std::string_view bits) {
    return ExpertLayer{n.cast(expert_weights(n, weights, weights + 1, zeros, bits), type), n.input(weights + 2)};
  };
  ExpertLayer third;
  if (n.has_input(8)) third = layer(8, 13, "fc3_expert_weight_bits");
  return experts(n, layer(2, 11, "fc1_expert_weight_bits"), layer(5, 12, "fc2_expert_weight_bits"), third, n.input(14));
}

}  // namespace tenon::onnx
