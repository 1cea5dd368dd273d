// fold_constants: what is known when the engine is built becomes a frozen constant: nodes of constants alone, and sizes that shape
// inference found. Roots are never evaluated: a refit may change them (lowering records what hangs on them as preparations).
#include "ir/rewriter.h"
#include "passes/passes.h"
#include "reference/reference.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

// A constant costs space in the file, its node costs time in every run. Beyond these a node stays a node: an expansion of a few numbers
// to a large tensor is cheaper to run than to store.
constexpr int64_t kAlwaysBytes = 64 << 10;
constexpr int64_t kMostBytes = 64 << 20;
constexpr int64_t kMostGrowth = 16;

bool fits(int64_t out_bytes, int64_t in_bytes) {
  return out_bytes <= kAlwaysBytes || (out_bytes <= kMostBytes && out_bytes <= kMostGrowth * in_bytes);
}

/// The contents that shape inference knows, as a tensor.
std::optional<Tensor> known_contents(const Fact& fact) {
  const auto ints = fact.ints();
  const auto dims = fact.has_rank() ? fact.shape().constant() : std::nullopt;
  if (!ints || !dims || (!is_int(fact.dtype()) && fact.dtype() != DType::boolean)) return std::nullopt;
  const auto elems = checked_elems(*dims);
  if (!elems.ok() || *elems != static_cast<int64_t>(ints->size())) return std::nullopt;
  auto tensor = convert(int64_tensor(*ints), fact.dtype());
  if (!tensor.ok()) return std::nullopt;
  tensor->dims = *dims;
  return std::move(*tensor);
}

/// Sizes that inference found, output by output: the others stay.
std::optional<Values> fold_known_outputs(Rewriter& rw, const Node& node) {
  Values out = node.out;
  for (ValueId& id : out) {
    if (rw.uses(id) == 0) continue;
    const Fact& fact = rw.fact(id);
    std::optional<Tensor> contents = fact.constant ? std::optional(*fact.constant) : known_contents(fact);
    if (contents) id = rw.constant(std::move(*contents));
  }
  if (out == node.out) return std::nullopt;
  return out;
}

std::optional<Values> fold_node(Rewriter& rw, const Node& node) {
  const OpRow& row = node.op.row();
  if (!row.pure || row.has_regions || node.in.empty() || !node.epilogue.empty()) return std::nullopt;
  int64_t in_bytes = 0;
  std::vector<HostValue> in;
  for (const ValueId id : node.in) {
    const Tensor* constant = rw.constant_of(id);
    if (!constant && id != ValueId::none) return std::nullopt;
    in.push_back(constant ? HostValue(*constant) : HostValue());
    in_bytes += constant ? constant->bytes() : 0;
  }
  for (const ValueId id : node.out) {
    const Fact& fact = rw.fact(id);
    if (!fact.type.is_tensor()) return std::nullopt;
    const auto dims = fact.shape().constant();
    if (!dims) continue;  // of unknown size: looked at when it is there
    const auto elems = checked_elems(*dims);
    if (!elems.ok() || !fits(bytes_of(fact.dtype(), *elems), in_bytes)) return std::nullopt;
  }
  std::vector<HostValue> out(node.out.size());
  if (!reference::run_op(node.op, in, out).ok()) return std::nullopt;  // a run will report it, if it ever comes there
  Values values;
  for (HostValue& value : out) {
    if (value.kind != HostValue::Kind::tensor || !fits(value.tensor.bytes(), in_bytes)) return std::nullopt;
    values.push_back(rw.constant(std::move(value.tensor)));
  }
  return values;
}

}  // namespace

Result<bool> fold_constants(ir::Module& module, const PassCtx&) {
  const Rewriter::Visit visit = [](Rewriter& rw, const Node& node) {
    auto known = fold_known_outputs(rw, node);
    return known ? known : fold_node(rw, node);
  };
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(swept, Rewriter(module, id).sweep(visit));
    changed = changed || swept;
  }
  return changed;
}

}  // namespace tenon::passes
