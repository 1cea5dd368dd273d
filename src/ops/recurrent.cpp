#include "ops/recurrent.h"

namespace tenon::ops {
namespace {

/// Y, Y_h and `states - 1` more states; every size from X, and the hidden size from R where the attribute leaves it out.
template <class T>
Result<Facts> outputs(const T& op, std::span<const Fact> in, size_t states, int64_t gates) {
  if (in.size() < 3) return fail("X, W and R are wanted, got {} inputs", in.size());
  const Fact &x = in[0], &r = in[2];
  const DType dtype = x.dtype();
  Facts out(1 + states, Fact(dtype, Shape::unknown()));
  if (x.has_rank() && x.rank() != 3) return fail("X must be [seq, batch, input], got {}", to_string(x.shape()));
  if (r.has_rank() && r.rank() != 3) return fail("R must be [directions, gates * hidden, hidden], got {}", to_string(r.shape()));
  const Dim directions(op.direction == RnnDirection::bidirectional ? 2 : 1);
  Dim hidden(op.hidden_size);
  if (op.hidden_size == 0) {
    if (!r.has_rank()) return out;
    hidden = r.shape()[2];
  }
  if (hidden.is_constant() && *hidden.constant() < 0) return fail("hidden_size is {}", to_string(hidden));
  const Shape wanted{directions, hidden * Dim(gates), hidden};
  for (int64_t i = 0; r.has_rank() && i < 3; ++i)
    if (r.shape()[i].is_constant() && wanted[i].is_constant() && r.shape()[i] != wanted[i])
      return fail("R is {}, wanted {}", to_string(r.shape()), to_string(wanted));
  if (!x.has_rank()) return out;
  const Dim seq = x.shape()[op.batch_first ? 1 : 0], batch = x.shape()[op.batch_first ? 0 : 1];
  out[0].type.shape = op.batch_first ? Shape{batch, seq, directions, hidden} : Shape{seq, directions, batch, hidden};
  for (size_t i = 1; i < out.size(); ++i)
    out[i].type.shape = op.batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  return out;
}

}  // namespace

Result<Facts> infer(const RNN& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 1, 1); }
Result<Facts> infer(const GRU& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 1, 3); }
Result<Facts> infer(const LSTM& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 2, 4); }

template OpRow make_row<RNN>();
template OpRow make_row<GRU>();
template OpRow make_row<LSTM>();

}  // namespace tenon::ops
