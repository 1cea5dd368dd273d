#include "onnx/import_attrs.h"

#include "ops/move.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/transpose.h"

namespace tenon::onnx {

ops::AutoPad auto_pad_attr(NodeImport& n) {
  const std::string name = n.string_attr("auto_pad", "NOTSET");
  if (name == "SAME_UPPER") return ops::AutoPad::same_upper;
  if (name == "SAME_LOWER") return ops::AutoPad::same_lower;
  if (name == "VALID") return ops::AutoPad::valid;
  if (name != "NOTSET" && !name.empty()) n.refuse("attribute 'auto_pad' is '{}', wanted NOTSET, SAME_UPPER, SAME_LOWER or VALID", name);
  return ops::AutoPad::notset;
}

ValueId cut(NodeImport& n, ValueId x, int64_t axis, int64_t first, int64_t last) {
  return n.emit(ops::Slice{}, {x, n.int_list({first}), n.int_list({last}), n.int_list({axis})});
}

ValueId channels_behind(NodeImport& n, ValueId w) {
  const int64_t rank = n.rank(w);
  Dims perm{0};
  for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return n.emit(ops::Transpose{.perm = std::move(perm)}, {w});
}

ValueId dim_of(NodeImport& n, ValueId x, int64_t axis) { return n.emit(ops::ShapeOf{.start = axis, .end = axis + 1}, {x}); }

Tensor filled(NodeImport& n, DType dtype, Dims dims, double value) {
  auto tensor = Tensor::allocate(dtype, std::move(dims));
  if (tensor.ok()) {
    ops::fill_elems(scalar_tensor(dtype, value), 0, *tensor, 0, tensor->elems());
    return std::move(*tensor);
  }
  n.refuse(std::move(tensor.error()));
  return scalar_tensor(dtype, value);
}

}  // namespace tenon::onnx
