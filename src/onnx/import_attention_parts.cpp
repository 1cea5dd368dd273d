#include <cmath>

#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/mat_mul.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace tenon::onnx {

ValueId split_heads(NodeImport& n, ValueId x, int64_t heads) {
  const ValueId parts = n.emit(ops::Reshape{}, {x, n.int_list({0, 0, heads, -1})});
  return n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {parts});
}
ValueId join_heads(NodeImport& n, ValueId x) {
  return n.emit(ops::Reshape{}, {n.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {x}), n.int_list({0, 0, -1})});
}

ValueId repeat_heads(NodeImport& n, ValueId x, int64_t heads, int64_t times) {
  const ValueId wide = n.emit(ops::Expand{}, {n.emit(ops::Unsqueeze{.axes = {2}}, {x}), n.int_list({1, 1, times, 1, 1})});
  const ValueId tail = n.emit(ops::ShapeOf{.start = 2}, {x}), head = n.emit(ops::ShapeOf{.start = 0, .end = 1}, {x});
  return n.emit(ops::Reshape{.allowzero = true}, {wide, n.emit(ops::Concat{.axis = 0}, {head, n.int_list({heads * times}), tail})});
}

ValueId padded_mask(NodeImport& n, ValueId mask, ValueId keys) {
  const Fact &known = n.fact(mask), &key = n.fact(keys);
  const int64_t rank = n.rank(mask);
  if (n.failed() || rank < 1 || (key.has_rank() && key.rank() < 3)) return mask;
  if (key.has_rank() && n.module().symbols.known_equal(known.shape()[rank - 1], key.shape()[2]) == Known::yes) return mask;
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

ValueId scores_of_heads(NodeImport& n, ValueId q, ValueId k) {
  const ValueId product = n.emit(ops::MatMul{.trans_b = true}, {q, k});
  double scale = n.float_attr("scale", 0);
  const auto head = n.size(q, -1);
  if (scale == 0 && head) scale = 1 / std::sqrt(static_cast<double>(*head));
  if (scale != 0) return n.pointwise({product}, [&](const std::vector<Term>& t) { return t[0] * scale; });
  return n.pointwise({product, dim_of(n, q, 3)}, [](const std::vector<Term>& t) { return t[0] / apply(Fn::sqrt, t[1].cast(t[0].type())); });
}

ValueId rotate(NodeImport& n, ValueId x, ValueId cos, ValueId sin, bool interleaved, int64_t rotated, bool heads_first) {
  const int64_t rank = n.rank(x);
  ValueId turned = x, kept = ValueId::none;
  if (rotated > 0) {
    const ValueId axis = n.int_list({rank - 1});
    turned = n.emit(ops::Slice{}, {x, n.int_list({0}), n.int_list({rotated}), axis});
    kept = n.emit(ops::Slice{}, {x, n.int_list({rotated}), n.int_list({INT64_MAX}), axis});
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

}  // namespace tenon::onnx
