#include "ops/gather.h"

namespace tenon::ops {
namespace {

Result<void> check_indices(const Fact& indices) {
  if (indices.dtype() == DType::i64 || indices.dtype() == DType::i32 || indices.dtype() == DType::none) return {};
  return fail("indices are of type {}, wanted i64 or i32", to_string(indices.dtype()));
}

}  // namespace

Result<Facts> infer(const Gather& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  const Fact &data = in[0], &indices = in[1];
  if (!data.has_rank() || !indices.has_rank()) return Facts{Fact(data.dtype(), Shape::unknown())};
  TENON_TRY(axis, normalize_axis(op.axis, data.rank()));
  std::vector<Dim> dims = data.shape().dims();
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.shape().dims().begin(), indices.shape().dims().end());
  Fact out(data.dtype(), Shape(std::move(dims)));
  const auto at = indices.ints();
  if (data.elems && data.rank() == 1 && at && at->size() <= static_cast<size_t>(Fact::kMaxElems)) {
    const auto count = static_cast<int64_t>(data.elems->size());
    std::vector<Dim> elems;
    for (const int64_t index : *at) {
      if (index < -count || index >= count) return fail("index {} is outside [{}, {}]", index, -count, count - 1);
      elems.push_back((*data.elems)[static_cast<size_t>(index < 0 ? index + count : index)]);
    }
    out.elems = std::move(elems);
  }
  return Facts{std::move(out)};
}

Result<Facts> infer(const GatherElements& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  if (in[0].has_rank()) {
    TENON_OK(normalize_axis(op.axis, in[0].rank()));
    if (in[1].has_rank() && in[0].rank() != in[1].rank())
      return fail("data {} and indices {} differ in rank", to_string(in[0].shape()), to_string(in[1].shape()));
  }
  return Facts{Fact(in[0].dtype(), in[1].shape())};
}

Result<Facts> infer(const GatherND& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check_indices(in[1]));
  const Fact &data = in[0], &indices = in[1];
  const auto depth = indices.has_rank() && indices.rank() > 0 ? indices.shape()[indices.rank() - 1].constant() : std::nullopt;
  if (indices.has_rank() && indices.rank() == 0) return fail("indices are a scalar");
  if (!data.has_rank() || !depth) return Facts{Fact(data.dtype(), Shape::unknown())};
  if (op.batch_dims < 0 || op.batch_dims >= indices.rank() || op.batch_dims + *depth > data.rank())
    return fail("indices {} with {} batch dims do not fit data {}", to_string(indices.shape()), op.batch_dims, to_string(data.shape()));
  std::vector<Dim> dims(indices.shape().dims().begin(), indices.shape().dims().end() - 1);
  dims.insert(dims.end(), data.shape().dims().begin() + op.batch_dims + *depth, data.shape().dims().end());
  return Facts{Fact(data.dtype(), Shape(std::move(dims)))};
}

template OpRow make_row<Gather>();
template OpRow make_row<GatherElements>();
template OpRow make_row<GatherND>();

}  // namespace tenon::ops
