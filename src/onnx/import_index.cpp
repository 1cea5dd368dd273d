// Gathers, scatters, selections, generators.
#include "onnx/node_import.h"
#include "ops/compress.h"
#include "ops/constant_of_shape.h"
#include "ops/cum_sum.h"
#include "ops/eye_like.h"
#include "ops/gather.h"
#include "ops/non_zero.h"
#include "ops/one_hot.h"
#include "ops/range.h"
#include "ops/reverse_sequence.h"
#include "ops/scatter.h"
#include "ops/top_k.h"
#include "ops/trilu.h"
#include "ops/unique.h"

namespace tenon::onnx {

Result<Values> import_gather(NodeImport& n) {
  return Values{n.emit(ops::Gather{.axis = n.int_attr("axis", 0)}, {n.required(0, "data"), n.required(1, "indices")})};
}
Result<Values> import_gather_elements(NodeImport& n) {
  return Values{n.emit(ops::GatherElements{.axis = n.int_attr("axis", 0)}, {n.required(0, "data"), n.required(1, "indices")})};
}
Result<Values> import_gather_nd(NodeImport& n) {
  return Values{n.emit(ops::GatherND{.batch_dims = n.int_attr("batch_dims", 0)}, {n.required(0, "data"), n.required(1, "indices")})};
}
Result<Values> import_scatter_elements(NodeImport& n) {
  const ops::ScatterElements scatter{.axis = n.int_attr("axis", 0), .reduction = n.enum_attr("reduction", ops::ScatterReduction::none)};
  return Values{n.emit(scatter, {n.required(0, "data"), n.required(1, "indices"), n.required(2, "updates")})};
}
Result<Values> import_scatter_nd(NodeImport& n) {
  const ops::ScatterND scatter{.reduction = n.enum_attr("reduction", ops::ScatterReduction::none)};
  return Values{n.emit(scatter, {n.required(0, "data"), n.required(1, "indices"), n.required(2, "updates")})};
}

Result<Values> import_top_k(NodeImport& n) {
  const ops::TopK top{.axis = n.int_attr("axis", -1), .largest = n.int_attr("largest", 1) != 0, .sorted = n.int_attr("sorted", 1) != 0};
  const ValueId k = n.opset() < 10 ? n.int_list({n.required_int("k")}) : n.required(1, "K");
  return n.emit(top, {n.required(0, "X"), k}, 2);
}
Result<Values> import_cum_sum(NodeImport& n) {
  const ops::CumSum sum{.exclusive = n.int_attr("exclusive", 0) != 0, .reverse = n.int_attr("reverse", 0) != 0};
  return Values{n.emit(sum, {n.required(0, "x"), n.required(1, "axis")})};
}
Result<Values> import_cum_prod(NodeImport& n) {
  const ops::CumSum product{.exclusive = n.int_attr("exclusive", 0) != 0, .reverse = n.int_attr("reverse", 0) != 0, .product = true};
  return Values{n.emit(product, {n.required(0, "x"), n.required(1, "axis")})};
}
Result<Values> import_one_hot(NodeImport& n) {
  return Values{n.emit(ops::OneHot{.axis = n.int_attr("axis", -1)},
                       {n.required(0, "indices"), n.required(1, "depth"), n.frozen(n.required(2, "values"))})};
}
Result<Values> import_non_zero(NodeImport& n) { return Values{n.emit(ops::NonZero{}, {n.required(0, "X")})}; }
Result<Values> import_trilu(NodeImport& n) {
  return Values{n.emit(ops::Trilu{.upper = n.int_attr("upper", 1) != 0}, {n.required(0, "input"), n.input(1)})};
}
Result<Values> import_eye_like(NodeImport& n) {
  return Values{n.emit(ops::EyeLike{.dtype = n.dtype_attr("dtype", DType::none), .k = n.int_attr("k", 0)}, {n.required(0, "input")})};
}
Result<Values> import_range(NodeImport& n) {
  return Values{n.emit(ops::Range{}, {n.required(0, "start"), n.required(1, "limit"), n.required(2, "delta")})};
}
Result<Values> import_constant_of_shape(NodeImport& n) {
  const std::optional<Tensor> value = n.tensor_attr("value");
  return Values{n.emit(ops::ConstantOfShape{}, {n.required(0, "input"), n.constant(value ? *value : scalar_tensor(DType::f32, 0))})};
}
Result<Values> import_reverse_sequence(NodeImport& n) {
  const ops::ReverseSequence reverse{.time_axis = n.int_attr("time_axis", 0), .batch_axis = n.int_attr("batch_axis", 1)};
  return Values{n.emit(reverse, {n.required(0, "input"), n.required(1, "sequence_lens")})};
}
Result<Values> import_compress(NodeImport& n) {
  ops::Compress compress;
  if (n.has_attr("axis")) compress.axis = n.int_attr("axis", 0);
  return Values{n.emit(compress, {n.required(0, "input"), n.required(1, "condition")})};
}
Result<Values> import_unique(NodeImport& n) {
  ops::Unique unique{.sorted = n.int_attr("sorted", 1) != 0};
  if (n.has_attr("axis")) unique.axis = n.int_attr("axis", 0);
  return n.emit(unique, {n.required(0, "X")}, 4);
}

}  // namespace tenon::onnx
