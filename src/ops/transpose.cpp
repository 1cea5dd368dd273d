#include "ops/transpose.h"

#include <algorithm>

namespace tenon::ops {

Result<Facts> infer(const Transpose& op, std::span<const Fact> in, InferCtx&) {
  if (!in[0].has_rank()) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  std::vector<int64_t> sorted = op.perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<int64_t>(i)) return fail("perm {} is no permutation", to_string(op.perm));
  if (in[0].rank() != static_cast<int64_t>(op.perm.size()))
    return fail("perm {} does not fit an input of shape {}", to_string(op.perm), to_string(in[0].shape()));
  Shape out;
  for (const int64_t from : op.perm) out.dims().push_back(in[0].shape()[from]);
  return Facts{Fact(in[0].dtype(), std::move(out))};
}

Result<engine::Problem> problem(const Transpose& op, std::span<const Fact> in, std::span<const Fact> out) {
  std::vector<Dim> from(op.perm.size());
  Dim stride(1);
  for (size_t i = from.size(); i-- > 0;) {
    from[i] = stride;
    stride = stride * in[0].shape()[static_cast<int64_t>(i)];
  }
  engine::CopyProblem copy{.type = in[0].dtype(), .shape = out[0].shape()};
  for (const int64_t axis : op.perm) copy.strides.push_back(from[static_cast<size_t>(axis)]);
  return engine::Problem{copy};
}

template OpRow make_row<Transpose>();

}  // namespace tenon::ops
