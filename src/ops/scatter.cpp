#include "ops/scatter.h"

namespace tenon::ops {

Result<Facts> infer(const ScatterElements& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank()) TENON_OK(normalize_axis(op.axis, in[0].rank()));
  if (in[0].dtype() != in[2].dtype())
    return fail("data of type {}, updates of type {}", to_string(in[0].dtype()), to_string(in[2].dtype()));
  return Facts{Fact(in[0].type)};
}

Result<Facts> infer(const ScatterND&, std::span<const Fact> in, InferCtx&) {
  if (in[0].dtype() != in[2].dtype())
    return fail("data of type {}, updates of type {}", to_string(in[0].dtype()), to_string(in[2].dtype()));
  if (in[1].has_rank() && in[1].rank() == 0) return fail("indices are a scalar");
  return Facts{Fact(in[0].type)};
}

template OpRow make_row<ScatterElements>();
template OpRow make_row<ScatterND>();

}  // namespace tenon::ops
