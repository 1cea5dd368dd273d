#include "ops/one_hot.h"

#include <cmath>

#include "ops/move.h"
#include "tensor/convert.h"

namespace tenon::ops {

Result<Facts> infer(const OneHot& op, std::span<const Fact> in, InferCtx& ctx) {
  const DType dtype = in[2].dtype();
  if (!in[0].has_rank()) return Facts{Fact(dtype, Shape::unknown())};
  TENON_TRY(axis, normalize_axis(op.axis, in[0].rank() + 1));
  Dim depth(0);
  if (in[1].elems && in[1].elems->size() == 1) {
    depth = (*in[1].elems)[0];
  } else if (in[1].constant && is_float(in[1].dtype()) && in[1].constant->elems() == 1) {
    depth = Dim(whole_number(element_as_double(*in[1].constant, 0)));
  } else {
    depth = ctx.mint("depth");
  }
  if (depth.is_constant() && *depth.constant() < 0) return fail("the depth is {}", to_string(depth));
  std::vector<Dim> dims = in[0].shape().dims();
  dims.insert(dims.begin() + axis, depth);
  return Facts{Fact(dtype, Shape(std::move(dims)))};
}

Result<void> eval(const OneHot& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &indices = in[0].tensor, &values = in[2].tensor;
  if (values.elems() != 2) return fail("values have shape {}, wanted [2]", to_string(values.dims));
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(axis, normalize_axis(op.axis, indices.rank() + 1));
  TENON_OK(prepare_output(out[0], values.dtype, dims));
  const int64_t depth = dims[static_cast<size_t>(axis)], inner = elems_after(dims, axis);
  fill_elems(values, 0, out[0].tensor, 0, out[0].tensor.elems());
  for (int64_t i = 0; i < indices.elems(); ++i) {
    const double at = is_float(indices.dtype) ? element_as_double(indices, i) : static_cast<double>(element_as_int(indices, i));
    if (!(at >= static_cast<double>(-depth) && at < static_cast<double>(depth))) continue;
    const auto row = static_cast<int64_t>(at < 0 ? at + static_cast<double>(depth) : at);
    copy_elems(values, 1, out[0].tensor, (i / inner * depth + row) * inner + i % inner, 1);
  }
  return {};
}

template OpRow make_row<OneHot>();

}  // namespace tenon::ops
