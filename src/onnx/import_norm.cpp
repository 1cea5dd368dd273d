// Normalisations and softmax.
#include "onnx/node_import.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"

namespace tenon::onnx {
namespace {

ValueId reduce(NodeImport& n, engine::ReduceKind kind, ValueId x, Dims axes) {
  return n.emit(ops::Reduce{.kind = kind, .axes = std::move(axes), .keepdims = true}, {x});
}

Dims axes_from(int64_t first, int64_t rank) {
  Dims axes;
  for (int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

/// A vector of channels [C] as [C, 1, …]: what broadcasts against [N, C, spatial...].
ValueId per_channel(NodeImport& n, ValueId vector, int64_t rank) {
  return rank <= 2 ? vector : n.emit(ops::Unsqueeze{.axes = axes_from(1, rank - 1)}, {vector});
}

/// Before opset 13 softmax kinds see a matrix: the dims before `axis` by all the others.
Values softmax(NodeImport& n, bool log) {
  const ValueId x = n.required(0, "input");
  if (n.opset() >= 13) return {n.emit(ops::Softmax{.axis = n.int_attr("axis", -1), .log = log}, {x})};
  const int64_t rank = n.rank(x), axis = n.axis(n.int_attr("axis", 1), rank + (rank < 2 ? 1 : 0));
  if (axis == rank - 1) return {n.emit(ops::Softmax{.axis = -1, .log = log}, {x})};
  const ValueId y = n.emit(ops::Softmax{.axis = -1, .log = log}, {n.emit(ops::Flatten{.axis = axis}, {x})});
  return {n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {x})})};
}

}  // namespace

Result<Values> import_softmax(NodeImport& n) { return softmax(n, false); }
Result<Values> import_log_softmax(NodeImport& n) { return softmax(n, true); }

Result<Values> import_batch_normalization(NodeImport& n) {
  const bool training = n.opset() >= 14 && n.int_attr("training_mode", 0) != 0;
  // Before opset 9 `spatial` = 0 keeps statistics per activation: [C, spatial...] instead of [C].
  const bool spatial = n.opset() >= 9 || n.int_attr("spatial", 1) != 0;
  const double epsilon = n.float_attr("epsilon", 1e-5f);
  const ValueId x = n.required(0, "X"), scale = n.required(1, "scale"), bias = n.required(2, "B"), mean = n.required(3, "mean"),
                var = n.required(4, "var");
  if (!training && spatial) return Values{n.emit(ops::BatchNorm{.epsilon = epsilon}, {x, scale, bias, mean, var})};
  if (!training)
    return Values{n.pointwise({x, scale, bias, mean, var},
                              [&](const std::vector<Term>& t) { return (t[0] - t[3]) / apply(Fn::sqrt, t[4] + epsilon) * t[1] + t[2]; })};

  // Training: the batch's own statistics (population variance), and running ones moved towards them.
  const int64_t rank = n.rank(x);
  Dims axes = axes_from(2, rank);
  axes.insert(axes.begin(), 0);
  const double momentum = n.float_attr("momentum", 0.9f);
  const ValueId m = reduce(n, engine::ReduceKind::mean, x, axes);
  const ValueId centred = n.pointwise({x, m}, [](const std::vector<Term>& t) { return t[0] - t[1]; });
  const ValueId v =
      reduce(n, engine::ReduceKind::mean, n.pointwise({centred}, [](const std::vector<Term>& t) { return t[0] * t[0]; }), axes);
  const ValueId y = n.pointwise({centred, v, per_channel(n, scale, rank), per_channel(n, bias, rank)}, [&](const std::vector<Term>& t) {
    return t[0] / apply(Fn::sqrt, t[1] + epsilon) * t[2].cast(t[0].type()) + t[3].cast(t[0].type());
  });
  const auto moved = [&](ValueId running, ValueId batch) {
    const ValueId flat = n.emit(ops::Reshape{}, {batch, n.int_list({-1})});
    return n.pointwise({running, flat},
                       [&](const std::vector<Term>& t) { return t[0] * momentum + t[1].cast(t[0].type()) * (1 - momentum); });
  };
  return Values{y, moved(mean, m), moved(var, v)};
}

/// (x - mean) / sqrt(var + epsilon) over the spatial dims of each channel.
Result<Values> import_instance_normalization(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t rank = n.rank(x);
  const double epsilon = n.float_attr("epsilon", 1e-5f);
  const Values y = n.emit(ops::LayerNorm{.axis = 2, .epsilon = epsilon}, {x}, 1);
  return Values{n.pointwise({y[0], per_channel(n, n.required(1, "scale"), rank), per_channel(n, n.required(2, "B"), rank)},
                            [](const std::vector<Term>& t) { return t[0] * t[1] + t[2]; })};
}

Result<Values> import_layer_normalization(NodeImport& n) {
  const ops::LayerNorm norm{.axis = n.int_attr("axis", -1), .epsilon = n.float_attr("epsilon", 1e-5f)};
  Values in{n.required(0, "X"), n.required(1, "Scale")};
  if (n.has_input(2)) in.push_back(n.input(2));
  return n.emit(norm, std::move(in), n.has_output(2) ? 3 : n.has_output(1) ? 2 : 1);
}

Result<Values> import_rms_normalization(NodeImport& n) {
  const ops::LayerNorm norm{.axis = n.int_attr("axis", -1), .epsilon = n.float_attr("epsilon", 1e-5f), .rms = true};
  return Values{n.emit(norm, {n.required(0, "X"), n.required(1, "scale")})};
}

/// Groups of channels are normalised together; scale and bias belong to channels, before opset 21 to groups.
Result<Values> import_group_normalization(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const int64_t rank = n.rank(x), groups = n.required_int("num_groups");
  if (groups < 1) n.refuse("num_groups is {}", groups);
  const bool per_group = n.opset() < 21;
  const ValueId grouped = n.emit(ops::Reshape{}, {x, n.int_list({0, groups, -1})});
  ValueId y = n.emit(ops::LayerNorm{.axis = 2, .epsilon = n.float_attr("epsilon", 1e-5f)}, {grouped});
  const auto scaled = [&](ValueId value, int64_t of) {
    const Values in{value, per_channel(n, n.required(1, "scale"), of), per_channel(n, n.required(2, "bias"), of)};
    return n.pointwise(in, [](const std::vector<Term>& t) { return t[0] * t[1] + t[2]; });
  };
  if (per_group) y = scaled(y, 3);
  y = n.emit(ops::Reshape{}, {y, n.emit(ops::ShapeOf{}, {x})});
  return Values{per_group ? y : scaled(y, rank)};
}

/// (x - mean) / (deviation + 1e-9), as the function of the specification computes it.
Result<Values> import_mean_variance_normalization(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const Dims axes = n.ints_attr("axes", {0, 2, 3});
  const ValueId mean = reduce(n, engine::ReduceKind::mean, x, axes);
  const ValueId squares =
      reduce(n, engine::ReduceKind::mean, n.pointwise({x}, [](const std::vector<Term>& t) { return t[0] * t[0]; }), axes);
  return Values{n.pointwise({x, mean, squares},
                            [](const std::vector<Term>& t) { return (t[0] - t[1]) / (apply(Fn::sqrt, t[2] - t[1] * t[1]) + 1e-9); })};
}

/// x / |x|_p along an axis; where the norm is 0, so is the result.
Result<Values> import_lp_normalization(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t p = n.int_attr("p", 2);
  if (p != 1 && p != 2) n.unsupported("attribute 'p' is {}, wanted 1 or 2", p);
  const ValueId norm = reduce(n, p == 1 ? engine::ReduceKind::l1 : engine::ReduceKind::l2, x, {n.int_attr("axis", -1)});
  return Values{n.pointwise({x, norm}, [](const std::vector<Term>& t) { return where(t[1] > 0, t[0] / t[1], t[1]); })};
}

/// x / (bias + alpha · mean of squares over the window of channels)^beta; the window is `size` wide, padded with zeros that count.
Result<Values> import_lrn(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  const int64_t size = n.required_int("size"), rank = n.rank(x);
  if (size < 1 || rank < 3) n.refuse("wants a size of at least 1 and an input of [N, C, spatial...]");
  const double alpha = n.float_attr("alpha", 1e-4f), beta = n.float_attr("beta", 0.75f), bias = n.float_attr("bias", 1);
  if (n.failed()) return Values{};
  const ValueId squares = n.pointwise({x}, [](const std::vector<Term>& t) { return t[0] * t[0]; });
  const auto spatial = static_cast<size_t>(rank - 1);  // of [N, 1, C, spatial...]
  ops::Pool pool{.kind = engine::PoolKind::average, .kernel = Dims(spatial, 1), .pads = Dims(2 * spatial, 0), .count_include_pad = true};
  pool.kernel[0] = size;
  pool.pads[0] = (size - 1) / 2;
  pool.pads[spatial] = size / 2;
  const ValueId mean = n.emit(ops::Squeeze{.axes = {{1}}}, {n.emit(std::move(pool), {n.emit(ops::Unsqueeze{.axes = {1}}, {squares})})});
  return Values{
      n.pointwise({x, mean}, [&](const std::vector<Term>& t) { return t[0] / apply(Fn::pow, t[1] * alpha + bias, t[0].constant(beta)); })};
}

}  // namespace tenon::onnx
