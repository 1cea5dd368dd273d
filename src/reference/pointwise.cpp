#include <algorithm>

#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {

Result<void> run(const engine::PointwiseProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(verify(p.expr));
  if (p.expr.results.size() != out.size())
    return fail("the expression has {} results, the step {} outputs", p.expr.results.size(), out.size());
  std::vector<Tensor> ins, outs;
  Dims joined;
  const size_t count = p.in.empty() ? in.size() : std::min(in.size(), p.in.size());
  for (size_t i = 0; i < count; ++i) {
    TENON_TRY(tensor, operand(in, i, "an operand"));
    TENON_TRY(dims, dims_like(i < p.in.size() ? p.in[i] : Shape::unknown(), *tensor));
    TENON_TRY(next, broadcast_dims(joined, dims));
    joined = next;
    ins.push_back(Tensor::wrap(tensor->dtype, dims, tensor->data, tensor->owner));
  }
  // A pass may have left operands out of the expression that gave the result its shape.
  if (const auto known = p.out.constant()) joined = *known;
  for (size_t i = 0; i < out.size(); ++i) {
    TENON_OK(fit_output(out[i], p.expr.type_of(p.expr.results[i]), joined));
    outs.push_back(Tensor::wrap(out[i].tensor.dtype, joined, out[i].tensor.data, out[i].tensor.owner));
  }
  return evaluate(p.expr, ins, outs);
}

}  // namespace tenon::reference
