// Reductions along axes.
#include <limits>

#include "onnx/node_import.h"
#include "ops/one_hot.h"
#include "ops/pad.h"
#include "ops/reduce.h"
#include "ops/reduce_dynamic.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"

namespace tenon::onnx {
namespace {

using engine::ReduceKind;

/// Axes are an attribute at first and an input later; which opset changed differs by operator, and both forms are clear in themselves.
template <ReduceKind kind>
Values reduce(NodeImport& n) {
  const ValueId x = n.required(0, "data");
  const bool keepdims = n.int_attr("keepdims", 1) != 0, noop = n.int_attr("noop_with_empty_axes", 0) != 0;
  Dims axes = n.ints_attr("axes");
  if (n.has_input(1)) {
    const auto known = n.ints(n.input(1));
    if (!known) return {n.emit(ops::ReduceDynamic{.kind = kind, .keepdims = keepdims, .noop_with_empty_axes = noop}, {x, n.input(1)})};
    axes = *known;
  }
  // Each element by itself: ReduceL2 gives its absolute value.
  if (axes.empty() && noop)
    return {n.emit(ops::Reduce{.kind = kind, .axes = {-1}, .keepdims = false}, {n.emit(ops::Unsqueeze{.axes = {-1}}, {x})})};
  return {n.emit(ops::Reduce{.kind = kind, .axes = std::move(axes), .keepdims = keepdims}, {x})};
}

/// x with -∞ behind its last element along the axis.
ValueId with_least(NodeImport& n, ValueId x, int64_t axis, int64_t rank) {
  Dims pads(static_cast<size_t>(2 * rank), 0);
  pads[static_cast<size_t>(rank + axis)] = 1;
  return n.emit(ops::Pad{}, {x, n.int_list(pads), n.scalar(n.dtype(x), -std::numeric_limits<double>::infinity())});
}

ops::Reduce arg(NodeImport& n, ReduceKind kind) {
  return {.kind = kind,
          .axes = {n.int_attr("axis", 0)},
          .keepdims = n.int_attr("keepdims", 1) != 0,
          .last_index = n.int_attr("select_last_index", 0) != 0};
}

}  // namespace

Result<Values> import_reduce_sum(NodeImport& n) { return reduce<ReduceKind::sum>(n); }
Result<Values> import_reduce_mean(NodeImport& n) { return reduce<ReduceKind::mean>(n); }
Result<Values> import_reduce_max(NodeImport& n) { return reduce<ReduceKind::max>(n); }
Result<Values> import_reduce_min(NodeImport& n) { return reduce<ReduceKind::min>(n); }
Result<Values> import_reduce_prod(NodeImport& n) { return reduce<ReduceKind::prod>(n); }
Result<Values> import_reduce_l1(NodeImport& n) { return reduce<ReduceKind::l1>(n); }
Result<Values> import_reduce_l2(NodeImport& n) { return reduce<ReduceKind::l2>(n); }
Result<Values> import_reduce_sum_square(NodeImport& n) { return reduce<ReduceKind::sum_square>(n); }
Result<Values> import_reduce_log_sum(NodeImport& n) { return reduce<ReduceKind::log_sum>(n); }
Result<Values> import_reduce_log_sum_exp(NodeImport& n) { return reduce<ReduceKind::log_sum_exp>(n); }
Result<Values> import_arg_max(NodeImport& n) { return Values{n.emit(arg(n, ReduceKind::arg_max), {n.required(0, "data")})}; }
Result<Values> import_arg_min(NodeImport& n) { return Values{n.emit(arg(n, ReduceKind::arg_min), {n.required(0, "data")})}; }

/// One at the first maximum along the axis, zero elsewhere. Of no elements there is no maximum, and nothing to give: an element behind
/// the last stands in where the size may be 0.
Result<Values> import_hardmax(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  const int64_t rank = n.rank(x);
  const auto along = [&](ValueId y, int64_t axis, int64_t of) {
    if (n.failed()) return ValueId::none;
    const bool has_elements = n.size(y, axis).value_or(0) > 0;
    const ValueId some = has_elements ? y : with_least(n, y, axis, of);
    const ValueId at = n.emit(ops::Reduce{.kind = ReduceKind::arg_max, .axes = {axis}, .keepdims = false}, {some});
    const ValueId depth = n.emit(ops::ShapeOf{.start = axis, .end = axis + 1}, {y});
    const DType dtype = n.dtype(y);
    if (n.failed()) return ValueId::none;
    auto values = convert(make_tensor<float>(DType::f32, {2}, std::vector<float>{0, 1}), dtype);
    if (!values.ok()) n.refuse(std::move(values.error()));
    return n.failed() ? ValueId::none
                      : n.emit(ops::OneHot{.axis = axis == of - 1 ? -1 : axis}, {at, depth, n.constant(std::move(*values))});
  };
  if (n.opset() >= 13) return Values{along(x, n.axis(n.int_attr("axis", -1), rank), rank)};
  const ValueId matrix = n.emit(ops::Flatten{.axis = n.axis(n.int_attr("axis", 1), rank + 1)}, {x});
  return Values{n.emit(ops::Reshape{}, {along(matrix, 1, 2), n.emit(ops::ShapeOf{}, {x})})};
}

}  // namespace tenon::onnx
