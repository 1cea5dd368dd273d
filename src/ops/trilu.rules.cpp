// Triangles and diagonals compare the coordinates of rows and columns: arithmetic, which fuses with its neighbours.
#include "ops/trilu.h"

#include "ops/coordinates_rules.h"
#include "ops/eye_like.h"
#include "ops/pointwise.h"
#include "tensor/convert.h"

namespace tenon::ops {
namespace {

/// Types whose elements an expression passes on bit by bit.
bool passes_bits(DType type) { return type == DType::boolean || (is_real(type) && bits_of(type) >= (is_int(type) ? 8 : 16)); }

}  // namespace

std::optional<Values> compare_trilu(Rewriter& rw, const Node& node) {
  const Fact x = rw.fact(node.in[0]);
  if (!x.has_rank() || x.rank() < 2 || !passes_bits(x.dtype())) return std::nullopt;
  const ValueId k = node.in.size() > 1 ? node.in[1] : ValueId::none;
  const Tensor* known = k == ValueId::none ? nullptr : rw.constant_of(k);
  const Fact of_k = rw.fact(k);
  const auto elems = of_k.has_rank() ? of_k.shape().elems().constant() : std::nullopt;
  if (k != ValueId::none && (elems != 1 || of_k.rank() > 1 || of_k.dtype() != DType::i64)) return std::nullopt;
  Values in = {node.in[0], numbers_along(rw, node.in[0], x.rank() - 2, 1), numbers_along(rw, node.in[0], x.rank() - 1, 0)};
  Expr expr;
  const int element = expr.add_input(0, x.dtype()), row = expr.add_input(1, DType::i64), column = expr.add_input(2, DType::i64);
  int diagonal = -1;
  if (k == ValueId::none || known) {
    diagonal = expr.add_int(known ? element_as_int(*known, 0) : 0, DType::i64);
  } else {
    diagonal = expr.add_input(3, DType::i64);
    in.push_back(k);
  }
  const int keep = expr.add(node.op.as<Trilu>()->upper ? Fn::greater_equal : Fn::less_equal, expr.add(Fn::sub, column, row), diagonal);
  expr.results = {expr.add(Fn::where, keep, element, expr.add_constant(0, x.dtype()))};
  return rw.emit(Pointwise{.expr = std::move(expr)}, std::move(in));
}

std::optional<Values> compare_eye_like(Rewriter& rw, const Node& node) {
  const Fact &x = rw.fact(node.in[0]), &y = rw.fact(node.out[0]);
  const DType type = y.dtype();
  if (!x.has_rank() || x.rank() != 2 || !passes_bits(type)) return std::nullopt;
  const Values in = {numbers_along(rw, node.in[0], 0, 1), numbers_along(rw, node.in[0], 1, 0)};
  Expr expr;
  const int row = expr.add_input(0, DType::i64), column = expr.add_input(1, DType::i64);
  const int on = expr.add(Fn::equal, expr.add(Fn::sub, column, row), expr.add_int(node.op.as<EyeLike>()->k, DType::i64));
  const int one = expr.add_constant(1, type), zero = expr.add_constant(0, type);
  expr.results = {expr.add(Fn::where, on, one, zero)};
  return rw.emit(Pointwise{.expr = std::move(expr)}, in);
}

}  // namespace tenon::ops
