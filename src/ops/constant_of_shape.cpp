#include "ops/constant_of_shape.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const ConstantOfShape&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.size() < 2) return fail("the value is missing");
  Fact out(in[1].dtype(), Shape::unknown());
  if (in[0].elems) {
    for (const Dim& dim : *in[0].elems)
      if (dim.is_constant() && *dim.constant() < 0) return fail("the shape {} has a negative dim", to_string(Shape(*in[0].elems)));
    out.type.shape = Shape(*in[0].elems);
  } else if (in[0].has_rank() && in[0].rank() == 1 && in[0].shape()[0].is_constant() && *in[0].shape()[0].constant() <= 64) {
    out.type.shape = Shape();
    for (int64_t i = 0; i < *in[0].shape()[0].constant(); ++i) out.type.shape.dims().push_back(ctx.mint("filled"));
  }
  if (!out.has_rank() || !in[1].elems || in[1].elems->size() != 1) return Facts{std::move(out)};
  if (const auto count = out.shape().elems().constant(); count && *count <= Fact::kMaxElems)
    out.elems = std::vector<Dim>(static_cast<size_t>(*count), (*in[1].elems)[0]);
  return Facts{std::move(out)};
}

Result<engine::Problem> problem(const ConstantOfShape&, std::span<const Fact> in, std::span<const Fact> out) {
  const Fact& value = in[1];
  if (!out[0].has_rank() || !value.has_rank() || value.dtype() == DType::str || !(value.shape().elems() == Dim(1)))
    return fail(ErrorKind::unsupported, "the rank is not known");
  return engine::Problem(
      engine::IndexProblem{.type = value.dtype(), .shape = Shape{out[0].shape().elems()}, .pieces = {{.source = 1, .strides = {0}}}});
}

Result<void> eval(const ConstantOfShape&, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& value = in[1].tensor;
  if (value.elems() != 1) return fail("the value has shape {}, wanted one element", to_string(value.dims));
  const Dims dims = ints_of(in[0].tensor);
  TENON_TRY(count, checked_elems(dims));
  TENON_OK(prepare_output(out[0], value.dtype, dims));
  fill_elems(value, 0, out[0].tensor, 0, count);
  return {};
}

template OpRow make_row<ConstantOfShape>();

}  // namespace tenon::ops
