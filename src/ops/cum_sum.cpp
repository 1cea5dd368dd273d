#include "ops/cum_sum.h"

namespace tenon::ops {

Result<Facts> infer(const CumSum&, std::span<const Fact> in, InferCtx&) {
  if (const auto axis = in[1].ints(); axis && axis->size() == 1 && in[0].has_rank()) TENON_OK(normalize_axis((*axis)[0], in[0].rank()));
  return Facts{Fact(in[0].type)};
}

Result<engine::Problem> problem(const CumSum& op, std::span<const Fact> in, std::span<const Fact>) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  const auto given = in[1].ints();
  if (!given) return fail(ErrorKind::unsupported, "the axis is not known");
  if (given->size() != 1) return fail("the axis has shape {}, wanted one element", to_string(in[1].shape()));
  TENON_TRY(axis, normalize_axis((*given)[0], in[0].rank()));
  return engine::Problem(engine::CumulativeProblem{.type = in[0].dtype(),
                                                   .shape = in[0].shape(),
                                                   .axis = axis,
                                                   .exclusive = op.exclusive,
                                                   .reverse = op.reverse,
                                                   .product = op.product});
}

template OpRow make_row<CumSum>();

}  // namespace tenon::ops
