#include "ops/one_hot.h"

#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "ops/rules.h"
#include "tensor/convert.h"

namespace tenon::ops {

/// Positions are compared with 0, 1, 2, … along the new axis; negative ones count from the end.
std::optional<Values> compare_one_hot(Rewriter& rw, const Node& node) {
  const Fact &x = rw.fact(node.in[0]), &y = rw.fact(node.out[0]);
  const Tensor* values = rw.constant_of(node.in[2]);
  if (!x.has_rank() || !is_int(x.dtype()) || bits_of(x.dtype()) < 32 || !values || values->elems() != 2 || !is_real(y.dtype()))
    return std::nullopt;
  const auto axis = normalize_axis(node.op.as<OneHot>()->axis, y.rank());
  if (!axis.ok()) return std::nullopt;
  const auto depth = y.shape()[*axis].constant();
  if (!depth || *depth > INT32_MAX) return std::nullopt;
  Dims numbers;
  for (int64_t i = 0; i < *depth; ++i) numbers.push_back(i);
  auto along = convert(int64_tensor(numbers), x.dtype());
  if (!along.ok()) return std::nullopt;
  along->dims.resize(static_cast<size_t>(y.rank() - *axis), 1);
  std::vector<Dim> dims = x.shape().dims();
  dims.insert(dims.begin() + *axis, 1);

  Expr expr;
  const int at = expr.add_input(0, x.dtype()), number = expr.add_input(1, x.dtype());
  const int from_end = expr.add(Fn::add, at, expr.add_int(*depth, x.dtype()));
  const int position =
      is_unsigned_int(x.dtype()) ? at : expr.add(Fn::where, expr.add(Fn::less, at, expr.add_int(0, x.dtype())), from_end, at);
  const auto constant = [&](int64_t i) {
    return is_float(y.dtype()) ? expr.add_real(element_as_double(*values, i), y.dtype())
                               : expr.add_int(element_as_int(*values, i), y.dtype());
  };
  const int on = constant(1), off = constant(0);
  expr.results = {expr.add(Fn::where, expr.add(Fn::equal, position, number), on, off)};
  const ValueId wide = rw.emit(Reshape{.shape = dims}, {node.in[0]})[0];
  return rw.emit(Pointwise{.expr = std::move(expr)}, {wide, rw.constant(std::move(*along))});
}

}  // namespace tenon::ops
