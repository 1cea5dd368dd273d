#include "ops/resize.h"

#include <cmath>

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
    for (const int64_t axis : axes)
      shape[axis] = Dim(static_cast<int64_t>(std::floor(scale * static_cast<double>(*shape[axis].constant()) + 0.5)));
  } else if (scales && in[2].constant) {
    TENON_OK(checked(static_cast<size_t>(in[2].constant->elems())));
    for (size_t i = 0; i < axes.size(); ++i) {
      const double scale = element_as_double(*in[2].constant, static_cast<int64_t>(i));
      if (!(scale > 0 && scale < 1e9)) return fail("scale {} is {}", i, scale);
      Dim& dim = shape[axes[i]];
      const auto whole = static_cast<int64_t>(scale);
      if (const auto from = dim.constant()) {
        dim = Dim(static_cast<int64_t>(std::floor(static_cast<double>(*from) * scale)));
      } else if (static_cast<double>(whole) == scale) {
        dim = dim * Dim(whole);
      } else if (const auto by = static_cast<int64_t>(std::round(1 / scale)); 1 / static_cast<double>(by) == scale) {
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

template OpRow make_row<Resize>();

}  // namespace tenon::ops
