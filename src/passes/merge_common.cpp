// merge_common: equal constants, equal roots and equal nodes of one graph become one. Random operators and nodes with regions stay.
#include <map>

#include "ir/contents.h"
#include "ir/rewriter.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

constexpr int kMergeRounds = 16;

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

bool is_leaf(const ir::Value& value) { return value.producer == NodeId::none && (value.is_constant() || value.is_root()); }

/// The value that stands for each: constants with the same type and bits, uses of the same root.
bool merge_leaves(Graph& graph) {
  std::multimap<uint64_t, ValueId> constants;
  std::map<std::string, ValueId> roots;
  std::map<ValueId, ValueId> instead;
  const auto meet = [&](ValueId id) {
    if (id == ValueId::none || !is_leaf(graph[id]) || instead.contains(id)) return;
    instead[id] = id;
    if (graph[id].is_root()) {
      instead[id] = roots.try_emplace(graph[id].root, id).first->second;
      return;
    }
    const Tensor& tensor = *graph[id].fact.constant;
    const uint64_t hash = ir::content_hash(tensor);
    const auto [first, last] = constants.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      if (!ir::same_tensor(*graph[at->second].fact.constant, tensor)) continue;
      instead[id] = at->second;
      return;
    }
    constants.emplace(hash, id);
  };
  bool changed = false;
  const auto put = [&](ValueId& id) {
    meet(id);
    const auto at = instead.find(id);
    if (at == instead.end() || at->second == id) return;
    id = at->second;
    changed = true;
  };
  for (const NodeId id : graph.order)
    for (ValueId& in : graph[id].in) put(in);
  for (ir::Port& port : graph.outputs) put(port.value);
  return changed;
}

uint64_t key_of(const Node& node) {
  uint64_t key = hash(*node.op.row().attributes, node.op.attributes());
  const auto mix = [&](uint64_t value) { key = (key ^ value) * 0x9e3779b97f4a7c15u; };
  mix(reinterpret_cast<uintptr_t>(&node.op.row()));
  for (const ValueId id : node.in) mix(static_cast<uint64_t>(id) + 1);
  mix(node.out.size());
  return key;
}

bool same_work(const Node& a, const Node& b) {
  return a.op == b.op && a.in == b.in && a.out.size() == b.out.size() && a.device == b.device && fields_equal(a.math, b.math) &&
         equal(type_of<Expr>(), &a.epilogue, &b.epilogue);
}

/// Sweeps until nothing merges: the sizes of two merged values become one only after a sweep, and may make further nodes equal.
Result<bool> merge_graph(ir::Module& module, ir::GraphId id) {
  Graph& graph = module[id];
  bool changed = merge_leaves(graph);
  for (int round = 0; round < kMergeRounds; ++round) {
    std::multimap<uint64_t, NodeId> seen;
    const Rewriter::Visit visit = [&](Rewriter&, const Node& node) -> std::optional<Values> {
      if (!node.op.row().pure || !node.regions.empty() || node.out.empty()) return std::nullopt;
      const uint64_t key = key_of(node);
      const auto [first, last] = seen.equal_range(key);
      for (auto at = first; at != last; ++at)
        if (same_work(graph[at->second], node)) return graph[at->second].out;
      seen.emplace(key, graph[node.out[0]].producer);
      return std::nullopt;
    };
    TENON_TRY(swept, Rewriter(module, id).sweep(visit));
    if (!swept) break;
    changed = true;
  }
  return changed;
}

}  // namespace

Result<bool> merge_common(ir::Module& module, const PassCtx&) {
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(here, merge_graph(module, id));
    changed = changed || here;
  }
  return changed;
}

}  // namespace tenon::passes
