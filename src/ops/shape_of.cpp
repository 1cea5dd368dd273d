#include "ops/shape_of.h"

#include <algorithm>

namespace tenon::ops {
namespace {

struct Part {
  int64_t first, last;
};
Part part_of(const ShapeOf& op, int64_t rank) {
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t first = clamp(op.start);
  return {first, std::max(first, clamp(op.end))};
}

}  // namespace

Result<Facts> infer(const ShapeOf& op, std::span<const Fact> in, InferCtx& ctx) {
  if (!in[0].has_rank()) return Facts{Fact(DType::i64, Shape{ctx.mint("rank")})};
  const Part part = part_of(op, in[0].rank());
  Fact out(DType::i64, Shape{Dim(part.last - part.first)});
  const auto& dims = in[0].shape().dims();
  out.elems = std::vector<Dim>(dims.begin() + part.first, dims.begin() + part.last);
  return Facts{std::move(out)};
}

Result<void> eval(const ShapeOf& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  const Part part = part_of(op, x.rank());
  TENON_OK(prepare_output(out[0], DType::i64, {part.last - part.first}));
  std::copy(x.dims.begin() + part.first, x.dims.begin() + part.last, out[0].tensor.as<int64_t>().begin());
  return {};
}

template OpRow make_row<ShapeOf>();

}  // namespace tenon::ops
