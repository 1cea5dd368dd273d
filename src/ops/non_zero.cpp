#include "ops/non_zero.h"

#include "ops/move.h"

namespace tenon::ops {
namespace {

bool is_zero(const Tensor& x, int64_t i) {
  if (x.dtype == DType::str) return x.as<std::string>()[static_cast<size_t>(i)].empty();
  if (is_complex(x.dtype)) return element_as_complex(x, i) == 0.0;
  return is_float(x.dtype) ? element_as_double(x, i) == 0 : element_as_int(x, i) == 0;
}

}  // namespace

Result<Facts> infer(const NonZero&, std::span<const Fact> in, InferCtx& ctx) {
  const Dim rank = in[0].has_rank() ? Dim(in[0].rank()) : ctx.mint("rank");
  return Facts{Fact(DType::i64, Shape{rank, ctx.mint("nonzero")})};
}

Result<void> eval(const NonZero&, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x.elems(); ++i)
    if (!is_zero(x, i)) found.push_back(i);
  const auto count = static_cast<int64_t>(found.size());
  TENON_OK(prepare_output(out[0], DType::i64, {x.rank(), count}));
  const auto y = out[0].tensor.as<int64_t>();
  const Dims strides = strides_of(x.dims);
  for (size_t d = 0; d < x.dims.size(); ++d)
    for (size_t k = 0; k < found.size(); ++k) y[d * found.size() + k] = found[k] / strides[d] % x.dims[d];
  return {};
}

template OpRow make_row<NonZero>();

}  // namespace tenon::ops
