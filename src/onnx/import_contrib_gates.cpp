// com.microsoft's small fused operators of recent language models: gated norms and sums, a convolution that carries its past.
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace tenon::onnx {

Result<Values> import_linear_attention(NodeImport& n);

namespace {

ValueId elementwise_product(NodeImport& n, ValueId a, ValueId b) {
  return n.pointwise({a, b}, [](const std::vector<Term>& t) { return t[0] * t[1].cast(t[0].type()); });
}

/// Each group of the last `width` elements by its root mean square.
ValueId group_rms(NodeImport& n, ValueId x, ValueId width) {
  const ValueId lead = n.emit(ops::ShapeOf{.start = 0, .end = -1}, {x});
  const ValueId apart = n.emit(ops::Concat{.axis = 0}, {lead, n.int_list({-1}), width});
  return n.emit(ops::LayerNorm{.axis = -1, .epsilon = n.float_attr("epsilon", 1e-5f), .rms = true}, {n.emit(ops::Reshape{}, {x, apart})});
}

}  // namespace

Result<Values> import_scaled_silu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  Values in{n.required(0, "X")};
  if (n.has_input(1)) in.push_back(n.input(1));
  return Values{n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term z = t.size() > 1 ? t[0] * t[1].cast(t[0].type()) : t[0] * alpha;
    return z * apply(Fn::sigmoid, z);
  })};
}

Result<Values> import_gated_add(NodeImport& n) {
  if (n.has_input(3)) n.unsupported("gate_weight; export the projection of the gate as a product of its own");
  const Values in{n.required(0, "X"), n.required(1, "Y"), n.required(2, "gate")};
  return Values{n.pointwise(in, [](const std::vector<Term>& t) { return t[0] + t[1] * t[2]; })};
}

/// X / √(mean of the squares of each group as long as scale) · scale · silu(gate) or sigmoid(gate).
Result<Values> import_gated_rms_norm(NodeImport& n) {
  const std::string name = n.string_attr("activation", "silu");
  if (name != "silu" && name != "swish" && name != "sigmoid") n.unsupported("activation '{}'", name);
  const ValueId x = n.required(0, "X"), scale = n.required(1, "scale");
  const ValueId y = elementwise_product(n, group_rms(n, x, dim_of(n, scale, 0)), scale);
  const ValueId flat = n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {x})});
  return Values{n.pointwise({flat, n.required(2, "gate")}, [&](const std::vector<Term>& t) {
    const Term gate = apply(Fn::sigmoid, t[1]);
    return t[0] * (name == "sigmoid" ? gate : t[1] * gate);
  })};
}

/// The same norm over each branch: of the last dim, or of each of num_branches parts of it.
Result<Values> import_branchwise_rms_norm(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const int64_t branches = n.int_attr("num_branches", 0);
  const ValueId shape = n.emit(ops::ShapeOf{}, {x}), last = n.emit(ops::ShapeOf{.start = -1}, {x});
  const ValueId width =
      branches > 0 ? n.pointwise({last}, [&](const std::vector<Term>& t) { return t[0] / static_cast<double>(branches); }) : last;
  ValueId y = branches > 0 ? group_rms(n, x, width)
                           : n.emit(ops::LayerNorm{.axis = -1, .epsilon = n.float_attr("epsilon", 1e-5f), .rms = true}, {x});
  if (n.has_input(1)) {
    const ValueId columns = n.emit(ops::Concat{.axis = 0}, {n.int_list({-1}), width});
    y = elementwise_product(n, y, n.emit(ops::Reshape{}, {n.input(1), columns}));
  }
  return Values{branches > 0 ? n.emit(ops::Reshape{}, {y, shape}) : y};
}

Result<Values> import_linear_attention_gate(NodeImport& n) {
  const ValueId a = n.required(0, "a");
  const DType type = n.dtype(a);
  const ValueId decay = n.pointwise({a, n.required(1, "dt_bias"), n.required(2, "decay_scale")}, [&](const std::vector<Term>& t) {
    return (t[2] * apply(Fn::softplus, t[0].cast(DType::f32) + t[1])).cast(type);
  });
  if (!n.has_input(3)) return Values{decay};
  return Values{decay, n.pointwise({n.input(3)}, [](const std::vector<Term>& t) { return apply(Fn::sigmoid, t[0]); })};
}

/// ONNX's, where the state is that behind the last token alone.
Result<Values> import_ms_linear_attention(NodeImport& n) {
  if (n.int_attr("state_window", 0) != 0) n.unsupported("state_window, the states behind several tokens");
  return n.failed() ? Result<Values>(Values{}) : import_linear_attention(n);
}

/// gate · sigmoid(alpha · gate) · (up + beta); one input may hold both halves.
Result<Values> import_swiglu(NodeImport& n) {
  const double alpha = n.float_attr("activation_alpha", 1), beta = n.float_attr("activation_beta", 0), limit = n.float_attr("limit", 0);
  Values in{n.required(0, "gate"), n.input(1)};
  if (!n.has_input(1)) in = n.emit(ops::Split{.axis = -1, .num_outputs = 2}, {in[0]}, 2);
  return Values{n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term g = limit > 0 ? min(t[0], t[0].constant(limit)) : t[0];
    const Term l = limit > 0 ? max(min(t[1], t[1].constant(limit)), t[1].constant(-limit)) : t[1];
    return g * apply(Fn::sigmoid, g * alpha) * (l + beta);
  })};
}

/// Each channel of x [b, c, length] convolved with what lies before and at each position; the last positions are carried on as the state.
Result<Values> import_causal_conv(NodeImport& n) {
  const std::string activation = n.string_attr("activation", "none");
  const bool behind = n.int_attr("channels_last", 0) != 0;
  const int64_t dilation = n.int_attr("dilation", 1);
  if (activation != "none" && activation != "silu" && activation != "swish") n.unsupported("activation '{}'", activation);
  if (n.int_attr("ndim", 1) != 1) n.unsupported("ndim {}", n.int_attr("ndim", 1));
  if (n.int_attr("state_window", 0) != 0 || n.int_attr("state_update_capacity", 0) != 0 || n.int_attr("state_length", 0) != 0)
    n.unsupported("states of other forms than the last positions");
  const ValueId x = n.required(0, "input"), w = n.required(1, "weight");
  if (n.rank(x) != 3 || n.rank(w) != 3) n.unsupported("an input of rank {}, wanted 3", n.rank(x));
  if (n.failed()) return Values{};
  const auto channels = n.size(w, 0), taps = n.size(w, 2);
  if (!channels || !taps || *taps > NodeImport::kMostCount)
    n.unsupported("the shape of the weights must be known when the model is imported");
  if (n.failed()) return Values{};
  const auto turned = [&](ValueId value) { return behind ? n.emit(ops::Transpose{.perm = {0, 2, 1}}, {value}) : value; };
  const int64_t length = (*taps - 1) * dilation;
  const ValueId all = n.has_input(3) ? n.emit(ops::Concat{.axis = 2}, {turned(n.input(3)), turned(x)})
                                     : n.emit(ops::Pad{}, {turned(x), n.int_list({0, 0, length, 0, 0, 0})});
  Values in{all, w};
  if (n.has_input(2)) in.push_back(n.input(2));
  ValueId y = n.emit(ops::Conv{.dilations = {dilation}, .groups = *channels}, std::move(in));
  if (activation != "none") y = n.pointwise({y}, [](const std::vector<Term>& t) { return t[0] * apply(Fn::sigmoid, t[0]); });
  const ValueId state = length > 0 ? cut(n, all, 2, -length, INT64_MAX) : cut(n, all, 2, 0, 0);
  return Values{turned(y), turned(state)};
}

}  // namespace tenon::onnx
