#include "ops/resize.h"

#include <cmath>

#include "tensor/convert.h"

namespace tenon::ops {
namespace {

/// An empty tensor stands for an absent one: Resize-11 wants all four inputs.
bool given(std::span<const Fact> in, size_t i) {
  if (i >= in.size() || in[i].dtype() == DType::none) return false;
  return !(in[i].has_rank() && in[i].rank() == 1 && in[i].shape()[0] == Dim(0));
}

}  // namespace

Result<Facts> infer(const Resize& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  Dims axes = op.axes;
  if (axes.empty())
    for (int64_t i = 0; i < x.rank(); ++i) axes.push_back(i);
  Shape shape = x.shape();
  const bool sizes = given(in, 3), scales = given(in, 2);
  if (sizes == scales) return fail("exactly one of scales and sizes is wanted");
  for (int64_t& axis : axes) {
    TENON_TRY(at, normalize_axis(axis, x.rank()));
    axis = at;
  }
  const auto checked = [&](size_t count) -> Result<void> {
    if (count == axes.size()) return {};
    return fail("{} {} for {} axes", count, sizes ? "sizes" : "scales", axes.size());
  };
  if (sizes && in[3].elems && op.aspect_policy == AspectPolicy::stretch) {
    TENON_OK(checked(in[3].elems->size()));
    for (size_t i = 0; i < axes.size(); ++i) shape[axes[i]] = (*in[3].elems)[i];
  } else if (sizes && in[3].elems) {
    TENON_OK(checked(in[3].elems->size()));
    // ONNX Resize-18: one scale for all axes, the smallest or the largest; sizes round half up.
    double scale = op.aspect_policy == AspectPolicy::not_larger ? INFINITY : 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      const auto to = (*in[3].elems)[i].constant(), from = x.shape()[axes[i]].constant();
      if (!to || !from || *from == 0) {
        for (const int64_t axis : axes) shape[axis] = ctx.mint("resize");
        return Facts{Fact(x.dtype(), std::move(shape))};
      }
      const double one = static_cast<double>(*to) / static_cast<double>(*from);
      scale = op.aspect_policy == AspectPolicy::not_larger ? std::min(scale, one) : std::max(scale, one);
    }
    for (const int64_t axis : axes) shape[axis] = Dim(whole_number(std::floor(scale * static_cast<double>(*shape[axis].constant()) + 0.5)));
  } else if (scales && in[2].constant) {
    TENON_OK(checked(static_cast<size_t>(in[2].constant->elems())));
    for (size_t i = 0; i < axes.size(); ++i) {
      const double scale = element_as_double(*in[2].constant, static_cast<int64_t>(i));
      if (!(scale > 0 && scale < 1e9)) return fail("scale {} is {}", i, scale);
      Dim& dim = shape[axes[i]];
      const auto whole = static_cast<int64_t>(scale);
      if (const auto from = dim.constant()) {
        dim = Dim(whole_number(std::floor(static_cast<double>(*from) * scale)));
      } else if (static_cast<double>(whole) == scale) {
        dim = dim * Dim(whole);
      } else if (const auto by = whole_number(std::round(1 / scale)); 1 / static_cast<double>(by) == scale) {
        dim = floordiv(dim, Dim(by));
      } else {
        dim = ctx.mint("resize");
      }
    }
  } else {
    for (const int64_t axis : axes) shape[axis] = ctx.mint("resize");
  }
  for (const int64_t axis : axes)
    if (shape[axis].is_constant() && *shape[axis].constant() < 0) return fail("size {} of axis {}", to_string(shape[axis]), axis);
  return Facts{Fact(x.dtype(), std::move(shape))};
}

Result<engine::ResizeProblem> resize_problem(const Resize& op, std::span<const Fact> in, const Fact& out) {
  const Fact& x = in[0];
  if (!x.has_rank() || !out.has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  const auto rank = static_cast<size_t>(x.rank());
  engine::ResizeProblem p{.type = x.dtype(), .in = x.shape(), .out = out.shape(), .scales = std::vector<double>(rank, 1)};
  p.by_sizes = given(in, 3);
  p.mode = op.mode;
  p.coordinate_transform = op.coordinate_transform;
  p.nearest_mode = op.nearest_mode;
  p.antialias = op.antialias;
  p.exclude_outside = op.exclude_outside;
  p.cubic_coeff_a = op.cubic_coeff_a;
  p.extrapolation_value = op.extrapolation_value;
  const bool crops = op.coordinate_transform == CoordinateTransform::tf_crop_and_resize;
  if (crops) {
    p.roi.assign(rank, 0);
    p.roi.resize(2 * rank, 1);
  }
  const bool keeps_aspect = p.by_sizes && op.aspect_policy != AspectPolicy::stretch;
  double common = op.aspect_policy == AspectPolicy::not_larger ? INFINITY : 0;
  const size_t count = op.axes.empty() ? rank : op.axes.size();
  std::vector<size_t> chosen;
  for (size_t i = 0; i < count; ++i) {
    TENON_TRY(at, normalize_axis(op.axes.empty() ? static_cast<int64_t>(i) : op.axes[i], x.rank()));
    const auto axis = static_cast<size_t>(at);
    const auto number = static_cast<int64_t>(i);
    chosen.push_back(axis);
    if (keeps_aspect) {
      const auto to = in[3].elems ? (*in[3].elems)[i].constant() : std::nullopt, from = x.shape()[at].constant();
      if (!to || !from) return fail(ErrorKind::unsupported, "the common scale is not known");
      const double scale = static_cast<double>(*to) / static_cast<double>(*from);
      common = op.aspect_policy == AspectPolicy::not_larger ? std::min(common, scale) : std::max(common, scale);
    } else if (p.by_sizes) {
      p.scales[axis] = 0;
    } else {
      if (!in[2].constant) return fail(ErrorKind::unsupported, "the scales are not known");
      p.scales[axis] = element_as_double(*in[2].constant, number);
    }
    if (!crops) continue;
    if (!given(in, 1) || !in[1].constant) return fail(ErrorKind::unsupported, "the region is not known");
    if (in[1].constant->elems() != static_cast<int64_t>(2 * count)) return fail("roi must have {} elements", 2 * count);
    p.roi[axis] = element_as_double(*in[1].constant, number);
    p.roi[rank + axis] = element_as_double(*in[1].constant, static_cast<int64_t>(count) + number);
  }
  if (keeps_aspect)
    for (const size_t axis : chosen) p.scales[axis] = common;
  return p;
}

Result<engine::Problem> problem(const Resize& op, std::span<const Fact> in, std::span<const Fact> out) {
  const DType type = in[0].dtype();
  if (type == DType::str || is_complex(type)) return fail(ErrorKind::unsupported, "no real numbers");
  TENON_TRY(p, resize_problem(op, in, out[0]));
  return engine::Problem(std::move(p));
}

template OpRow make_row<Resize>();

}  // namespace tenon::ops
