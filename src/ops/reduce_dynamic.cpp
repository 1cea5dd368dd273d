#include "ops/reduce_dynamic.h"

#include "ops/reduce.h"
#include "reference/reference.h"

namespace tenon::ops {

Result<Facts> infer(const ReduceDynamic& op, std::span<const Fact> in, InferCtx& ctx) {
  if (in.size() != 2) return fail("x and axes are wanted, got {} inputs", in.size());
  if (const auto axes = in[1].ints()) {
    if (axes->empty() && op.noop_with_empty_axes) return Facts{Fact(in[0].type)};
    return infer(Reduce{.kind = op.kind, .axes = *axes, .keepdims = op.keepdims}, in.first(1), ctx);
  }
  if (!in[0].has_rank() || !op.keepdims) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  Shape shape = in[0].shape();
  for (Dim& dim : shape.dims())
    if (dim != Dim(1)) dim = ctx.mint("reduced");
  return Facts{Fact(in[0].dtype(), std::move(shape))};
}

Result<void> eval(const ReduceDynamic& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Dims axes = ints_of(in[1].tensor);
  if (axes.empty() && op.noop_with_empty_axes) {  // each element by itself: ReduceL2 gives its absolute value
    Tensor x = in[0].tensor;
    x.dims.push_back(1);
    const HostValue alone(std::move(x));
    return reference::run_op(make_op(Reduce{.kind = op.kind, .axes = {-1}, .keepdims = false}), std::span(&alone, 1), out);
  }
  return reference::run_op(make_op(Reduce{.kind = op.kind, .axes = axes, .keepdims = op.keepdims}), in.first(1), out);
}

template OpRow make_row<ReduceDynamic>();

}  // namespace tenon::ops
