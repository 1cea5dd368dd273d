#include "ops/reduce.h"

#include <algorithm>

namespace tenon::ops {
namespace {

using engine::ReduceKind;

bool is_arg(ReduceKind kind) { return kind == ReduceKind::arg_max || kind == ReduceKind::arg_min; }

Result<std::vector<int64_t>> axes_of(const Reduce& op, int64_t rank) {
  std::vector<int64_t> out;
  for (const int64_t axis : op.axes) {
    TENON_TRY(at, normalize_axis(axis, rank));
    out.push_back(at);
  }
  if (op.axes.empty())
    for (int64_t d = 0; d < rank; ++d) out.push_back(d);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (is_arg(op.kind) && out.size() != 1) return fail("arg_max and arg_min take one axis, got {}", out.size());
  return out;
}

/// Shape arithmetic: the sum, product, least or largest of known contents.
std::optional<std::vector<Dim>> fold_elems(const Reduce& op, const Fact& in) {
  if (!in.elems || !in.has_rank() || in.rank() != 1) return std::nullopt;
  std::optional<Dim> out;
  for (const Dim& dim : *in.elems) {
    if (!out) {
      out = dim;
      continue;
    }
    switch (op.kind) {
      case ReduceKind::sum: out = *out + dim; break;
      case ReduceKind::prod: out = *out * dim; break;
      case ReduceKind::max: out = max(*out, dim); break;
      case ReduceKind::min: out = min(*out, dim); break;
      default: return std::nullopt;
    }
  }
  if (!out) return std::nullopt;
  const bool keeps = op.kind == ReduceKind::sum || op.kind == ReduceKind::prod || op.kind == ReduceKind::max || op.kind == ReduceKind::min;
  return keeps ? std::optional(std::vector<Dim>{*out}) : std::nullopt;
}

}  // namespace

Result<Facts> infer(const Reduce& op, std::span<const Fact> in, InferCtx&) {
  if (in.empty()) return fail("one input is wanted");
  const DType type = is_arg(op.kind) ? DType::i64 : in[0].dtype();
  if (!in[0].has_rank()) {
    const bool scalar = op.axes.empty() && !op.keepdims;
    return Facts{Fact(type, scalar ? Shape{} : Shape::unknown())};
  }
  TENON_TRY(axes, axes_of(op, in[0].rank()));
  Shape out;
  for (int64_t d = 0; d < in[0].rank(); ++d) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), d);
    if (!reduced) out.dims().push_back(in[0].shape()[d]);
    if (reduced && op.keepdims) out.dims().push_back(1);
  }
  Fact fact(type, std::move(out));
  fact.elems = fold_elems(op, in[0]);
  return Facts{std::move(fact)};
}

Result<engine::Problem> problem(const Reduce& op, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank()) return fail(ErrorKind::unsupported, "the rank is not known");
  TENON_TRY(axes, axes_of(op, in[0].rank()));
  engine::ReduceProblem reduce{.kind = op.kind, .in = in[0].dtype(), .out = out[0].dtype(), .shape = in[0].shape(), .axes = axes};
  reduce.last_index = op.last_index;
  reduce.keepdims = op.keepdims;
  return engine::Problem(std::move(reduce));
}

template OpRow make_row<Reduce>();

}  // namespace tenon::ops
