#include "ops/col2im.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Col2Im&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (x.has_rank() && x.rank() != 3) return fail("columns must be [N, C * block, positions], got {}", to_string(x.shape()));
  if (!in[1].elems) return Facts{Fact(x.dtype(), Shape::unknown())};
  Shape shape{x.has_rank() ? x.shape()[0] : ctx.mint("batch"), ctx.mint("channels")};
  if (x.has_rank() && in[2].elems) {
    Dim block(1);
    for (const Dim& dim : *in[2].elems) block = block * dim;
    if (block == Dim(0)) return fail("a block of 0 elements");
    shape[1] = floordiv(x.shape()[1], block);
  }
  shape.dims().insert(shape.dims().end(), in[1].elems->begin(), in[1].elems->end());
  return Facts{Fact(x.dtype(), std::move(shape))};
}

Result<void> eval(const Col2Im& op, std::span<const HostValue> in, std::span<HostValue> out) {
  if (is_complex(in[0].tensor.dtype)) return eval_parts(op, op, in, out);
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  const Dims image = ints_of(in[1].tensor), block = ints_of(in[2].tensor);
  const size_t rank = image.size();
  const auto list = [&](const Dims& given, size_t count, int64_t value) { return given.empty() ? Dims(count, value) : given; };
  const Dims strides = list(op.strides, rank, 1), dilations = list(op.dilations, rank, 1), pads = list(op.pads, 2 * rank, 0);
  if (block.size() != rank || strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank)
    return fail("image_shape {}, block_shape {}, strides, dilations and pads do not fit", to_string(image), to_string(block));
  Dims steps;
  constexpr int64_t kMost = int64_t{1} << 31;  // keeps the products below from overflowing
  for (size_t d = 0; d < rank; ++d) {
    if (strides[d] < 1 || strides[d] > kMost || dilations[d] < 1 || dilations[d] > kMost || block[d] < 1 || block[d] > kMost ||
        pads[d] < 0 || pads[d] > kMost || pads[d + rank] < 0 || pads[d + rank] > kMost || image[d] > kMost)
      return fail("axis {}: block {}, stride {}, dilation {}, pads {} and {}", d, block[d], strides[d], dilations[d], pads[d],
                  pads[d + rank]);
    const int64_t room = image[d] + pads[d] + pads[d + rank] - dilations[d] * (block[d] - 1) - 1;
    steps.push_back(room < 0 ? 0 : room / strides[d] + 1);
  }
  TENON_TRY(positions, checked_elems(steps));
  TENON_TRY(taps, checked_elems(block));
  if (x.dims[2] != positions || x.dims[1] != dims[1] * taps)
    return fail("columns {} do not fit {} positions of {} elements", to_string(x.dims), positions, taps);
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  clear(y);
  const int64_t plane = elems_of(image);
  const double* from = x.as<double>().data();
  for (int64_t row = 0; row < dims[0] * dims[1]; ++row) {
    double* to = y.as<double>().data() + row * plane;
    for (Odometer tap(block); tap.inside(); tap.next()) {
      for (Odometer step(steps); step.inside(); step.next(), ++from) {
        int64_t at = 0;
        bool inside = true;
        for (size_t d = 0; d < rank; ++d) {
          const int64_t i = step[d] * strides[d] + tap[d] * dilations[d] - pads[d];
          inside = inside && i >= 0 && i < image[d];
          at = inside ? at * image[d] + i : 0;
        }
        if (inside) to[at] += *from;
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<Col2Im>();

}  // namespace tenon::ops
