#include "ops/norm.h"

namespace tenon::ops {

Result<Facts> infer(const Softmax& op, std::span<const Fact> in, InferCtx&) {
  if (in.size() != 1) return fail("one input is wanted, got {}", in.size());
  if (in[0].has_rank() && in[0].rank() > 0) TENON_OK(normalize_axis(op.axis, in[0].rank()));
  return Facts{Fact(in[0].dtype(), in[0].shape())};
}

Result<engine::Problem> problem(const Softmax& op, std::span<const Fact> in, std::span<const Fact>) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  engine::NormProblem norm{
      .kind = op.log ? engine::NormKind::log_softmax : engine::NormKind::softmax, .type = in[0].dtype(), .shape = in[0].shape()};
  if (in[0].rank() == 0) {
    norm.axes = 0;  // a scalar: its own softmax is 1
    return engine::Problem(std::move(norm));
  }
  TENON_TRY(axis, normalize_axis(op.axis, in[0].rank()));
  norm.axis = axis;
  return engine::Problem(std::move(norm));
}

Result<Facts> infer(const LayerNorm& op, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty()) return fail("x is wanted");
  Facts out{Fact(in[0].dtype(), in[0].shape())};
  Shape row = Shape::unknown();
  if (in[0].has_rank()) {
    TENON_TRY(axis, normalize_axis(op.axis, in[0].rank()));
    row = in[0].shape();
    for (int64_t d = axis; d < row.rank(); ++d) row[d] = 1;
  }
  while (static_cast<int>(out.size()) < ctx.output_count) out.push_back(Fact(in[0].dtype() == DType::f64 ? DType::f64 : DType::f32, row));
  return out;
}

Result<engine::Problem> problem(const LayerNorm& op, std::span<const Fact> in, std::span<const Fact>) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  TENON_TRY(axis, normalize_axis(op.axis, in[0].rank()));
  return engine::Problem(engine::NormProblem{.kind = op.rms ? engine::NormKind::rms : engine::NormKind::layer,
                                             .type = in[0].dtype(),
                                             .shape = in[0].shape(),
                                             .axis = axis,
                                             .axes = in[0].rank() - axis,
                                             .epsilon = op.epsilon,
                                             .has_scale = present(in, 1),
                                             .has_bias = present(in, 2)});
}

Result<Facts> infer(const BatchNorm&, std::span<const Fact> in, InferCtx&) {
  if (in.size() != 5) return fail("x, scale, bias, mean and variance are wanted, got {} inputs", in.size());
  if (in[0].has_rank() && in[0].rank() < 2) return fail("X must be [N, C, ...], got {}", to_string(in[0].shape()));
  return Facts{Fact(in[0].dtype(), in[0].shape())};
}

Result<engine::Problem> problem(const BatchNorm& op, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  engine::PointwiseProblem p{.out = out[0].shape()};
  const DType wide = widened(in[0].dtype());
  Shape channel(std::vector<Dim>(static_cast<size_t>(in[0].rank() - 1), Dim(1)));
  channel[0] = in[0].shape()[1];
  int x[5] = {};
  for (int i = 0; i < 5; ++i) {
    const Fact& fact = in[static_cast<size_t>(i)];
    const int value = p.expr.add_input(i, fact.dtype());
    x[i] = fact.dtype() == wide ? value : p.expr.add_cast(value, wide);
    p.in.push_back(i == 0 ? in[0].shape() : channel);
  }
  const int deviation = p.expr.add(Fn::sqrt, p.expr.add(Fn::add, x[4], p.expr.add_real(op.epsilon, wide)));
  const int scaled = p.expr.add(Fn::mul, p.expr.add(Fn::div, p.expr.add(Fn::sub, x[0], x[3]), deviation), x[1]);
  int y = p.expr.add(Fn::add, scaled, x[2]);
  if (out[0].dtype() != wide) y = p.expr.add_cast(y, out[0].dtype());
  p.expr.results = {y};
  return engine::Problem(std::move(p));
}

template OpRow make_row<BatchNorm>();
template OpRow make_row<LayerNorm>();
template OpRow make_row<Softmax>();

}  // namespace tenon::ops
