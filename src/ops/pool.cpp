#include "ops/pool.h"

namespace tenon::ops {
namespace {

Result<Slide> slide_of(const Pool& op, const Shape& x) {
  Window window{.strides = op.strides, .dilations = op.dilations, .pads = op.pads, .auto_pad = op.auto_pad, .ceil_mode = op.ceil_mode};
  for (const int64_t k : op.kernel) {
    if (k < 1) return fail("kernel_shape must be at least 1, got {}", k);
    window.kernel.push_back(k);
  }
  return slide(window, spatial_of(x, op.channels_last));
}

}  // namespace

Result<Facts> infer(const Pool& op, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty()) return fail("x is wanted");
  if (op.channels_last && ctx.output_count > 1) return fail("with channels_last there are no indices");
  Shape out = Shape::unknown();
  if (in[0].has_rank()) {
    const Shape& x = in[0].shape();
    TENON_OK(check_spatial(x, "X"));
    TENON_TRY(window, slide_of(op, x));
    out = laid_out(x[0], x[channel_axis(x, op.channels_last)], window.out, op.channels_last);
  }
  Facts facts{Fact(in[0].dtype(), out)};
  if (ctx.output_count > 1) facts.push_back(Fact(DType::i64, out));
  return facts;
}

Result<engine::Problem> problem(const Pool& op, std::span<const Fact> in, std::span<const Fact>) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  const Shape& x = in[0].shape();
  TENON_TRY(window, slide_of(op, x));
  engine::PoolProblem pool{.kind = op.kind, .type = in[0].dtype(), .n = x[0]};
  const std::span<const Dim> spatial = spatial_of(x, op.channels_last);
  pool.c = x[channel_axis(x, op.channels_last)];
  pool.in_spatial.assign(spatial.begin(), spatial.end());
  pool.out_spatial = window.out;
  pool.pads = window.pads_begin;
  pool.pads_end = window.pads_end;
  pool.kernel = op.kernel;
  pool.strides = window.strides;
  pool.dilations = window.dilations;
  pool.count_include_pad = op.count_include_pad;
  pool.p = op.p;
  pool.column_major_index = op.column_major_index;
  pool.channels_last = op.channels_last;
  return engine::Problem(std::move(pool));
}

template OpRow make_row<Pool>();

}  // namespace tenon::ops
