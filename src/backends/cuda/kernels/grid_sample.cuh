// Where a point of a grid reads along one dim, as ONNX GridSample-22 defines it, in double: nearest neighbours must not move by a rounding.
namespace grid {

// In the order of engine::GridMode and engine::GridPadding.
enum Mode { nearest, linear, cubic };
enum Padding { zeros, border, reflection };

__device__ __forceinline__ double reflected(double x, double least, double most) {
  const double range = most - least;
  if (!(range > 0)) return least;
  if (x >= least && x <= most) return x;
  const double out = x < least ? least - x : x - most, turns = ::floor(out / range), rest = out - turns * range;
  const bool even = turns == 2 * ::floor(turns / 2);
  return (x < least) == even ? least + rest : most - rest;
}
__device__ __forceinline__ i64 clamped(i64 at, i64 size) { return at < 0 ? 0 : at < size ? at : size - 1; }

__device__ __forceinline__ double cubic_weight(double x) {
  const double a = -0.75;
  x = x < 0 ? -x : x;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Places of the neighbours, -1 for a zero of the padding, and their weights; TAPS: 1, 2 or 4.
template <int MODE, int PADDING, bool ALIGN_CORNERS, int TAPS, class W>
__device__ __forceinline__ void taps(double normalized, i64 size, i64 (&at)[TAPS], W (&weights)[TAPS]) {
  const double last = double(size - 1), least = ALIGN_CORNERS ? 0 : -0.5, most = ALIGN_CORNERS ? last : last + 0.5;
  double x = ALIGN_CORNERS ? (normalized + 1) / 2 * last : ((normalized + 1) * double(size) - 1) / 2;
  if (MODE == nearest) x = ::rint(x);
  if (x < least || x > most) {
    if (PADDING == border) x = x < 0 ? 0 : x > last ? last : x;
    if (PADDING == reflection) x = reflected(x, least, most);
  }
  if (!(x > -1e15 && x < 1e15)) x = -1e15;  // far away and NaN read the padding
  const double left = ::floor(x), ratio = x - left;
#pragma unroll
  for (int k = 0; k < TAPS; ++k) {
    i64 place = i64(left) + k - (MODE == cubic);
    if (PADDING == zeros && (place < 0 || place >= size)) place = -1;
    if (PADDING == border) place = clamped(place, size);
    if (PADDING == reflection) place = clamped(i64(reflected(double(place), least, most)), size);
    at[k] = place;
    weights[k] = W(MODE == nearest ? 1 : MODE == linear ? (k ? ratio : 1 - ratio) : cubic_weight(double(k - 1) - ratio));
  }
}

}  // namespace grid
