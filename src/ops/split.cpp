#include "ops/split.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Split& op, std::span<const Fact> in, InferCtx& ctx) {
  const auto count = static_cast<size_t>(ctx.output_count);
  if (!in[0].has_rank()) return Facts(count, Fact(in[0].dtype(), Shape::unknown()));
  TENON_TRY(axis, normalize_axis(op.axis, in[0].rank()));
  const Dim total = in[0].shape()[axis];
  std::vector<Dim> sizes;
  if (in.size() > 1 && in[1].dtype() != DType::none) {
    if (in[1].elems) {
      sizes = *in[1].elems;
    } else {
      for (size_t i = 0; i < count; ++i) sizes.push_back(ctx.mint("split"));
    }
  } else {
    if (op.num_outputs > 0 && static_cast<size_t>(op.num_outputs) != count) return fail("{} pieces for {} outputs", op.num_outputs, count);
    const auto pieces = static_cast<int64_t>(count);
    const Dim each = ceildiv(total, Dim(pieces));
    for (int64_t i = 0; i < pieces; ++i)
      sizes.push_back(i + 1 < pieces ? min(each, max(total - each * Dim(i), Dim(0))) : max(total - each * Dim(i), Dim(0)));
    if (exact_div(total, Dim(pieces))) sizes.assign(sizes.size(), each);
  }
  if (sizes.size() != count) return fail("{} sizes for {} outputs", sizes.size(), count);
  Dim sum(0);
  for (const Dim& size : sizes) {
    if (size.is_constant() && *size.constant() < 0) return fail("a size is {}", to_string(size));
    sum = sum + size;
  }
  if (sum.is_constant() && total.is_constant() && sum != total) return fail("sizes that sum to {} of {}", to_string(sum), to_string(total));
  Facts out;
  size_t first = 0;
  for (const Dim& size : sizes) {
    Shape shape = in[0].shape();
    shape[axis] = size;
    Fact fact(in[0].dtype(), std::move(shape));
    if (in[0].elems && in[0].rank() == 1 && size.is_constant()) {
      const auto last = first + static_cast<size_t>(*size.constant());
      if (last <= in[0].elems->size())
        fact.elems =
            std::vector<Dim>(in[0].elems->begin() + static_cast<int64_t>(first), in[0].elems->begin() + static_cast<int64_t>(last));
      first = last;
    }
    out.push_back(std::move(fact));
  }
  return out;
}

Result<void> eval(const Split& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  const int64_t outer = elems_before(x.dims, axis), row = elems_after(x.dims, axis) * x.dims[static_cast<size_t>(axis)];
  int64_t at = 0;
  for (size_t k = 0; k < out.size(); ++k) {
    TENON_TRY(dims, known_dims(op, in, out.size(), k));
    TENON_OK(prepare_output(out[k], x.dtype, dims));
    const int64_t piece = elems_after(dims, axis) * dims[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < outer; ++i) copy_elems(x, i * row + at, out[k].tensor, i * piece, piece);
    at += piece;
  }
  return {};
}

template OpRow make_row<Split>();

}  // namespace tenon::ops
