#include "ops/tensor_scatter.h"

#include "ops/coordinates_rules.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "ops/scatter.h"

namespace tenon::ops {

/// Rows of steps, scattered to positions that arithmetic finds. A write that does not fit gives positions outside of all rows.
std::optional<Values> scatter_rows(Rewriter& rw, const Node& node) {
  const TensorScatter& op = *node.op.as<TensorScatter>();
  const Fact cache = rw.fact(node.in[0]), update = rw.fact(node.in[1]);
  if (!cache.has_rank() || !update.has_rank() || cache.rank() != update.rank() || cache.dtype() == DType::str) return std::nullopt;
  const auto axis = normalize_axis(op.axis, cache.rank());
  if (!axis.ok() || *axis == 0) return std::nullopt;
  Dim heads = 1, inner = 1;  // dims between the batch and the steps, and behind those
  for (int64_t d = 0; d < cache.rank(); ++d) {
    if (d != *axis && !(cache.shape()[d] == update.shape()[d])) return std::nullopt;
    if (d > 0 && d < *axis) heads = heads * cache.shape()[d];
    if (d > *axis) inner = inner * cache.shape()[d];
  }
  const Dim batch = cache.shape()[0], size = cache.shape()[*axis], steps = update.shape()[*axis];
  const ValueId indices = node.in.size() > 2 ? node.in[2] : ValueId::none;
  const Fact of_indices = rw.fact(indices);
  if (indices != ValueId::none && (of_indices.dtype() != DType::i64 || !of_indices.has_rank() || !(of_indices.shape() == Shape{batch})))
    return std::nullopt;

  const auto view = [&](ValueId x, std::vector<Dim> dims) { return rw.emit(Reshape{.shape = std::move(dims)}, {x})[0]; };
  const ValueId from = view(node.in[1], {batch, heads, steps, inner}), to = view(node.in[0], {batch, heads, size, inner});
  Values in = {numbers_along(rw, from, 0, 2), numbers_along(rw, from, 1, 1), numbers_along(rw, from, 2, 0),
               size_along(rw, from, 1),       size_along(rw, from, 2),       size_along(rw, to, 2)};
  Expr expr;
  std::vector<int> at;
  for (int i = 0; i < 6; ++i) at.push_back(expr.add_input(i, DType::i64));
  int first = expr.add_int(0, DType::i64);
  if (indices != ValueId::none) {
    in.push_back(view(indices, {batch, 1, 1}));
    first = expr.add_input(6, DType::i64);
  }
  int step = expr.add(Fn::add, first, at[2]);
  if (op.circular) step = expr.add(Fn::mod, step, at[5]);
  const int slice = expr.add(Fn::add, expr.add(Fn::mul, at[0], at[3]), at[1]);
  const int row = expr.add(Fn::add, expr.add(Fn::mul, slice, at[5]), step);
  const int fits = op.circular ? expr.add(Fn::less_equal, at[4], at[5]) : expr.add(Fn::less_equal, first, expr.add(Fn::sub, at[5], at[4]));
  const int both = expr.add(Fn::logical_and, fits, expr.add(Fn::greater_equal, first, expr.add_int(0, DType::i64)));
  expr.results = {expr.add(Fn::where, both, row, expr.add_int(INT64_MIN / 2, DType::i64))};
  const ValueId rows = rw.emit(Pointwise{.expr = std::move(expr)}, std::move(in))[0];

  const Dim slices = batch * heads;
  const ValueId y =
      rw.emit(ScatterND{}, {view(to, {slices * size, inner}), view(rows, {slices * steps, 1}), view(from, {slices * steps, inner})})[0];
  return Values{view(y, cache.shape().dims())};
}

}  // namespace tenon::ops
