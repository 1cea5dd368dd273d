#include "ops/top_k.h"

namespace tenon::ops {

Result<Facts> infer(const TopK& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown()), Fact(DType::i64, Shape::unknown())};
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  Shape shape = x.shape();
  shape[axis] = in[1].elems && in[1].elems->size() == 1 ? (*in[1].elems)[0] : ctx.mint("topk");
  if (shape[axis].is_constant() && *shape[axis].constant() < 0) return fail("k is {}", to_string(shape[axis]));
  if (ctx.symbols->known_less(x.shape()[axis], shape[axis]) == Known::yes)
    return fail("k = {} of only {} elements along axis {}", to_string(shape[axis]), to_string(x.shape()[axis]), axis);
  return Facts{Fact(x.dtype(), shape), Fact(DType::i64, shape)};
}

Result<engine::Problem> problem(const TopK& op, std::span<const Fact> in, std::span<const Fact>) {
  const Fact& x = in[0];
  if (!x.has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  if (!in[1].elems || in[1].elems->size() != 1) return fail(ErrorKind::unsupported, "k is not known");
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  return engine::Problem(
      engine::TopKProblem{.type = x.dtype(), .shape = x.shape(), .axis = axis, .k = (*in[1].elems)[0], .largest = op.largest});
}

template OpRow make_row<TopK>();

}  // namespace tenon::ops
