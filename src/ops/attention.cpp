#include "ops/attention.h"

#include <algorithm>

namespace tenon::ops {

namespace {

bool is_order(const std::vector<int64_t>& perm) {
  if (perm.empty()) return true;
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  return sorted == std::vector<int64_t>{0, 1, 2, 3} && perm.back() == 3;
}

Result<engine::AttentionProblem> sized(const Attention& op, std::span<const Fact> in) {
  engine::AttentionProblem p{.type = in[0].dtype(), .scale = op.scale, .causal = op.causal, .q = op.q, .k = op.k, .v = op.v};
  if (!is_order(op.perm)) return fail("perm is no order of four dims that leaves the last in its place");
  p.perm = op.perm;
  p.nan_to_zero = op.nan_to_zero;
  const bool dense = op.q.strides.empty() && op.k.strides.empty() && op.v.strides.empty();
  for (const Fact& x : in.first(3)) {
    if (x.dtype() != p.type) return fail("q, k and v must be of one type, got {} and {}", to_string(p.type), to_string(x.dtype()));
    if (dense && x.rank() != 4) return fail("q, k and v must be [batch, heads, time, width], got {}", to_string(x.shape()));
  }
  std::vector<Dim> sizes = op.sizes;
  if (dense) {
    const Shape &q = in[0].shape(), &k = in[1].shape(), &v = in[2].shape();
    sizes = {q[0], q[1], k[1], q[2], k[2], q[3], v[3]};
  }
  if (sizes.size() != 7) return fail("operands inside other tensors want seven sizes, got {}", sizes.size());
  for (const engine::HeadsView* view : {&op.q, &op.k, &op.v})
    if (!dense && view->strides.size() != 3) return fail("a view wants three strides, got {}", view->strides.size());
  p.batch = sizes[0], p.heads = sizes[1], p.kv_heads = sizes[2], p.tq = sizes[3], p.tk = sizes[4], p.d = sizes[5], p.dv = sizes[6];
  return p;
}

}  // namespace

Result<Facts> infer(const Attention& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact &q = in[0], &k = in[1], &v = in[2];
  for (const Fact* x : {&q, &k, &v})
    if (!x->has_rank()) return Facts{Fact(q.dtype(), Shape::unknown())};
  TENON_TRY(p, sized(op, in));
  const auto differ = [&](const Dim& a, const Dim& b) { return ctx.symbols->known_equal(a, b) == Known::no; };
  if (op.q.strides.empty() &&
      (differ(q.shape()[3], k.shape()[3]) || differ(k.shape()[1], v.shape()[1]) || differ(k.shape()[2], v.shape()[2])))
    return fail("q {}, k {} and v {} do not fit", to_string(q.shape()), to_string(k.shape()), to_string(v.shape()));
  const auto heads = p.heads.constant(), kv_heads = p.kv_heads.constant();
  if (heads && kv_heads && (*kv_heads == 0 || *heads % *kv_heads != 0)) return fail("{} heads for {} of k and v", *heads, *kv_heads);
  return Facts{Fact(q.dtype(), Shape(p.out_dims()))};
}

Result<engine::Problem> problem(const Attention& op, std::span<const Fact> in, std::span<const Fact>) {
  for (const Fact& x : in.first(3))
    if (!x.has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  TENON_TRY(p, sized(op, in));
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
