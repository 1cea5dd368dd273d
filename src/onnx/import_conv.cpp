// Convolutions and pooling windows.
#include "onnx/import_attrs.h"
#include "ops/conv.h"
#include "ops/pool.h"
#include "ops/reduce.h"

namespace tenon::onnx {
namespace {

void optional_input(NodeImport& n, Values& in, size_t i) {
  if (n.has_input(i)) in.push_back(n.input(i));
}

ops::Pool window(NodeImport& n, engine::PoolKind kind) {
  ops::Pool pool{.kind = kind};
  pool.kernel = n.ints_attr("kernel_shape");
  if (pool.kernel.empty()) n.refuse("attribute 'kernel_shape' is missing");
  pool.strides = n.ints_attr("strides");
  pool.dilations = n.ints_attr("dilations");
  pool.pads = n.ints_attr("pads");
  pool.auto_pad = auto_pad_attr(n);
  pool.ceil_mode = n.int_attr("ceil_mode", 0) != 0;
  return pool;
}

/// GlobalXPool: a reduction over all spatial dims that keeps them as 1.
Values global(NodeImport& n, engine::ReduceKind kind) {
  const ValueId x = n.required(0, "X");
  ops::Reduce reduce{.kind = kind, .keepdims = true};
  for (int64_t axis = 2; axis < n.rank(x); ++axis) reduce.axes.push_back(axis);
  return {n.emit(std::move(reduce), {x})};
}

}  // namespace

ops::AutoPad auto_pad_attr(NodeImport& n) {
  const std::string name = n.string_attr("auto_pad", "NOTSET");
  if (name == "SAME_UPPER") return ops::AutoPad::same_upper;
  if (name == "SAME_LOWER") return ops::AutoPad::same_lower;
  if (name == "VALID") return ops::AutoPad::valid;
  if (name != "NOTSET" && !name.empty()) n.refuse("attribute 'auto_pad' is '{}', wanted NOTSET, SAME_UPPER, SAME_LOWER or VALID", name);
  return ops::AutoPad::notset;
}

Result<Values> import_conv(NodeImport& n) {
  ops::Conv conv;
  conv.strides = n.ints_attr("strides");
  conv.dilations = n.ints_attr("dilations");
  conv.pads = n.ints_attr("pads");
  conv.groups = n.int_attr("group", 1);
  conv.auto_pad = auto_pad_attr(n);
  Values in{n.required(0, "X"), n.required(1, "W")};
  optional_input(n, in, 2);
  return Values{n.emit(std::move(conv), std::move(in))};
}

Result<Values> import_conv_transpose(NodeImport& n) {
  ops::ConvTranspose conv;
  conv.strides = n.ints_attr("strides");
  conv.dilations = n.ints_attr("dilations");
  conv.pads = n.ints_attr("pads");
  conv.output_padding = n.ints_attr("output_padding");
  conv.output_shape = n.ints_attr("output_shape");
  conv.groups = n.int_attr("group", 1);
  conv.auto_pad = auto_pad_attr(n);
  Values in{n.required(0, "X"), n.required(1, "W")};
  optional_input(n, in, 2);
  return Values{n.emit(std::move(conv), std::move(in))};
}

Result<Values> import_max_pool(NodeImport& n) {
  ops::Pool pool = window(n, engine::PoolKind::max);
  pool.column_major_index = n.int_attr("storage_order", 0) != 0;
  return n.emit(std::move(pool), {n.required(0, "X")}, n.has_output(1) ? 2 : 1);
}
Result<Values> import_average_pool(NodeImport& n) {
  ops::Pool pool = window(n, engine::PoolKind::average);
  pool.count_include_pad = n.int_attr("count_include_pad", 0) != 0;
  return Values{n.emit(std::move(pool), {n.required(0, "X")})};
}
Result<Values> import_lp_pool(NodeImport& n) {
  ops::Pool pool = window(n, engine::PoolKind::lp);
  pool.p = n.opset() < 2 ? static_cast<int64_t>(n.float_attr("p", 2)) : n.int_attr("p", 2);
  return Values{n.emit(std::move(pool), {n.required(0, "X")})};
}
Result<Values> import_global_average_pool(NodeImport& n) { return global(n, engine::ReduceKind::mean); }
Result<Values> import_global_max_pool(NodeImport& n) { return global(n, engine::ReduceKind::max); }
Result<Values> import_global_lp_pool(NodeImport& n) {
  const int64_t p = n.opset() < 2 ? static_cast<int64_t>(n.float_attr("p", 2)) : n.int_attr("p", 2);
  if (p == 1) return global(n, engine::ReduceKind::l1);
  if (p == 2) return global(n, engine::ReduceKind::l2);
  const ValueId x = n.required(0, "X");
  const auto power = [&](ValueId value, double exponent) {
    return n.pointwise({value}, [&](const std::vector<Term>& t) { return apply(Fn::pow, apply(Fn::abs, t[0]), t[0].constant(exponent)); });
  };
  ops::Reduce sum{.kind = engine::ReduceKind::sum, .keepdims = true};
  for (int64_t axis = 2; axis < n.rank(x); ++axis) sum.axes.push_back(axis);
  return Values{power(n.emit(std::move(sum), {power(x, static_cast<double>(p))}), 1.0 / static_cast<double>(p))};
}

}  // namespace tenon::onnx
