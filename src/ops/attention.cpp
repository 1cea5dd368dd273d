#include "ops/attention.h"

namespace tenon::ops {

Result<Facts> infer(const Attention&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact &q = in[0], &k = in[1], &v = in[2];
  for (const Fact* x : {&q, &k, &v}) {
    if (!x->has_rank()) return Facts{Fact(q.dtype(), Shape::unknown())};
    if (x->rank() != 4 || x->dtype() != q.dtype())
      return fail("q, k and v must be [batch, heads, time, width] of one type, got {} {}", to_string(x->dtype()), to_string(x->shape()));
  }
  const auto differ = [&](const Dim& a, const Dim& b) { return ctx.symbols->known_equal(a, b) == Known::no; };
  if (differ(q.shape()[3], k.shape()[3]) || differ(k.shape()[1], v.shape()[1]) || differ(k.shape()[2], v.shape()[2]))
    return fail("q {}, k {} and v {} do not fit", to_string(q.shape()), to_string(k.shape()), to_string(v.shape()));
  const auto heads = q.shape()[1].constant(), kv_heads = k.shape()[1].constant();
  if (heads && kv_heads && (*kv_heads == 0 || *heads % *kv_heads != 0)) return fail("{} heads for {} of k and v", *heads, *kv_heads);
  return Facts{Fact(q.dtype(), Shape{q.shape()[0], q.shape()[1], q.shape()[2], v.shape()[3]})};
}

Result<engine::Problem> problem(const Attention& op, std::span<const Fact> in, std::span<const Fact>) {
  for (const Fact& x : in.first(3))
    if (!x.has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  const Shape &q = in[0].shape(), &k = in[1].shape(), &v = in[2].shape();
  engine::AttentionProblem p{.type = in[0].dtype(), .batch = q[0], .heads = q[1], .kv_heads = k[1], .tq = q[2], .tk = k[2], .d = q[3]};
  p.dv = v[3];
  p.scale = op.scale;
  p.causal = op.causal;
  if (present(in, 3)) {
    if (!in[3].has_rank()) return fail(ErrorKind::unsupported, "the rank of the mask is not known");
    p.has_mask = true;
    p.mask_type = in[3].dtype();
    p.mask = in[3].shape();
  }
  return engine::Problem(std::move(p));
}

template OpRow make_row<Attention>();

}  // namespace tenon::ops
