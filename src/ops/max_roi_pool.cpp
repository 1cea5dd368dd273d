#include "ops/max_roi_pool.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const MaxRoiPool& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact &x = in[0], &rois = in[1];
  if (op.pooled_height < 0 || op.pooled_width < 0) return fail("an output of {} by {}", op.pooled_height, op.pooled_width);
  if (x.has_rank() && x.rank() != 4) return fail("x must be [N, C, H, W], got {}", to_string(x.shape()));
  if (rois.has_rank() && rois.rank() != 2) return fail("rois must be [count, 5], got {}", to_string(rois.shape()));
  return Facts{Fact(x.dtype(), Shape{rois.has_rank() ? rois.shape()[0] : ctx.mint("rois"),
                                     x.has_rank() ? x.shape()[1] : ctx.mint("channels"), Dim(op.pooled_height), Dim(op.pooled_width)})};
}

namespace {

/// The pixels of a bin, of those from `start` on.
struct Bin {
  int64_t first = 0, last = 0;
};

Bin pooled_bin(int64_t index, double size, int64_t start, int64_t limit) {
  const auto at = static_cast<double>(index);
  return {std::clamp<int64_t>(static_cast<int64_t>(std::floor(at * size)) + start, 0, limit),
          std::clamp<int64_t>(static_cast<int64_t>(std::ceil((at + 1) * size)) + start, 0, limit)};
}

}  // namespace

Result<void> eval(const MaxRoiPool& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_TRY(rois, convert(in[1].tensor, DType::f64));
  if (rois.dims[1] != 5) return fail("rois must be [count, 5], got {}", to_string(rois.dims));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  if (out[0].tensor.elems() == 0) return {};
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const int64_t channels = x.dims[1], height = x.dims[2], width = x.dims[3];
  double* to = y.as<double>().data();
  for (int64_t r = 0; r < dims[0]; ++r) {
    const double* box = rois.as<double>().data() + r * 5;
    int64_t corners[4] = {};
    for (int i = 0; i < 4; ++i) {
      const double scaled = std::round(box[i + 1] * op.spatial_scale);
      if (!(std::abs(scaled) < 1e9)) return fail("a box with a corner at {}", box[i + 1]);
      corners[i] = static_cast<int64_t>(scaled);
    }
    if (!(box[0] >= 0 && box[0] < static_cast<double>(x.dims[0]))) return fail("batch index {} of {}", box[0], x.dims[0]);
    const auto batch = static_cast<int64_t>(box[0]);
    const double high = static_cast<double>(std::max<int64_t>(corners[3] - corners[1] + 1, 1)) / static_cast<double>(op.pooled_height);
    const double wide = static_cast<double>(std::max<int64_t>(corners[2] - corners[0] + 1, 1)) / static_cast<double>(op.pooled_width);
    for (int64_t c = 0; c < channels; ++c) {
      const double* plane = x.as<double>().data() + (batch * channels + c) * height * width;
      for (int64_t i = 0; i < op.pooled_height; ++i) {
        const Bin rows = pooled_bin(i, high, corners[1], height);
        for (int64_t j = 0; j < op.pooled_width; ++j) {
          const Bin columns = pooled_bin(j, wide, corners[0], width);
          const bool empty = rows.first >= rows.last || columns.first >= columns.last;
          double most = empty ? 0 : -INFINITY;
          for (int64_t a = rows.first; a < rows.last; ++a)
            for (int64_t b = columns.first; b < columns.last; ++b) most = std::max(most, plane[a * width + b]);
          *to++ = most;
        }
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<MaxRoiPool>();

}  // namespace tenon::ops
