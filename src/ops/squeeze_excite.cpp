#include "ops/squeeze_excite.h"

namespace tenon::ops {

Result<Facts> infer(const SqueezeExcite& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!is_float(x.dtype())) return fail("wants floats, got {}", to_string(x.dtype()));
  for (const Fact& weight : in.subspan(1, 4))
    if (weight.dtype() != x.dtype()) return fail("weights are {}, x is {}", to_string(weight.dtype()), to_string(x.dtype()));
  if (!op.inner.empty() && op.inner.results.size() != 1) return fail("the inner expression has {} results", op.inner.results.size());
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  if (x.rank() < 3) return fail("x must be [n, spatial…, c], got {}", to_string(x.shape()));
  const Dim& c = x.shape()[x.rank() - 1];
  const auto fits = [&](const Fact& fact, int64_t rank, int64_t axis) {
    return !fact.has_rank() || (fact.rank() == rank && ctx.symbols->known_equal(fact.shape()[axis], c) != Known::no);
  };
  if (!fits(in[1], 2, 1) || !fits(in[2], 2, 0) || !fits(in[4], 1, 0))
    return fail("weights {}, {} and bias {} do not fit x {}", to_string(in[1].shape()), to_string(in[2].shape()), to_string(in[4].shape()),
                to_string(x.shape()));
  Shape out = x.shape();
  for (int64_t axis = 1; axis + 1 < out.rank(); ++axis) out[axis] = 1;
  return Facts{Fact(x.dtype(), out)};
}

Result<engine::Problem> problem(const SqueezeExcite& op, std::span<const Fact> in, std::span<const Fact>) {
  const Fact &x = in[0], &w = in[1];
  if (!x.has_rank() || !w.has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  engine::SqueezeExciteProblem p{.type = x.dtype(), .n = x.shape()[0], .area = 1, .c = x.shape()[x.rank() - 1], .m = w.shape()[0]};
  p.spatial = x.rank() - 2;
  for (int64_t axis = 1; axis + 1 < x.rank(); ++axis) p.area = p.area * x.shape()[axis];
  p.inner = op.inner;
  return engine::Problem(std::move(p));
}

template OpRow make_row<SqueezeExcite>();

}  // namespace tenon::ops
