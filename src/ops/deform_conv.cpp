#include "ops/deform_conv.h"

#include <cmath>

#include "ops/move.h"
#include "ops/window.h"

namespace tenon::ops {
namespace {

Result<Slide> slide_of(const DeformConv& op, const Shape& x, const Shape& w) {
  Window window{.strides = op.strides, .dilations = op.dilations, .pads = op.pads};
  window.kernel.assign(w.dims().begin() + 2, w.dims().end());
  return slide(window, std::span(x.dims()).subspan(2));
}

}  // namespace

Result<Facts> infer(const DeformConv& op, std::span<const Fact> in, InferCtx&) {
  const Fact &x = in[0], &w = in[1];
  if (!x.has_rank() || !w.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  if (x.rank() != 4 || w.rank() != 4)
    return fail("x must be [N, C, H, W] and w [M, C / groups, kH, kW], got {} and {}", to_string(x.shape()), to_string(w.shape()));
  TENON_TRY(window, slide_of(op, x.shape(), w.shape()));
  return Facts{Fact(x.dtype(), Shape{x.shape()[0], w.shape()[0], window.out[0], window.out[1]})};
}

namespace {

/// Bilinear, zero outside.
double sample(const double* plane, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width))) return 0;
  const auto top = static_cast<int64_t>(std::floor(y)), left = static_cast<int64_t>(std::floor(x));
  const double down = y - static_cast<double>(top), across = x - static_cast<double>(left);
  const auto at = [&](int64_t i, int64_t j) { return i >= 0 && i < height && j >= 0 && j < width ? plane[i * width + j] : 0.0; };
  return (1 - down) * ((1 - across) * at(top, left) + across * at(top, left + 1)) +
         down * ((1 - across) * at(top + 1, left) + across * at(top + 1, left + 1));
}

}  // namespace

Result<void> eval(const DeformConv& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_TRY(w, convert(in[1].tensor, DType::f64));
  TENON_TRY(offset, convert(in[2].tensor, DType::f64));
  TENON_TRY(window, slide_of(op, Shape::of(x.dims), Shape::of(w.dims)));
  const int64_t channels = x.dims[1], height = x.dims[2], width = x.dims[3], maps = w.dims[0], kh = w.dims[2], kw = w.dims[3];
  const int64_t rows = dims[2], columns = dims[3], taps = kh * kw;
  if (op.groups < 1 || op.offset_groups < 1 || maps % op.groups != 0 || w.dims[1] * op.groups != channels ||
      channels % op.offset_groups != 0)
    return fail("x {} and w {} do not fit {} groups and {} offset groups", to_string(x.dims), to_string(w.dims), op.groups,
                op.offset_groups);
  if (offset.dims != Dims{dims[0], op.offset_groups * taps * 2, rows, columns}) return fail("offsets of {}", to_string(offset.dims));
  Tensor bias, mask;
  if (in.size() > 3 && in[3].kind == HostValue::Kind::tensor) {
    TENON_TRY(given, convert(in[3].tensor, DType::f64));
    if (given.dims != Dims{maps}) return fail("a bias of {}, wanted [{}]", to_string(given.dims), maps);
    bias = given;
  }
  if (in.size() > 4 && in[4].kind == HostValue::Kind::tensor) {
    TENON_TRY(given, convert(in[4].tensor, DType::f64));
    if (given.dims != Dims{dims[0], op.offset_groups * taps, rows, columns}) return fail("a mask of {}", to_string(given.dims));
    mask = given;
  }
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const int64_t pad_y = *window.pads_begin[0].constant(), pad_x = *window.pads_begin[1].constant();
  const int64_t group_channels = w.dims[1], group_maps = maps / op.groups, per_offset = channels / op.offset_groups;
  double* to = y.as<double>().data();
  for (int64_t n = 0; n < dims[0]; ++n) {
    for (int64_t m = 0; m < maps; ++m) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          double sum = bias.defined() ? bias.as<double>()[static_cast<size_t>(m)] : 0;
          for (int64_t c = 0; c < group_channels; ++c) {
            const int64_t channel = m / group_maps * group_channels + c, group = channel / per_offset;
            const double* plane = x.as<double>().data() + (n * channels + channel) * height * width;
            for (int64_t t = 0; t < taps; ++t) {
              const auto moved = [&](int64_t axis) {
                const int64_t row = n * op.offset_groups * taps * 2 + (group * taps + t) * 2 + axis;
                return offset.as<double>()[static_cast<size_t>((row * rows + i) * columns + j)];
              };
              const double at_y = static_cast<double>(i * window.strides[0] - pad_y + t / kw * window.dilations[0]) + moved(0);
              const double at_x = static_cast<double>(j * window.strides[1] - pad_x + t % kw * window.dilations[1]) + moved(1);
              const int64_t at_mask = ((n * op.offset_groups * taps + group * taps + t) * rows + i) * columns + j;
              const double weight = w.as<double>()[static_cast<size_t>((m * group_channels + c) * taps + t)];
              sum += weight * sample(plane, height, width, at_y, at_x) *
                     (mask.defined() ? mask.as<double>()[static_cast<size_t>(at_mask)] : 1);
            }
          }
          *to++ = sum;
        }
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<DeformConv>();

}  // namespace tenon::ops
