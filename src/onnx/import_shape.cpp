// Operators that move elements without computing on them.
#include <algorithm>
#include <numeric>

#include "onnx/node_import.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/pad.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/size.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/tile.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// Input i, or the attribute that older opsets have in its place as a constant; none where neither is there.
ValueId operand(NodeImport& n, size_t i, std::string_view attribute) {
  if (n.has_input(i)) return n.input(i);
  return n.has_attr(attribute) ? n.int_list(n.ints_attr(attribute)) : ValueId::none;
}

/// x of [N, C, H, W] as `split` (0 copies a dim, -1 takes what is left), permuted, and joined again to rank 4.
ValueId shuffle(NodeImport& n, ValueId x, const std::vector<Dim>& split, Dims perm, std::vector<Dim> joined) {
  const ValueId parts = n.emit(ops::Reshape{.shape = split}, {x});
  return n.emit(ops::Reshape{.shape = std::move(joined)}, {n.emit(ops::Transpose{.perm = std::move(perm)}, {parts})});
}

/// The dims of a [N, C, H, W] input.
std::vector<Dim> image_dims(NodeImport& n, ValueId x) {
  if (n.rank(x) != 4) n.refuse("wants an input of [N, C, H, W], got {}", to_string(n.fact(x).shape()));
  return n.failed() ? std::vector<Dim>(4) : n.fact(x).shape().dims();
}

}  // namespace

Result<Values> import_reshape(NodeImport& n) {
  const ValueId x = n.required(0, "data"), shape = operand(n, 1, "shape");
  if (shape == ValueId::none) n.refuse("the shape is missing");
  return Values{n.emit(ops::Reshape{.allowzero = n.int_attr("allowzero", 0) != 0}, {x, shape})};
}
Result<Values> import_flatten(NodeImport& n) {
  return Values{n.emit(ops::Flatten{.axis = n.int_attr("axis", 1)}, {n.required(0, "input")})};
}

Result<Values> import_squeeze(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  ops::Squeeze squeeze;
  if (n.has_attr("axes")) squeeze.axes = n.ints_attr("axes");
  if (n.has_input(1)) squeeze.axes = n.ints(n.input(1));
  if (n.has_input(1) && !squeeze.axes) return Values{n.emit(std::move(squeeze), {x, n.input(1)})};
  return Values{n.emit(std::move(squeeze), {x})};
}
Result<Values> import_unsqueeze(NodeImport& n) {
  const ValueId x = n.required(0, "data"), axes = operand(n, 1, "axes");
  if (axes == ValueId::none) n.refuse("the axes are missing");
  if (const auto known = n.ints(axes)) return Values{n.emit(ops::Unsqueeze{.axes = *known}, {x})};
  return Values{n.emit(ops::Unsqueeze{}, {x, axes})};
}

Result<Values> import_shape(NodeImport& n) {
  return Values{
      n.emit(ops::ShapeOf{.start = n.wide_int_attr("start", 0), .end = n.wide_int_attr("end", INT64_MAX)}, {n.required(0, "data")})};
}
Result<Values> import_size(NodeImport& n) { return Values{n.emit(ops::Size{}, {n.required(0, "data")})}; }

Result<Values> import_transpose(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  ops::Transpose transpose{.perm = n.ints_attr("perm")};
  if (!n.has_attr("perm")) {
    transpose.perm.resize(static_cast<size_t>(n.rank(x)));
    std::iota(transpose.perm.rbegin(), transpose.perm.rend(), 0);
  }
  return Values{n.emit(std::move(transpose), {x})};
}

Result<Values> import_concat(NodeImport& n) {
  // Opset 1 has a default axis, later ones want it.
  const int64_t axis = n.opset() < 4 ? n.int_attr("axis", 1) : n.required_int("axis");
  return Values{n.emit(ops::Concat{.axis = axis}, n.inputs())};
}

Result<Values> import_split(NodeImport& n) {
  ops::Split split{.axis = n.int_attr("axis", 0), .num_outputs = n.int_attr("num_outputs", 0)};
  Values in{n.required(0, "input")};
  if (const ValueId sizes = operand(n, 1, "split"); sizes != ValueId::none) in.push_back(sizes);
  return n.emit(split, std::move(in), n.output_count());
}

Result<Values> import_slice(NodeImport& n) {
  const ValueId x = n.required(0, "data"), starts = operand(n, 1, "starts"), ends = operand(n, 2, "ends"), axes = operand(n, 3, "axes");
  if (starts == ValueId::none || ends == ValueId::none) n.refuse("starts or ends are missing");
  return Values{n.emit(ops::Slice{}, {x, starts, ends, axes, n.input(4)})};
}

Result<Values> import_expand(NodeImport& n) { return Values{n.emit(ops::Expand{}, {n.required(0, "input"), n.required(1, "shape")})}; }

Result<Values> import_tile(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  if (n.opset() >= 6) return Values{n.emit(ops::Tile{}, {x, n.required(1, "repeats")})};
  // Opset 1: how often (a scalar) along which axis (a scalar).
  const Dims tiles = n.known_ints(n.required(1, "tiles"), "tiles"), axis = n.known_ints(n.required(2, "axis"), "the axis");
  Dims repeats(static_cast<size_t>(n.rank(x)), 1);
  if (tiles.size() != 1 || axis.size() != 1) n.refuse("tiles and axis must be scalars");
  if (!n.failed()) repeats.at(static_cast<size_t>(n.axis(axis[0], n.rank(x)))) = tiles[0];
  return Values{n.emit(ops::Tile{}, {x, n.int_list(repeats)})};
}

Result<Values> import_pad(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  const ops::Pad pad{.mode = n.enum_attr("mode", ops::PadMode::constant)};
  if (n.opset() >= 11) return Values{n.emit(pad, {x, n.required(1, "pads"), n.frozen(n.input(2)), n.input(3)})};
  const ValueId pads = n.int_list(n.ints_attr(n.opset() < 2 ? "paddings" : "pads"));
  const double value = n.float_attr("value", 0);
  return Values{n.emit(pad, {x, pads, value == 0 || n.dtype(x) == DType::none ? ValueId::none : n.scalar(n.dtype(x), value)})};
}

/// [N, C, H, W] → [N, C / b², H·b, W·b]. DCR: depth is [b, b, C / b²]; CRD: [C / b², b, b].
Result<Values> import_depth_to_space(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t b = n.required_int("blocksize");
  const std::string mode = n.string_attr("mode", "DCR");
  if (b < 1) n.refuse("blocksize is {}", b);
  const std::vector<Dim> d = image_dims(n, x);
  if (n.failed()) return Values{};
  const Dim depth = floordiv(d[1], Dim(b) * Dim(b));
  const std::vector<Dim> joined{d[0], depth, d[2] * Dim(b), d[3] * Dim(b)};
  if (mode == "CRD") return Values{shuffle(n, x, {d[0], depth, b, b, d[2], d[3]}, {0, 1, 4, 2, 5, 3}, joined)};
  return Values{shuffle(n, x, {d[0], b, b, depth, d[2], d[3]}, {0, 3, 4, 1, 5, 2}, joined)};
}
/// [N, C, H, W] → [N, C·b², H / b, W / b].
Result<Values> import_space_to_depth(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t b = n.required_int("blocksize");
  if (b < 1) n.refuse("blocksize is {}", b);
  const std::vector<Dim> d = image_dims(n, x);
  if (n.failed()) return Values{};
  const Dim height = floordiv(d[2], Dim(b)), width = floordiv(d[3], Dim(b));
  return Values{shuffle(n, x, {d[0], d[1], height, b, width, b}, {0, 3, 5, 1, 2, 4}, {d[0], d[1] * Dim(b) * Dim(b), height, width})};
}

}  // namespace tenon::onnx
