// Where a resized axis reads, as ONNX Resize-19 defines it, in double: nearest neighbours must not move by a rounding.
namespace resize {
struct Axis {
  i64 in;
  double scale, length, out, roi_start, roi_end;
};

// In the order of engine::CoordinateTransform.
enum Transform {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_half_pixel_for_nn,
  tf_crop_and_resize
};
enum Nearest { round_prefer_floor, round_prefer_ceil, round_floor, round_ceil };

/// The input coordinate of output coordinate `at`.
template <int T>
__device__ __forceinline__ double source(const Axis& a, double at) {
  const double last = double(a.in - 1);
  if (T == align_corners) return a.length == 1 ? 0 : at * last / (a.length - 1);
  if (T == asymmetric) return at / a.scale;
  if (T == pytorch_half_pixel) return a.out == 1 ? 0 : (at + 0.5) / a.scale - 0.5;
  if (T == tf_half_pixel_for_nn) return (at + 0.5) / a.scale;
  if (T == half_pixel_symmetric) return double(a.in) / 2 * (1 - a.out / a.length) + (at + 0.5) / a.scale - 0.5;
  if (T == tf_crop_and_resize) {
    const double span = a.roi_end - a.roi_start;
    return a.roi_start * last + (a.length == 1 ? span * last / 2 : at * span * last / (a.length - 1));
  }
  return (at + 0.5) / a.scale - 0.5;
}

__device__ __forceinline__ i64 inside(i64 at, i64 in) { return at < 0 ? 0 : at < in ? at : in - 1; }
__device__ __forceinline__ double distance_past(double from) {
  const double left = ::floor(from);
  return from == left ? 1 : from - left;
}

template <int N>
__device__ __forceinline__ i64 nearest(double from, i64 in) {
  const double past = distance_past(from);
  const bool right = past == 1 || (N == round_prefer_floor ? past > 0.5 : N == round_prefer_ceil ? past >= 0.5 : N == round_ceil);
  return inside(i64(::ceil(from)) - 1 + right, in);
}

__device__ __forceinline__ double cubic_weight(double x, double a) {
  x = x < 0 ? -x : x;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Places and weights of the TAPS (2: linear, 4: cubic) neighbours.
template <int TAPS, bool EXCLUDE_OUTSIDE, class W>
__device__ __forceinline__ void taps(double from, i64 in, double a, i64* at, W* weights) {
  const double past = distance_past(from);
  const i64 first = i64(::ceil(from)) - TAPS / 2;
  double w[TAPS], sum = 0;
#pragma unroll
  for (int k = 0; k < TAPS; ++k) {
    const double x = double(k + 1 - TAPS / 2) - past;
    w[k] = TAPS == 4 ? cubic_weight(x, a) : 1 - (x < 0 ? -x : x);
    if (TAPS == 2 && w[k] < 0) w[k] = 0;
    if (EXCLUDE_OUTSIDE && (first + k < 0 || first + k >= in)) w[k] = 0;
    sum += w[k];
    at[k] = inside(first + k, in);
  }
#pragma unroll
  for (int k = 0; k < TAPS; ++k) weights[k] = W(EXCLUDE_OUTSIDE ? w[k] / sum : w[k]);
}
}  // namespace resize
