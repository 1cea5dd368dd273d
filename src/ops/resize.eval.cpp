// Follows onnx/reference/ops/op_resize.py, the specification's own implementation, axis by axis: interpolation is separable.
#include <algorithm>
#include <cmath>

#include "ops/move.h"
#include "ops/resize.h"

namespace tenon::ops {
namespace {

using engine::ResizeProblem;

/// How one axis is resized.
struct Axis {
  int64_t in = 1, out = 1;
  double scale = 1;
  double length = 1;  // of the output before rounding: scale * in, or out where sizes are given
  double roi_start = 0, roi_end = 1;
};

/// The input coordinate of output coordinate x; nothing: outside, the extrapolation value stands there.
std::optional<double> source(const ResizeProblem& op, const Axis& axis, int64_t x) {
  const auto at = static_cast<double>(x), last = static_cast<double>(axis.in - 1);
  switch (op.coordinate_transform) {
    case CoordinateTransform::align_corners: return axis.length == 1 ? 0 : at * last / (axis.length - 1);
    case CoordinateTransform::asymmetric: return at / axis.scale;
    case CoordinateTransform::pytorch_half_pixel: return axis.out == 1 ? 0 : (at + 0.5) / axis.scale - 0.5;
    case CoordinateTransform::tf_half_pixel_for_nn: return (at + 0.5) / axis.scale;
    case CoordinateTransform::half_pixel_symmetric: {
      const double adjustment = static_cast<double>(axis.out) / axis.length, center = static_cast<double>(axis.in) / 2;
      return center * (1 - adjustment) + (at + 0.5) / axis.scale - 0.5;
    }
    case CoordinateTransform::tf_crop_and_resize: {
      const double span = axis.roi_end - axis.roi_start;
      const double from = axis.roi_start * last + (axis.length == 1 ? span * last / 2 : at * span * last / (axis.length - 1));
      if (from < 0 || from > last) return std::nullopt;
      return from;
    }
    case CoordinateTransform::half_pixel: break;
  }
  return (at + 0.5) / axis.scale - 0.5;
}

std::vector<double> normalized(std::vector<double> weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// Weights of the neighbours; `ratio` in (0, 1]: how far the coordinate lies past the one on its left.
std::vector<double> nearest_weights(const ResizeProblem& op, double ratio) {
  bool right = true;
  if (ratio != 1) {
    switch (op.nearest_mode) {
      case NearestMode::round_prefer_floor: right = ratio > 0.5; break;
      case NearestMode::round_prefer_ceil: right = ratio >= 0.5; break;
      case NearestMode::floor: right = false; break;
      case NearestMode::ceil: right = true; break;
    }
  }
  return {right ? 0.0 : 1.0, right ? 1.0 : 0.0};
}

double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

std::vector<double> filter_weights(const ResizeProblem& op, double ratio, double scale) {
  const bool is_cubic = op.mode == ResizeMode::cubic;
  scale = op.antialias ? std::min(scale, 1.0) : 1.0;
  const double reach = is_cubic ? 2 : 1;
  const auto start = static_cast<int64_t>(std::floor(-reach / scale)) + 1;
  std::vector<double> weights;
  for (int64_t i = start; i < 2 - start; ++i) {
    const double x = scale * (static_cast<double>(i) - ratio);
    weights.push_back(is_cubic ? cubic(x, op.cubic_coeff_a) : std::max(0.0, 1 - std::abs(x)));
  }
  return op.antialias ? normalized(std::move(weights)) : weights;
}

/// What one output coordinate reads along an axis.
struct ResizeTaps {
  bool outside = false;
  std::vector<int64_t> at;
  std::vector<double> weights;
};

ResizeTaps taps_of(const ResizeProblem& op, const Axis& axis, int64_t x) {
  const std::optional<double> from = source(op, axis, x);
  if (!from) return {.outside = true};
  const double left = std::floor(*from), ratio = *from == left ? 1 : *from - left;
  ResizeTaps taps;
  taps.weights = op.mode == ResizeMode::nearest ? nearest_weights(op, ratio) : filter_weights(op, ratio, axis.scale);
  const auto count = static_cast<int64_t>(taps.weights.size());
  const int64_t first = static_cast<int64_t>(std::ceil(*from)) - count / 2;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = first + i;
    if (op.exclude_outside && (at < 0 || at >= axis.in)) taps.weights[static_cast<size_t>(i)] = 0;
    taps.at.push_back(std::clamp<int64_t>(at, 0, axis.in - 1));
  }
  if (op.exclude_outside) taps.weights = normalized(std::move(taps.weights));
  return taps;
}

Result<std::vector<Axis>> axes_of(const ResizeProblem& p, const Dims& in, const Dims& out) {
  const size_t rank = in.size();
  if (out.size() != rank || p.scales.size() != rank)
    return fail("{} is resized to {} by {} scales", to_string(in), to_string(out), p.scales.size());
  if (p.coordinate_transform == CoordinateTransform::tf_crop_and_resize && p.roi.size() != 2 * rank)
    return fail("roi must have {} elements", 2 * rank);
  std::vector<Axis> axes(rank);
  for (size_t d = 0; d < rank; ++d) {
    Axis& axis = axes[d];
    axis = {.in = in[d], .out = out[d], .length = static_cast<double>(out[d])};
    axis.scale = p.scales[d] != 0 ? p.scales[d] : axis.length / static_cast<double>(axis.in);
    if (!p.by_sizes) axis.length = axis.scale * static_cast<double>(axis.in);
    if (p.roi.size() == 2 * rank) {
      axis.roi_start = p.roi[d];
      axis.roi_end = p.roi[rank + d];
    }
  }
  return axes;
}

bool unchanged(const Axis& axis, const std::vector<ResizeTaps>& taps) {
  if (axis.in != axis.out) return false;
  for (size_t i = 0; i < taps.size(); ++i) {
    if (taps[i].outside) return false;
    for (size_t k = 0; k < taps[i].at.size(); ++k)
      if (taps[i].weights[k] != (taps[i].at[k] == static_cast<int64_t>(i) ? 1 : 0)) return false;
  }
  return true;
}

template <class T>
void interpolate(const Tensor& from, Tensor& to, int64_t axis, const std::vector<ResizeTaps>& taps) {
  const int64_t outer = elems_before(from.dims, axis), inner = elems_after(from.dims, axis), size = from.dims[static_cast<size_t>(axis)];
  const T* x = reinterpret_cast<const T*>(from.data);
  T* y = reinterpret_cast<T*>(to.data);
  for (int64_t i = 0; i < outer; ++i) {
    for (const ResizeTaps& tap : taps) {
      for (int64_t j = 0; j < inner; ++j) {
        double sum = 0;
        for (size_t k = 0; k < tap.at.size(); ++k) sum += tap.weights[k] * static_cast<double>(x[(i * size + tap.at[k]) * inner + j]);
        *y++ = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace

Result<void> eval(const Resize& op, std::span<const HostValue> in, std::span<HostValue> out) {
  if (is_complex(in[0].tensor.dtype)) {
    Resize imaginary = op;
    imaginary.extrapolation_value = 0;
    return eval_parts(op, imaginary, in, out);
  }
  TENON_TRY(dims, known_dims(op, in));
  const Facts facts = facts_of(in);
  TENON_TRY(made, resize_problem(op, facts, Fact(facts[0].dtype(), Shape::of(dims))));
  return resize(made, in[0].tensor, out[0]);
}

Result<void> resize(const ResizeProblem& op, const Tensor& x, HostValue& out) {
  const auto in_dims = op.in.constant(), out_dims = op.out.constant();
  if (!in_dims || !out_dims) return fail("the sizes of the problem are not bound to numbers");
  const Dims& dims = *out_dims;
  TENON_TRY(in_elems, checked_elems(*in_dims));
  if (in_elems != x.elems() || x.dims != *in_dims) return fail("the input is {}, wanted {}", to_string(x.dims), to_string(*in_dims));
  TENON_TRY(axes, axes_of(op, x.dims, dims));
  TENON_OK(prepare_output(out, x.dtype, dims));
  Tensor& y = out.tensor;
  if (y.elems() == 0) return {};
  for (const Axis& axis : axes)
    if (!(axis.scale > 1e-6)) return fail("a scale of {} is too small", axis.scale);  // the filter would be as long as its inverse
  if (x.elems() == 0) return fail("{} has nothing to resize to {}", to_string(x.dims), to_string(dims));
  std::vector<std::vector<ResizeTaps>> taps(axes.size());
  for (size_t d = 0; d < axes.size(); ++d)
    for (int64_t i = 0; i < axes[d].out; ++i) taps[d].push_back(taps_of(op, axes[d], i));
  const auto outside = [&](const Odometer& at) {
    for (size_t d = 0; d < dims.size(); ++d)
      if (taps[d][static_cast<size_t>(at[d])].outside) return true;
    return false;
  };
  if (op.mode == ResizeMode::nearest) {  // copies, of any element type
    const Dims strides = strides_of(x.dims);
    Tensor extrapolated;
    if (!is_float(x.dtype) && !is_int(x.dtype) && op.coordinate_transform == CoordinateTransform::tf_crop_and_resize)
      return fail("elements of type {} have no extrapolation value", to_string(x.dtype));
    if (op.coordinate_transform == CoordinateTransform::tf_crop_and_resize) extrapolated = scalar_tensor(x.dtype, op.extrapolation_value);
    int64_t k = 0;
    for (Odometer at(dims); at.inside(); at.next(), ++k) {
      if (outside(at)) {
        copy_elems(extrapolated, 0, y, k, 1);
        continue;
      }
      int64_t from = 0;
      for (size_t d = 0; d < dims.size(); ++d) {
        const ResizeTaps& tap = taps[d][static_cast<size_t>(at[d])];
        from += tap.at[tap.weights[1] > tap.weights[0] ? 1 : 0] * strides[d];
      }
      copy_elems(x, from, y, k, 1);
    }
    return {};
  }
  if (x.dtype == DType::str) return fail("strings are not interpolated, mode must be nearest");
  const DType wide = x.dtype == DType::f64 ? DType::f64 : DType::f32;
  TENON_TRY(current, convert(x, wide));
  for (size_t d = axes.size(); d-- > 0;) {
    if (unchanged(axes[d], taps[d])) continue;
    Dims next_dims = current.dims;
    next_dims[d] = axes[d].out;
    TENON_TRY(next, Tensor::allocate(wide, next_dims));
    if (wide == DType::f64) interpolate<double>(current, next, static_cast<int64_t>(d), taps[d]);
    if (wide == DType::f32) interpolate<float>(current, next, static_cast<int64_t>(d), taps[d]);
    current = next;
  }
  if (op.coordinate_transform == CoordinateTransform::tf_crop_and_resize) {
    const Tensor extrapolated = scalar_tensor(wide, op.extrapolation_value);
    int64_t k = 0;
    for (Odometer at(dims); at.inside(); at.next(), ++k)
      if (outside(at)) copy_elems(extrapolated, 0, current, k, 1);
  }
  return store(current, y);
}

}  // namespace tenon::ops
