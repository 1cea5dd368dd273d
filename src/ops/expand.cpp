#include "ops/expand.h"

#include "ops/move.h"
#include "tensor/convert.h"

namespace tenon::ops {

Result<Facts> infer(const Expand&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.size() != 2) return fail("x and a shape are wanted, got {} inputs", in.size());
  Fact out(in[0].dtype(), Shape::unknown());
  if (!in[0].has_rank()) return Facts{std::move(out)};
  if (in[1].elems) {
    for (const Dim& dim : *in[1].elems)
      if (const auto number = dim.constant(); number && *number < 0)
        return fail("the shape {} has a negative dim", to_string(Shape(*in[1].elems)));
    TENON_TRY(joined, broadcast_shapes(in[0].shape(), Shape(*in[1].elems)));
    out.type.shape = std::move(joined);
    if (in[0].elems && in[0].elems->size() == 1 && out.shape().rank() <= 1) {
      const auto count = out.shape().elems().constant();
      if (count && *count <= Fact::kMaxElems) out.elems = std::vector<Dim>(static_cast<size_t>(*count), (*in[0].elems)[0]);
    }
    return Facts{std::move(out)};
  }
  const auto rank = in[1].has_rank() && in[1].rank() == 1 ? in[1].shape()[0].constant() : std::nullopt;
  if (!rank || *rank > 64) return Facts{std::move(out)};
  Shape shape;
  for (int64_t d = 0; d < std::max(*rank, in[0].rank()); ++d) shape.dims().push_back(ctx.mint("expand"));
  out.type.shape = std::move(shape);
  return Facts{std::move(out)};
}

Result<engine::Problem> problem(const Expand&, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank() || !in[1].elems) return fail(ErrorKind::unsupported, "the shape is not known");
  if (in[0].dtype() == DType::str) return fail(ErrorKind::unsupported, "strings");
  const Shape &x = in[0].shape(), &y = out[0].shape();
  engine::CopyProblem copy{.type = in[0].dtype(), .shape = y, .strides = std::vector<Dim>(static_cast<size_t>(y.rank()))};
  Dim stride(1);
  for (int64_t d = x.rank(); d-- > 0; stride = stride * x[d]) {
    const int64_t to = d + y.rank() - x.rank();
    if (x[d] == y[to]) {
      copy.strides[static_cast<size_t>(to)] = stride;
    } else if (!(x[d] == Dim(1))) {
      // Whether it is 1, and so repeats, only a run knows: arithmetic that keeps the element broadcasts so.
      if (!is_real(in[0].dtype()) || bits_of(in[0].dtype()) < 8)
        return fail(ErrorKind::unsupported, "whether {} is 1 is not known", to_string(x[d]));
      engine::PointwiseProblem p{.in = {x}, .out = y};
      p.expr.results = {p.expr.add_input(0, in[0].dtype())};
      return engine::Problem(std::move(p));
    }
  }
  return engine::Problem(std::move(copy));
}

Result<void> eval(const Expand& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(dims, known_dims(op, in));
  TENON_OK(prepare_output(out[0], x.dtype, dims));
  Dims strides(dims.size(), 0);
  const Dims own = strides_of(x.dims);
  const size_t front = dims.size() - x.dims.size();
  for (size_t d = 0; d < x.dims.size(); ++d) strides[front + d] = x.dims[d] == 1 ? 0 : own[d];
  // The last dim in one piece: elements side by side, or one that repeats.
  const int64_t run = dims.empty() ? 1 : dims.back();
  const bool repeats = dims.empty() || strides.back() == 0;
  Dims outer = dims;
  if (!outer.empty() && run > 0) outer.back() = 1;
  int64_t k = 0;
  for (Odometer at(outer); at.inside(); at.next(), k += run) {
    if (repeats) fill_elems(x, at.dot(strides), out[0].tensor, k, run);
    if (!repeats) copy_elems(x, at.dot(strides), out[0].tensor, k, run);
  }
  return {};
}

template OpRow make_row<Expand>();

}  // namespace tenon::ops
