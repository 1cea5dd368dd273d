// place_nodes: the device of each node. What the target's backend does not want, what holds regions, and what is no dense tensor runs on
// the host, which is device 0.
#include "passes/passes.h"

namespace tenon::passes {
namespace {

bool is_dense(const ir::Graph& graph, ir::ValueId id) {
  if (id == ir::ValueId::none) return true;
  const Fact& fact = graph[id].fact;
  return fact.type.is_tensor() && fact.dtype() != DType::str && fact.dtype() != DType::none;
}

bool is_host_only(const ir::Graph& graph, const ir::Node& node) {
  if (!node.regions.empty()) return true;
  for (const ir::Values* values : {&node.in, &node.out})
    for (const ir::ValueId id : *values)
      if (!is_dense(graph, id)) return true;
  return false;
}

}  // namespace

Result<bool> place_nodes(ir::Module& module, const PassCtx& ctx) {
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    ir::Graph& graph = module[id];
    for (const ir::NodeId node_id : graph.order) {
      ir::Node& node = graph[node_id];
      const bool wanted = ctx.device_count > 1 && ctx.wants_device && !is_host_only(graph, node) && ctx.wants_device(node, graph);
      const int64_t device = wanted ? ctx.device_count - 1 : 0;
      changed = changed || node.device != device;
      node.device = device;
    }
  }
  return changed;
}

}  // namespace tenon::passes
