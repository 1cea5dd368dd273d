#include "ops/compress.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Compress& op, std::span<const Fact> in, InferCtx& ctx) {
  if (!op.axis) return Facts{Fact(in[0].dtype(), Shape{ctx.mint("compress")})};
  if (!in[0].has_rank()) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  TENON_TRY(axis, normalize_axis(*op.axis, in[0].rank()));
  Shape shape = in[0].shape();
  shape[axis] = ctx.mint("compress");
  return Facts{Fact(in[0].dtype(), std::move(shape))};
}

Result<void> eval(const Compress& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &x = in[0].tensor, &condition = in[1].tensor;
  const Dims dims = op.axis ? x.dims : Dims{x.elems()};
  TENON_TRY(axis, normalize_axis(op.axis.value_or(0), static_cast<int64_t>(dims.size())));
  const int64_t size = dims[static_cast<size_t>(axis)], outer = elems_before(dims, axis), inner = elems_after(dims, axis);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < condition.elems() && i < size; ++i)
    if (element_as_int(condition, i) != 0) kept.push_back(i);
  Dims out_dims = dims;
  out_dims[static_cast<size_t>(axis)] = static_cast<int64_t>(kept.size());
  TENON_OK(prepare_output(out[0], x.dtype, out_dims));
  int64_t to = 0;
  for (int64_t i = 0; i < outer; ++i) {
    for (const int64_t at : kept) {
      copy_elems(x, (i * size + at) * inner, out[0].tensor, to, inner);
      to += inner;
    }
  }
  return {};
}

template OpRow make_row<Compress>();

}  // namespace tenon::ops
