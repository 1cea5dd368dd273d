#include "ops/recurrence.h"

namespace tenon::ops {

Result<Facts> infer(const Recurrence& op, std::span<const Fact> in, InferCtx& ctx) {
  const bool lstm = op.cell == engine::CellKind::lstm;
  const size_t wanted = 2U + op.has_bias + op.has_lengths + op.has_h + op.has_c + op.has_peepholes;
  if (in.size() != wanted) return fail("{} inputs are wanted, got {}", wanted, in.size());
  if (ctx.output_count > (lstm ? 3 : 2)) return fail("{} outputs are wanted", ctx.output_count);
  const Fact &gates = in[0], &r = in[1];
  Facts out(lstm ? 3 : 2, Fact(gates.dtype(), Shape::unknown()));
  if (!gates.has_rank() || !r.has_rank()) return out;
  if (gates.rank() != 3 || r.rank() != 3)
    return fail("gates and R must have 3 dims, got {} and {}", to_string(gates.shape()), to_string(r.shape()));
  const Dim directions(op.directions), hidden = r.shape()[2], rows = hidden * Dim(engine::gates_of(op.cell));
  const auto differ = [&](const Dim& a, const Dim& b) { return ctx.symbols->known_equal(a, b) == Known::no; };
  if (differ(r.shape()[0], directions) || differ(r.shape()[1], rows) || differ(gates.shape()[2], directions * rows))
    return fail("gates {} and R {} do not fit", to_string(gates.shape()), to_string(r.shape()));
  const Dim seq = gates.shape()[op.batch_first ? 1 : 0], batch = gates.shape()[op.batch_first ? 0 : 1];
  out[0].type.shape = op.batch_first ? Shape{batch, seq, directions, hidden} : Shape{seq, directions, batch, hidden};
  for (size_t i = 1; i < out.size(); ++i)
    out[i].type.shape = op.batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  return out;
}

Result<engine::Problem> problem(const Recurrence& op, std::span<const Fact> in, std::span<const Fact>) {
  if (!in[0].has_rank() || !in[1].has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  const Shape& gates = in[0].shape();
  engine::RecurrentProblem p{
      .kind = op.cell, .type = in[0].dtype(), .seq = gates[op.batch_first ? 1 : 0], .batch = gates[op.batch_first ? 0 : 1]};
  p.hidden = in[1].shape()[2];
  p.directions = op.directions, p.reverse = op.reverse, p.batch_first = op.batch_first;
  p.linear_before_reset = op.linear_before_reset, p.input_forget = op.input_forget;
  p.has_bias = op.has_bias, p.has_lengths = op.has_lengths, p.has_h = op.has_h, p.has_c = op.has_c, p.has_peepholes = op.has_peepholes;
  p.activations = op.activations, p.clip = op.clip;
  return engine::Problem(std::move(p));
}

template OpRow make_row<Recurrence>();

}  // namespace tenon::ops
