// slice_splits: a Split into known sizes becomes a Slice for each part that is used. A Slice is a copy, which every device has, and none at
// all where the part lies in one piece.
#include "ir/rewriter.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

std::optional<Values> slice_split(Rewriter& rw, const Node& node) {
  const Fact& x = rw.fact(node.in[0]);
  if (!x.has_rank()) return std::nullopt;
  const auto axis = normalize_axis(node.op.as<ops::Split>()->axis, x.rank());
  if (!axis.ok()) return std::nullopt;
  Dims ends;
  for (const ValueId id : node.out) {
    const auto size = rw.fact(id).has_rank() ? rw.fact(id).shape()[*axis].constant() : std::nullopt;
    if (!size) return std::nullopt;
    ends.push_back((ends.empty() ? 0 : ends.back()) + *size);
  }
  Values out(node.out.size(), ValueId::none);
  for (size_t i = 0; i < out.size(); ++i) {
    if (rw.uses(node.out[i]) == 0) continue;
    const auto number = [&](int64_t value) { return rw.constant(int64_tensor(Dims{value})); };
    out[i] = rw.emit(ops::Slice{}, {node.in[0], number(i ? ends[i - 1] : 0), number(ends[i]), number(*axis)})[0];
  }
  return out;
}

constexpr ir::RuleRow kSlices[] = {{"slice_split", "Split", slice_split}};

}  // namespace

Result<bool> slice_splits(ir::Module& module, const PassCtx& ctx) { return ir::apply_rules(module, kSlices, ctx.log); }

}  // namespace tenon::passes
