// Convolutions and pooling windows.
#include "onnx/import_attrs.h"
#include "ops/conv.h"
#include "ops/pool.h"
#include "ops/range.h"
#include "ops/reduce.h"
#include "ops/reduce_dynamic.h"
#include "ops/shape_of.h"
#include "ops/size.h"
#include "tensor/convert.h"

namespace tenon::onnx {
namespace {

void optional_input(NodeImport& n, Values& in, size_t i) {
  if (n.has_input(i)) in.push_back(n.input(i));
}

Values global(NodeImport& n, engine::ReduceKind kind) { return {over_spatial(n, kind, n.required(0, "X"), false)}; }

}  // namespace

ValueId over_spatial(NodeImport& n, engine::ReduceKind kind, ValueId x, bool channels_last) {
  const Fact& fact = n.fact(x);
  const int64_t first = channels_last ? 1 : 2;
  if (!fact.has_rank()) {  // as many axes as the rank has more than two, counted when it is known
    const auto number = [&](const int64_t& value) { return n.constant(make_tensor<int64_t>(DType::i64, {}, std::span(&value, 1))); };
    const ValueId rank = n.emit(ops::Size{}, {n.emit(ops::ShapeOf{}, {x})});
    const ValueId last = channels_last ? n.pointwise({rank}, [](const std::vector<Term>& t) { return t[0] - 1; }) : rank;
    return n.emit(ops::ReduceDynamic{.kind = kind}, {x, n.emit(ops::Range{}, {number(first), last, number(1)})});
  }
  ops::Reduce reduce{.kind = kind, .keepdims = true};
  for (int64_t axis = first; axis < fact.rank() - 2 + first; ++axis) reduce.axes.push_back(axis);
  if (reduce.axes.empty()) n.refuse("X must be [N, C, spatial...], got {}", to_string(fact.shape()));
  return n.emit(std::move(reduce), {x});
}
ops::Conv conv_of(NodeImport& n) {
  ops::Conv conv{.strides = n.ints_attr("strides"), .dilations = n.ints_attr("dilations"), .pads = n.ints_attr("pads")};
  conv.groups = n.int_attr("group", 1);
  conv.auto_pad = auto_pad_attr(n);
  return conv;
}
ops::Pool pool_of(NodeImport& n, engine::PoolKind kind) {
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

Result<Values> import_conv(NodeImport& n) {
  Values in{n.required(0, "X"), n.required(1, "W")};
  optional_input(n, in, 2);
  return Values{n.emit(conv_of(n), std::move(in))};
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
  ops::Pool pool = pool_of(n, engine::PoolKind::max);
  pool.column_major_index = n.int_attr("storage_order", 0) != 0;
  return n.emit(std::move(pool), {n.required(0, "X")}, n.has_output(1) ? 2 : 1);
}
Result<Values> import_average_pool(NodeImport& n) {
  ops::Pool pool = pool_of(n, engine::PoolKind::average);
  pool.count_include_pad = n.int_attr("count_include_pad", 0) != 0;
  return Values{n.emit(std::move(pool), {n.required(0, "X")})};
}
Result<Values> import_lp_pool(NodeImport& n) {
  ops::Pool pool = pool_of(n, engine::PoolKind::lp);
  pool.p = n.opset() < 2 ? whole_number(n.float_attr("p", 2)) : n.int_attr("p", 2);
  return Values{n.emit(std::move(pool), {n.required(0, "X")})};
}
Result<Values> import_global_average_pool(NodeImport& n) { return global(n, engine::ReduceKind::mean); }
Result<Values> import_global_max_pool(NodeImport& n) { return global(n, engine::ReduceKind::max); }
Result<Values> import_global_lp_pool(NodeImport& n) {
  const int64_t p = n.opset() < 2 ? whole_number(n.float_attr("p", 2)) : n.int_attr("p", 2);
  if (p == 1) return global(n, engine::ReduceKind::l1);
  if (p == 2) return global(n, engine::ReduceKind::l2);
  const ValueId x = n.required(0, "X");
  const auto power = [&](ValueId value, double exponent) {
    return n.pointwise({value}, [&](const std::vector<Term>& t) { return apply(Fn::pow, apply(Fn::abs, t[0]), t[0].constant(exponent)); });
  };
  return Values{power(over_spatial(n, engine::ReduceKind::sum, power(x, static_cast<double>(p)), false), 1.0 / static_cast<double>(p))};
}

}  // namespace tenon::onnx
