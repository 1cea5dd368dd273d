#include "ops/conv.h"

namespace tenon::ops {
namespace {

Result<void> check_operands(std::span<const Fact> in, int64_t groups) {
  if (in.size() < 2) return fail("x and w are wanted, got {} inputs", in.size());
  if (groups < 1) return fail("group must be at least 1, got {}", groups);
  if (!in[0].has_rank() || !in[1].has_rank()) return {};
  TENON_OK(check_spatial(in[0].shape(), "X"));
  if (in[1].rank() != in[0].rank())
    return fail("W must have as many dims as X: X is {}, W is {}", to_string(in[0].shape()), to_string(in[1].shape()));
  return {};
}

Result<Slide> slide_of(const Conv& op, const Shape& x, const Shape& w) {
  const std::span<const Dim> kernel = spatial_of(w, op.channels_last);
  return slide({.kernel = {kernel.begin(), kernel.end()},
                .strides = op.strides,
                .dilations = op.dilations,
                .pads = op.pads,
                .auto_pad = op.auto_pad},
               spatial_of(x, op.channels_last));
}

/// ONNX ConvTranspose: out = stride (in - 1) + output_padding + reach - pads; where the output's size is asked for, pads follow.
Result<Slide> slide_of(const ConvTranspose& op, const Shape& x, const Shape& w) {
  const std::span<const Dim> in = spatial_of(x, false), kernel = spatial_of(w, false);
  const size_t n = in.size();
  Slide out{.strides = op.strides, .dilations = op.dilations};
  std::vector<int64_t> pads = op.pads, extra = op.output_padding, wanted = op.output_shape;
  if (out.strides.empty()) out.strides.assign(n, 1);
  if (out.dilations.empty()) out.dilations.assign(n, 1);
  if (extra.empty()) extra.assign(n, 0);
  if (pads.empty()) pads.assign(2 * n, 0);
  if (wanted.size() == n + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (out.strides.size() != n || out.dilations.size() != n || extra.size() != n || pads.size() != 2 * n ||
      (!wanted.empty() && wanted.size() != n))
    return fail("strides, dilations, pads, output_padding or output_shape do not fit {} spatial dims", n);
  const bool same = op.auto_pad == AutoPad::same_upper || op.auto_pad == AutoPad::same_lower;
  for (size_t i = 0; i < n; ++i) {
    if (out.strides[i] < 1 || out.dilations[i] < 1) return fail("strides and dilations must be at least 1");
    const Dim reach = (kernel[i] - 1) * out.dilations[i] + 1;
    const Dim full = (in[i] - 1) * out.strides[i] + extra[i] + reach;
    if (!wanted.empty() || same) {
      const Dim size = wanted.empty() ? in[i] * out.strides[i] : Dim(wanted[i]);
      const Dim total = max(full - size, 0);
      const Dim half = floordiv(total, 2);
      out.out.push_back(size);
      out.pads_begin.push_back(op.auto_pad == AutoPad::same_upper ? half : total - half);
      out.pads_end.push_back(total - out.pads_begin.back());
      continue;
    }
    const bool valid = op.auto_pad == AutoPad::valid;
    out.pads_begin.push_back(valid ? 0 : pads[i]);
    out.pads_end.push_back(valid ? 0 : pads[n + i]);
    out.out.push_back(full - out.pads_begin.back() - out.pads_end.back());
  }
  return out;
}

bool is_channels_last(const Conv& op) { return op.channels_last; }
bool is_channels_last(const ConvTranspose&) { return false; }

template <class T>
Result<Facts> infer_conv(const T& op, std::span<const Fact> in, bool transposed) {
  TENON_OK(check_operands(in, op.groups));
  if (!in[0].has_rank() || !in[1].has_rank()) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  const Shape &x = in[0].shape(), &w = in[1].shape();
  const bool last = is_channels_last(op);
  const int64_t channels = channel_axis(x, last);
  const Dim wanted = transposed ? w[0] : w[channels] * op.groups;
  if (const auto c = x[channels].constant(), k = wanted.constant(); c && k && *c != *k)
    return fail("X has {} channels, W of shape {} with {} groups wants {}", *c, to_string(w), op.groups, *k);
  TENON_TRY(window, slide_of(op, x, w));
  return Facts{Fact(in[0].dtype(), laid_out(x[0], transposed ? w[1] * op.groups : w[0], window.out, last))};
}

template <class T>
Result<engine::Problem> conv_problem(const T& op, std::span<const Fact> in, std::span<const Fact> out, bool transposed) {
  if (!in[0].has_rank() || !in[1].has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  const Shape &x = in[0].shape(), &w = in[1].shape();
  TENON_TRY(window, slide_of(op, x, w));
  engine::ConvProblem conv{.x = in[0].dtype(), .w = in[1].dtype(), .out = out[0].dtype(), .n = x[0]};
  const bool last = is_channels_last(op);
  const std::span<const Dim> spatial = spatial_of(x, last), kernel = spatial_of(w, last);
  conv.c = x[channel_axis(x, last)];
  conv.m = transposed ? w[1] * op.groups : w[0];
  conv.in_spatial.assign(spatial.begin(), spatial.end());
  conv.kernel.assign(kernel.begin(), kernel.end());
  conv.out_spatial = window.out;
  conv.pads = window.pads_begin;
  conv.strides = window.strides;
  conv.dilations = window.dilations;
  conv.groups = op.groups;
  conv.transposed = transposed;
  conv.channels_last = last;
  conv.has_bias = in.size() > 2 && in[2].dtype() != DType::none;
  return engine::Problem(std::move(conv));
}

}  // namespace

Result<Facts> infer(const Conv& op, std::span<const Fact> in, InferCtx&) { return infer_conv(op, in, false); }
Result<engine::Problem> problem(const Conv& op, std::span<const Fact> in, std::span<const Fact> out) {
  return conv_problem(op, in, out, false);
}
Result<Facts> infer(const ConvTranspose& op, std::span<const Fact> in, InferCtx&) { return infer_conv(op, in, true); }
Result<engine::Problem> problem(const ConvTranspose& op, std::span<const Fact> in, std::span<const Fact> out) {
  return conv_problem(op, in, out, true);
}

template OpRow make_row<Conv>();
template OpRow make_row<ConvTranspose>();

}  // namespace tenon::ops
