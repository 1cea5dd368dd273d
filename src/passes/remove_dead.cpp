// remove_dead: nodes that no output needs, captures that no body reads (on both sides), and constants and roots that are left over.
#include <set>

#include "ops/if.h"
#include "ops/loop.h"
#include "ops/row.h"
#include "ops/scan.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Graph;
using ir::GraphId;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

bool remove_nodes(Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  for (const ir::Port& port : graph.outputs) needed[static_cast<size_t>(port.value)] = true;
  for (size_t i = graph.order.size(); i-- > 0;) {
    Node& node = graph[graph.order[i]];
    bool live = false;
    for (const ValueId out : node.out) live = live || needed[static_cast<size_t>(out)];
    if (!live) {
      for (const ValueId out : node.out) graph[out].producer = NodeId::none;
      node = Node{};
      continue;
    }
    for (const ValueId in : node.in)
      if (in != ValueId::none) needed[static_cast<size_t>(in)] = true;
  }
  const size_t before = graph.order.size();
  std::erase_if(graph.order, [&](NodeId id) { return !graph[id].alive(); });
  return graph.order.size() != before;
}

/// The number of trailing inputs that a node with regions hands on to its bodies as they are.
int64_t captures_of(const Node& node) {
  if (const auto* op = node.op.as<ops::If>()) return op->captures;
  if (const auto* op = node.op.as<ops::Loop>()) return op->captures;
  if (const auto* op = node.op.as<ops::Scan>()) return op->captures;
  return 0;
}

Op with_captures(const Op& op, int64_t captures) {
  const std::shared_ptr<void> attributes = op.row().copy(op.attributes());
  if (op.as<ops::If>()) static_cast<ops::If*>(attributes.get())->captures = captures;
  if (op.as<ops::Loop>()) static_cast<ops::Loop*>(attributes.get())->captures = captures;
  if (op.as<ops::Scan>()) static_cast<ops::Scan*>(attributes.get())->captures = captures;
  return Op(op.row(), attributes);
}

std::set<ValueId> used_values(const Graph& graph) {
  std::set<ValueId> used;
  for (const NodeId id : graph.order) used.insert(graph[id].in.begin(), graph[id].in.end());
  for (const ir::Port& port : graph.outputs) used.insert(port.value);
  return used;
}

/// Bodies come before their parents, so what only a capture kept alive goes in the same call.
bool remove_captures(ir::Module& module, Graph& graph) {
  bool changed = false;
  for (const NodeId id : graph.order) {
    Node& node = graph[id];
    const int64_t captures = captures_of(node);
    if (node.regions.empty() || captures <= 0 || captures > static_cast<int64_t>(node.in.size())) continue;
    std::vector<std::set<ValueId>> used;
    for (const GraphId region : node.regions) used.push_back(used_values(module[region]));
    int64_t left = captures;
    for (int64_t from_end = 1; from_end <= captures; ++from_end) {
      bool read = false;
      for (size_t r = 0; r < node.regions.size(); ++r) {
        const Graph& body = module[node.regions[r]];
        const int64_t gone = captures - left;  // behind this one
        read = read || used[r].contains(body.inputs[body.inputs.size() - static_cast<size_t>(from_end - gone)].value);
      }
      if (read) continue;
      const std::ptrdiff_t back = from_end - (captures - left);
      for (const GraphId region : node.regions) module[region].inputs.erase(module[region].inputs.end() - back);
      node.in.erase(node.in.end() - back);
      --left;
    }
    if (left == captures) continue;
    node.op = with_captures(node.op, left);
    changed = true;
  }
  return changed;
}

/// Frees the contents of values that nothing names.
void clear_leaves(Graph& graph, std::set<std::string>& roots) {
  const std::set<ValueId> used = used_values(graph);
  std::set<ValueId> inputs;
  for (const ir::Port& port : graph.inputs) inputs.insert(port.value);
  for (size_t i = 0; i < graph.values.size(); ++i) {
    ir::Value& value = graph.values[i];
    const auto id = static_cast<ValueId>(i);
    if (value.producer != NodeId::none || inputs.contains(id)) continue;
    if (!used.contains(id)) value = ir::Value{};
    if (value.is_root()) roots.insert(value.root);
  }
}

}  // namespace

Result<bool> remove_dead(ir::Module& module, const PassCtx&) {
  bool changed = false;
  std::vector<GraphId> graphs = ir::live_graphs(module);
  for (size_t i = graphs.size(); i-- > 0;) {
    Graph& graph = module[graphs[i]];
    changed = remove_nodes(graph) || changed;
    if (remove_captures(module, graph)) {
      changed = true;
      remove_nodes(graph);
    }
  }
  graphs = ir::live_graphs(module);
  const std::set<GraphId> live(graphs.begin(), graphs.end());
  for (size_t i = 0; i < module.graphs.size(); ++i)
    if (!live.contains(static_cast<GraphId>(i))) module.graphs[i] = Graph{.name = module.graphs[i].name};
  std::set<std::string> roots;
  for (const GraphId id : graphs) clear_leaves(module[id], roots);
  return std::erase_if(module.roots, [&](const ir::Root& root) { return !roots.contains(root.name); }) > 0 || changed;
}

}  // namespace tenon::passes
