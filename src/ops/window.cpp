#include "ops/window.h"

namespace tenon::ops {

Result<void> check_spatial(const Shape& x, std::string_view name) {
  if (x.rank() < 3) return fail("{} must be [N, C, spatial...], got {}", name, to_string(x));
  return {};
}

std::span<const Dim> spatial_of(const Shape& shape, bool channels_last) {
  return std::span(shape.dims()).subspan(channels_last ? 1 : 2, static_cast<size_t>(shape.rank()) - 2);
}

Shape laid_out(const Dim& n, const Dim& c, std::span<const Dim> spatial, bool channels_last) {
  Shape out{n};
  if (!channels_last) out.dims().push_back(c);
  out.dims().insert(out.dims().end(), spatial.begin(), spatial.end());
  if (channels_last) out.dims().push_back(c);
  return out;
}

Result<Slide> slide(const Window& window, std::span<const Dim> spatial) {
  const size_t n = spatial.size();
  Slide out{.strides = window.strides, .dilations = window.dilations};
  std::vector<int64_t> pads = window.pads;
  if (out.strides.empty()) out.strides.assign(n, 1);
  if (out.dilations.empty()) out.dilations.assign(n, 1);
  if (pads.empty() || window.auto_pad != AutoPad::notset) pads.assign(2 * n, 0);
  if (window.kernel.size() != n || out.strides.size() != n || out.dilations.size() != n || pads.size() != 2 * n)
    return fail(
        "kernel, strides, dilations and pads must have {0}, {0}, {0} and {1} entries for {0} spatial dims, got {2}, {3}, {4} and {5}", n,
        2 * n, window.kernel.size(), out.strides.size(), out.dilations.size(), pads.size());
  for (size_t i = 0; i < n; ++i) {
    const int64_t s = out.strides[i], d = out.dilations[i];
    if (s < 1 || d < 1) return fail("strides and dilations must be at least 1, got {} and {}", s, d);
    const Dim reach = (window.kernel[i] - 1) * d + 1;  // what one window covers
    const Dim begin(pads[i]), end(pads[n + i]);
    if (window.auto_pad == AutoPad::same_upper || window.auto_pad == AutoPad::same_lower) {
      const Dim size = ceildiv(spatial[i], s);
      const Dim total = max((size - 1) * s + reach - spatial[i], 0);
      const Dim small = floordiv(total, 2);
      out.out.push_back(size);
      out.pads_begin.push_back(window.auto_pad == AutoPad::same_upper ? small : total - small);
      out.pads_end.push_back(window.auto_pad == AutoPad::same_upper ? total - small : small);
      continue;
    }
    const Dim room = spatial[i] + begin + end - reach;
    if (const auto known = room.constant(); known && *known < 0)
      return fail("a window of {} is larger than the padded input of {}", to_string(reach), to_string(spatial[i] + begin + end));
    Dim size = (window.ceil_mode ? ceildiv(room, s) : floordiv(room, s)) + 1;
    if (window.ceil_mode) size = min(size, floordiv(spatial[i] + begin - 1, s) + 1);  // a window may not start in the end padding
    out.out.push_back(size);
    out.pads_begin.push_back(begin);
    out.pads_end.push_back(end);
  }
  return out;
}

}  // namespace tenon::ops
