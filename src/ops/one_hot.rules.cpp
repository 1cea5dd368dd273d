#include "ops/one_hot.h"

#include "ops/coordinates_rules.h"
#include "ops/gather.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "tensor/convert.h"

namespace tenon::ops {
namespace {

/// One of the two values: a number where it is known, else an input that is read from their tensor.
int value_of(Rewriter& rw, Expr& expr, Values& in, ValueId values, int64_t i) {
  const DType type = rw.fact(values).dtype();
  if (const Tensor* known = rw.constant_of(values))
    return is_float(type) ? expr.add_real(element_as_double(*known, i), type) : expr.add_int(element_as_int(*known, i), type);
  const ValueId at = rw.constant(scalar_tensor(DType::i64, static_cast<double>(i)));
  in.push_back(rw.emit(Gather{.axis = 0}, {values, at})[0]);
  return expr.add_input(static_cast<int>(in.size()) - 1, type);
}

}  // namespace

/// Positions are compared with 0, 1, 2, … along the new axis; negative ones count from the end.
std::optional<Values> compare_one_hot(Rewriter& rw, const Node& node) {
  const Fact x = rw.fact(node.in[0]), depth = rw.fact(node.in[1]), values = rw.fact(node.in[2]), y = rw.fact(node.out[0]);
  if (!x.has_rank() || !is_real(x.dtype()) || !is_real(y.dtype()) || !values.has_rank() || !(values.shape() == Shape{2}))
    return std::nullopt;
  const auto axis = normalize_axis(node.op.as<OneHot>()->axis, y.rank());
  if (!axis.ok()) return std::nullopt;
  const Dim size = y.shape()[*axis];
  const auto known = size.constant();
  if (known ? *known > INT32_MAX : depth.dtype() != DType::i64 || !depth.elems || depth.elems->size() != 1) return std::nullopt;
  std::vector<Dim> dims = x.shape().dims();
  dims.insert(dims.begin() + *axis, 1);
  Values in = {rw.emit(Reshape{.shape = dims}, {node.in[0]})[0]};
  in.push_back(numbers_below(rw, size, node.in[1], y.rank() - 1 - *axis));

  Expr expr;
  const DType lane = is_float(x.dtype()) ? DType::f64 : DType::i64;  // where a position and a depth lose nothing
  const auto as_lane = [&](int at) { return expr.type_of(at) == lane ? at : expr.add_cast(at, lane); };
  const int given = as_lane(expr.add_input(0, x.dtype())), number = as_lane(expr.add_input(1, DType::i64));
  int position = given;
  if (!is_unsigned_int(x.dtype()) && x.dtype() != DType::boolean) {
    int end = -1;
    if (known) {
      end = expr.add_constant(static_cast<double>(*known), lane);
    } else {
      in.push_back(node.in[1]);
      end = as_lane(expr.add_input(2, DType::i64));
    }
    const int from_end = expr.add(Fn::add, given, end);
    position = expr.add(Fn::where, expr.add(Fn::less, given, expr.add_constant(0, lane)), from_end, given);
  }
  // What lies between two positions counts as the first.
  if (lane == DType::f64) position = expr.add(Fn::floor, position);
  const int on = value_of(rw, expr, in, node.in[2], 1), off = value_of(rw, expr, in, node.in[2], 0);
  expr.results = {expr.add(Fn::where, expr.add(Fn::equal, position, number), on, off)};
  return rw.emit(Pointwise{.expr = std::move(expr)}, std::move(in));
}

}  // namespace tenon::ops
