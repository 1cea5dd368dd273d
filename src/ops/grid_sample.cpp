#include "ops/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const GridSample&, std::span<const Fact> in, InferCtx&) {
  const Fact &x = in[0], &grid = in[1];
  if (!x.has_rank() || !grid.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  const int64_t spatial = x.rank() - 2;
  if (spatial < 1 || grid.rank() != x.rank()) return fail("x {} and grid {} do not fit", to_string(x.shape()), to_string(grid.shape()));
  if (const auto last = grid.shape()[spatial + 1].constant(); last && *last != spatial)
    return fail("the grid {} gives {} coordinates for {} dims", to_string(grid.shape()), *last, spatial);
  Shape shape{x.shape()[0], x.shape()[1]};
  for (int64_t i = 1; i <= spatial; ++i) shape.dims().push_back(grid.shape()[i]);
  return Facts{Fact(x.dtype(), std::move(shape))};
}

namespace {

/// Where one coordinate reads along one dim; -1: a zero of the padding.
struct Taps {
  int64_t at[4] = {};
  double weight[4] = {};
  int count = 0;
};

double reflect(double x, double least, double most) {
  const double range = most - least;
  if (!(range > 0)) return least;
  if (x < least || x > most) {
    const double out = x < least ? least - x : x - most;
    const double turns = std::floor(out / range), rest = out - turns * range;
    const bool even = std::fmod(turns, 2) == 0;
    return (x < least) == even ? least + rest : most - rest;
  }
  return x;
}

double cubic(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

Taps taps_of(const GridSample& op, double normalized, int64_t size) {
  const auto last = static_cast<double>(size - 1);
  double x = op.align_corners ? (normalized + 1) / 2 * last : ((normalized + 1) * static_cast<double>(size) - 1) / 2;
  const double least = op.align_corners ? 0 : -0.5, most = op.align_corners ? last : last + 0.5;
  if (op.mode == GridMode::nearest) x = std::nearbyint(x);
  if (x < least || x > most) {
    if (op.padding == GridPadding::border) x = std::clamp(x, 0.0, last);
    if (op.padding == GridPadding::reflection) x = reflect(x, least, most);
  }
  Taps taps;
  if (!(std::abs(x) < 1e15)) x = -1e15;  // far away and NaN read the padding
  const auto left = static_cast<int64_t>(std::floor(x));
  const double ratio = x - std::floor(x);
  const auto add = [&](int64_t at, double weight) {
    if (op.padding == GridPadding::zeros && (at < 0 || at >= size)) at = -1;
    if (op.padding == GridPadding::border) at = std::clamp<int64_t>(at, 0, size - 1);
    if (op.padding == GridPadding::reflection)
      at = std::clamp<int64_t>(static_cast<int64_t>(reflect(static_cast<double>(at), least, most)), 0, size - 1);
    taps.at[taps.count] = at;
    taps.weight[taps.count++] = weight;
  };
  switch (op.mode) {
    case GridMode::nearest: add(left, 1); break;
    case GridMode::linear:
      add(left, 1 - ratio);
      add(left + 1, ratio);
      break;
    case GridMode::cubic:
      for (int64_t k = -1; k <= 2; ++k) add(left + k, cubic(static_cast<double>(k) - ratio));
      break;
  }
  return taps;
}

/// The sum over all combinations of taps.
double sample(const double* plane, const std::vector<Taps>& taps, const Dims& dims, size_t d, int64_t offset) {
  if (d == dims.size()) return plane[offset];
  double sum = 0;
  for (int k = 0; k < taps[d].count; ++k)
    if (taps[d].at[k] >= 0) sum += taps[d].weight[k] * sample(plane, taps, dims, d + 1, offset * dims[d] + taps[d].at[k]);
  return sum;
}

/// Strings are copied, from where a sample of the positions comes; the padding is empty.
Result<void> sample_strings(const GridSample& op, const Tensor& x, const HostValue& grid, HostValue& out) {
  if (op.mode != GridMode::nearest) return fail("strings are not interpolated, mode must be nearest");
  TENON_TRY(positions, Tensor::allocate(DType::f64, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i) positions.as<double>()[static_cast<size_t>(i)] = static_cast<double>(i + 1);
  HostValue from;
  TENON_OK(eval(op, std::vector<HostValue>{HostValue(positions), grid}, std::span(&from, 1)));
  TENON_OK(prepare_output(out, x.dtype, from.tensor.dims));
  for (int64_t i = 0; i < from.tensor.elems(); ++i) {
    const auto at = static_cast<int64_t>(element_as_double(from.tensor, i));
    if (at > 0) copy_elems(x, at - 1, out.tensor, i, 1);
    if (at == 0) out.tensor.as<std::string>()[static_cast<size_t>(i)].clear();
  }
  return {};
}

}  // namespace

Result<void> eval(const GridSample& op, std::span<const HostValue> in, std::span<HostValue> out) {
  if (is_complex(in[0].tensor.dtype)) return eval_parts(op, op, in, out);
  if (in[0].tensor.dtype == DType::str) return sample_strings(op, in[0].tensor, in[1], out[0]);
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_TRY(grid, convert(in[1].tensor, DType::f64));
  if (grid.dims[0] != x.dims[0]) return fail("x {} and grid {} differ in the batch", to_string(x.dims), to_string(grid.dims));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  if (out[0].tensor.elems() == 0) return {};
  const Dims spatial(x.dims.begin() + 2, x.dims.end());
  const int64_t plane = elems_of(spatial), points = elems_of(std::span(dims).subspan(2)), channels = dims[1];
  if (plane == 0) return fail("{} has nothing to sample", to_string(x.dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  std::vector<Taps> taps(spatial.size());
  for (int64_t n = 0; n < dims[0]; ++n) {
    for (int64_t p = 0; p < points; ++p) {
      const double* at = grid.as<double>().data() + (n * points + p) * static_cast<int64_t>(spatial.size());
      for (size_t d = 0; d < spatial.size(); ++d) taps[d] = taps_of(op, at[spatial.size() - 1 - d], spatial[d]);
      for (int64_t c = 0; c < channels; ++c)
        y.as<double>()[static_cast<size_t>((n * channels + c) * points + p)] =
            sample(x.as<double>().data() + (n * channels + c) * plane, taps, spatial, 0, 0);
    }
  }
  return store(y, out[0].tensor);
}

Result<engine::Problem> problem(const GridSample& op, std::span<const Fact> in, std::span<const Fact> out) {
  const Fact &x = in[0], &grid = in[1];
  if (!x.has_rank() || !grid.has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  if (x.dtype() == DType::str || is_complex(x.dtype())) return fail(ErrorKind::unsupported, "no real numbers");
  if (!(x.shape()[0] == grid.shape()[0]) || !(grid.shape()[grid.rank() - 1] == Dim(x.rank() - 2)))
    return fail(ErrorKind::unsupported, "whether x and grid fit is not known");
  const std::vector<Dim>&from = x.shape().dims(), &to = out[0].shape().dims();
  return engine::Problem(engine::GridSampleProblem{.type = x.dtype(),
                                                   .grid_type = grid.dtype(),
                                                   .n = from[0],
                                                   .c = from[1],
                                                   .in_spatial = {from.begin() + 2, from.end()},
                                                   .out_spatial = {to.begin() + 2, to.end()},
                                                   .mode = op.mode,
                                                   .padding = op.padding,
                                                   .align_corners = op.align_corners});
}

template OpRow make_row<GridSample>();

}  // namespace tenon::ops
