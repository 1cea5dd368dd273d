#include "ops/join_pixels.h"

namespace tenon::ops {

Result<Facts> infer(const JoinPixels& op, std::span<const Fact> in, InferCtx&) {
  const Fact& x = in[0];
  const DType to = op.to == DType::none ? x.dtype() : op.to;
  if (to != x.dtype() && (!is_float(to) || !is_float(x.dtype()))) return fail("{} does not become {}", to_string(x.dtype()), to_string(to));
  if (op.channels < 1 || op.pixels < 1 || op.before < 0)
    return fail("channels {}, pixels {}, before {}", op.channels, op.pixels, op.before);
  if (!x.has_rank()) return Facts{Fact(to, Shape::unknown())};
  if (x.rank() != 4) return fail("x must be [n, c, h, w], got {}", to_string(x.shape()));
  const auto c = x.shape()[1].constant();
  if (!c || *c > op.channels) return fail("x {} has more than {} channels", to_string(x.shape()), op.channels);
  const Dim width = floordiv(x.shape()[3] + op.before + op.after, Dim(op.pixels));
  if (width.is_constant() && *width.constant() < 0) return fail("{} pixels are dropped of {}", -op.after, to_string(x.shape()));
  return Facts{Fact(to, Shape{x.shape()[0], x.shape()[2], width, Dim(op.pixels * op.channels)})};
}

Result<engine::Problem> problem(const JoinPixels& op, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  const Shape& x = in[0].shape();
  const Dim plane = x[2] * x[3];
  engine::IndexProblem index{.type = in[0].dtype()};
  if (out[0].dtype() != in[0].dtype()) index.to = out[0].dtype();
  index.shape = Shape{x[0], x[2], out[0].shape()[2], op.pixels, op.channels};
  engine::IndexTerm pixel{
      .start = -op.before, .steps = {0, 0, op.pixels, 1, 0}, .outside = engine::Outside::fill, .size = x[3], .stride = 1};
  engine::IndexTerm channel{.steps = {0, 0, 0, 0, 1}, .outside = engine::Outside::fill, .size = x[1], .stride = plane};
  index.pieces = {{.strides = {x[1] * plane, x[3], 0, 0, 0}, .terms = {std::move(pixel), std::move(channel)}}};
  return engine::Problem(std::move(index));
}

template OpRow make_row<JoinPixels>();

}  // namespace tenon::ops
