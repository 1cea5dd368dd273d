#include "ir/graph.h"

#include <charconv>

namespace tenon::ir {

ValueId Graph::add_value(Fact fact, std::string value_name) {
  Value value;
  value.fact = std::move(fact);
  value.name = std::move(value_name);
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_input(std::string port_name, Fact fact) {
  const ValueId id = add_value(std::move(fact), port_name);
  inputs.push_back({id, std::move(port_name)});
  return id;
}

ValueId Graph::add_constant(Tensor tensor, std::string value_name) { return add_value(Fact::of(std::move(tensor)), std::move(value_name)); }

ValueId Graph::add_root(const std::string& root, Fact fact) {
  const ValueId id = add_value(std::move(fact), root);
  (*this)[id].root = root;
  return id;
}

NodeId Graph::add_node(Op op, Values in, Facts out, std::vector<Origin> origins) {
  Node node;
  node.op = std::move(op);
  node.in = std::move(in);
  node.origins = std::move(origins);
  const auto id = static_cast<NodeId>(nodes.size());
  for (Fact& fact : out) {
    const ValueId value = add_value(std::move(fact));
    (*this)[value].producer = id;
    node.out.push_back(value);
  }
  nodes.push_back(std::move(node));
  order.push_back(id);
  return id;
}

GraphId Module::add_graph(std::string name) {
  graphs.emplace_back();
  graphs.back().name = std::move(name);
  return static_cast<GraphId>(graphs.size() - 1);
}

const Root* Module::find_root(std::string_view name) const {
  for (const Root& root : roots)
    if (root.name == name) return &root;
  return nullptr;
}

std::vector<GraphId> live_graphs(const Module& module) {
  std::vector<GraphId> out;
  if (module.graphs.empty()) return out;
  std::vector<bool> seen(module.graphs.size());
  seen[0] = true;
  out.push_back(GraphId{0});
  for (size_t at = 0; at < out.size(); ++at) {
    const Graph& graph = module[out[at]];
    for (const NodeId id : graph.order) {
      if (static_cast<size_t>(id) >= graph.nodes.size()) continue;
      for (const GraphId region : graph[id].regions) {
        const auto i = static_cast<size_t>(region);
        if (i >= seen.size() || seen[i]) continue;
        seen[i] = true;
        out.push_back(region);
      }
    }
  }
  return out;
}

Facts facts_of(const Graph& graph, const Values& values) {
  Facts out;
  for (const ValueId id : values) out.push_back(id == ValueId::none ? Fact() : graph[id].fact);
  return out;
}

Result<Facts> infer_node(Module& module, const Op& op, const Facts& in, const std::vector<GraphId>& regions, int output_count) {
  InferCtx ctx;
  ctx.symbols = &module.symbols;
  ctx.output_count = output_count;
  ctx.region = [&](int index, const Facts& facts) -> Result<Facts> {
    if (index < 0 || index >= static_cast<int>(regions.size())) return fail("wants a body {}, has {}", index, regions.size());
    return infer_region(module, regions[static_cast<size_t>(index)], facts);
  };
  return op.row().infer(op.attributes(), in, ctx);
}

Result<Facts> infer_node(Module& module, const Graph& graph, const Node& node) {
  const size_t operands = node.epilogue_operands();
  if (operands > node.in.size()) return fail("the epilogue wants {} operands, the node has {} inputs", operands, node.in.size());
  const Values inputs(node.in.begin(), node.in.end() - static_cast<std::ptrdiff_t>(operands));
  TENON_TRY(out, infer_node(module, node.op, facts_of(graph, inputs), node.regions, static_cast<int>(node.out.size())));
  if (!node.epilogue.empty() && !out.empty() && !node.epilogue.results.empty())
    out[0] = Fact(node.epilogue.type_of(node.epilogue.results[0]), out[0].shape());
  return std::move(out);
}

namespace {

/// The number of a minted symbol, "stem.number", and its stem.
std::optional<std::pair<std::string_view, int64_t>> minted(const Dim& dim) {
  const auto name = dim.as_symbol();
  const size_t dot = name ? name->rfind('.') : std::string_view::npos;
  if (dot == std::string_view::npos) return std::nullopt;
  int64_t number = -1;
  const auto [end, error] = std::from_chars(name->data() + dot + 1, name->data() + name->size(), number);
  if (error != std::errc() || end != name->data() + name->size()) return std::nullopt;
  return std::pair{name->substr(0, dot), number};
}

/// A node that mints a size keeps its name when it is inferred anew: attributes of the nodes behind it say the name.
void keep_names(const Fact& before, Fact& now, int64_t first) {
  if (!before.type.is_tensor() || !now.type.is_tensor() || !before.has_rank() || !now.has_rank() || before.rank() != now.rank()) return;
  for (int64_t i = 0; i < now.rank(); ++i) {
    const auto was = minted(before.shape()[i]), is = minted(now.shape()[i]);
    if (was && is && is->second >= first && was->second < first && was->first == is->first) now.type.shape[i] = before.shape()[i];
  }
}

}  // namespace

Result<Facts> infer_region(Module& module, GraphId region, const Facts& in) {
  const int64_t first = module.symbols.minted;
  Graph& graph = module[region];
  if (in.size() != graph.inputs.size()) return fail("the body '{}' takes {} inputs, got {}", graph.name, graph.inputs.size(), in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    Fact fact = in[i];
    fact.constant = nullptr;  // a body's input has another value in every iteration
    graph[graph.inputs[i].value].fact = std::move(fact);
  }
  for (const NodeId id : graph.order) {
    TENON_TRY(out, infer_node(module, graph, graph[id]));
    for (size_t i = 0; i < out.size() && i < graph[id].out.size(); ++i) {
      Fact& fact = graph[graph[id].out[i]].fact;
      keep_names(fact, out[i], first);
      fact = std::move(out[i]);
    }
  }
  Facts out;
  for (const Port& port : graph.outputs) out.push_back(graph[port.value].fact);
  return out;
}

}  // namespace tenon::ir
