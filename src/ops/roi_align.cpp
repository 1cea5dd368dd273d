#include "ops/roi_align.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const RoiAlign& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact &x = in[0], &rois = in[1];
  if (op.output_height < 0 || op.output_width < 0) return fail("an output of {} by {}", op.output_height, op.output_width);
  if (x.has_rank() && x.rank() != 4) return fail("x must be [N, C, H, W], got {}", to_string(x.shape()));
  if (rois.has_rank() && rois.rank() != 2) return fail("rois must be [count, 4], got {}", to_string(rois.shape()));
  return Facts{Fact(x.dtype(), Shape{rois.has_rank() ? rois.shape()[0] : ctx.mint("rois"),
                                     x.has_rank() ? x.shape()[1] : ctx.mint("channels"), Dim(op.output_height), Dim(op.output_width)})};
}

namespace {

/// Four neighbours and their weights; no weight outside of the image (by more than one pixel).
struct Corners {
  int64_t at[4] = {};
  double weight[4] = {};
};

Corners corners_of(double y, double x, int64_t height, int64_t width) {
  Corners corners;
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return corners;
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  const int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const double down = y - static_cast<double>(top), across = x - static_cast<double>(left);
  const int64_t at[] = {top * width + left, top * width + right, bottom * width + left, bottom * width + right};
  const double weight[] = {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across};
  std::copy_n(at, 4, corners.at);
  std::copy_n(weight, 4, corners.weight);
  return corners;
}

}  // namespace

Result<void> eval(const RoiAlign& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_TRY(rois, convert(in[1].tensor, DType::f64));
  const Tensor& batches = in[2].tensor;
  if (rois.dims[1] != 4 || batches.elems() != rois.dims[0])
    return fail("rois {} and batch indices {} do not fit", to_string(rois.dims), to_string(batches.dims));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  if (out[0].tensor.elems() == 0) return {};
  const int64_t height = x.dims[2], width = x.dims[3], channels = x.dims[1];
  if (height == 0 || width == 0) return fail("{} has nothing to sample", to_string(x.dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const double shift = op.half_pixel ? 0.5 : 0;
  double* to = y.as<double>().data();
  for (int64_t r = 0; r < dims[0]; ++r) {
    const int64_t batch = element_as_int(batches, r);
    if (batch < 0 || batch >= x.dims[0]) return fail("batch index {} of {}", batch, x.dims[0]);
    const double* box = rois.as<double>().data() + r * 4;
    const double left = box[0] * op.spatial_scale - shift, top = box[1] * op.spatial_scale - shift;
    double wide = box[2] * op.spatial_scale - shift - left, high = box[3] * op.spatial_scale - shift - top;
    if (!op.half_pixel) {
      wide = std::max(wide, 1.0);
      high = std::max(high, 1.0);
    }
    const double bin_high = high / static_cast<double>(op.output_height), bin_wide = wide / static_cast<double>(op.output_width);
    const auto count = [&](double bin) { return op.sampling_ratio > 0 ? op.sampling_ratio : static_cast<int64_t>(std::ceil(bin)); };
    if (!(std::abs(bin_high) < 1e6 && std::abs(bin_wide) < 1e6) || op.sampling_ratio > 1000) return fail("a box of {} by {}", high, wide);
    const int64_t rows = count(bin_high), columns = count(bin_wide);
    for (int64_t c = 0; c < channels; ++c) {
      const double* plane = x.as<double>().data() + (batch * channels + c) * height * width;
      for (int64_t i = 0; i < op.output_height; ++i) {
        for (int64_t j = 0; j < op.output_width; ++j) {
          double sum = 0, most = -INFINITY;
          for (int64_t a = 0; a < rows; ++a) {
            for (int64_t b = 0; b < columns; ++b) {
              const double at_y = top + bin_high * (static_cast<double>(i) + (static_cast<double>(a) + 0.5) / static_cast<double>(rows));
              const double at_x =
                  left + bin_wide * (static_cast<double>(j) + (static_cast<double>(b) + 0.5) / static_cast<double>(columns));
              const Corners corners = corners_of(at_y, at_x, height, width);
              for (int k = 0; k < 4; ++k) {
                const double part = corners.weight[k] * plane[corners.at[k]];
                sum += part;
                most = std::max(most, part);  // the specification takes the maximum of weighted corners, not of samples
              }
            }
          }
          const auto samples_taken = static_cast<double>(std::max<int64_t>(rows * columns, 1));
          *to++ = op.maximum ? (rows * columns > 0 ? most : 0) : sum / samples_taken;
        }
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<RoiAlign>();

}  // namespace tenon::ops
