#include "ops/reverse_sequence.h"

#include "ops/coordinates_rules.h"
#include "ops/gather.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"

namespace tenon::ops {

/// Rows of steps, gathered at positions that arithmetic finds. A length outside [0, steps] gives positions outside of all rows.
std::optional<Values> gather_reversed(Rewriter& rw, const Node& node) {
  const ReverseSequence& op = *node.op.as<ReverseSequence>();
  const Fact x = rw.fact(node.in[0]), lengths = rw.fact(node.in[1]);
  if (!x.has_rank() || !lengths.has_rank() || lengths.rank() != 1 || x.dtype() == DType::str) return std::nullopt;
  if (lengths.dtype() != DType::i64 && lengths.dtype() != DType::i32) return std::nullopt;
  const auto time = normalize_axis(op.time_axis, x.rank()), batch = normalize_axis(op.batch_axis, x.rank());
  if (!time.ok() || !batch.ok() || *time + *batch != 1) return std::nullopt;
  const Dim steps = x.shape()[*time], sequences = x.shape()[*batch];
  if (!(lengths.shape()[0] == sequences)) return std::nullopt;

  Values in = {node.in[1], numbers_along(rw, node.in[0], *time, 1 - *time), numbers_along(rw, node.in[0], *batch, 1 - *batch),
               size_along(rw, node.in[0], *time), size_along(rw, node.in[0], *batch)};
  if (*batch == 0) in[0] = rw.emit(Reshape{.shape = std::vector<Dim>{sequences, 1}}, {in[0]})[0];
  Expr expr;
  const int given = expr.add_input(0, lengths.dtype()), step = expr.add_input(1, DType::i64), sequence = expr.add_input(2, DType::i64);
  const int all_steps = expr.add_input(3, DType::i64), all_sequences = expr.add_input(4, DType::i64);
  const int length = expr.add_cast(given, DType::i64);
  const int mirrored = expr.add(Fn::sub, expr.add(Fn::sub, length, expr.add_int(1, DType::i64)), step);
  const int from = expr.add(Fn::where, expr.add(Fn::less, step, length), mirrored, step);
  const int row = *time == 0 ? expr.add(Fn::add, expr.add(Fn::mul, from, all_sequences), sequence)
                             : expr.add(Fn::add, expr.add(Fn::mul, sequence, all_steps), from);
  const int fits = expr.add(Fn::logical_and, expr.add(Fn::greater_equal, length, expr.add_int(0, DType::i64)),
                            expr.add(Fn::less_equal, length, all_steps));
  expr.results = {expr.add(Fn::where, fits, row, expr.add_int(INT64_MIN / 2, DType::i64))};
  const ValueId rows = rw.emit(Pointwise{.expr = std::move(expr)}, std::move(in))[0];

  std::vector<Dim> joined(x.shape().dims().begin() + 1, x.shape().dims().end());
  joined[0] = x.shape()[0] * x.shape()[1];
  return rw.emit(Gather{.axis = 0}, {rw.emit(Reshape{.shape = std::move(joined)}, {node.in[0]})[0], rows});
}

}  // namespace tenon::ops
