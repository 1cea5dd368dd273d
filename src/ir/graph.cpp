#include "ir/graph.h"

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
    TENON_CHECK(index < static_cast<int>(regions.size()), "region {} of {}", index, regions.size());
    return infer_region(module, regions[static_cast<size_t>(index)], facts);
  };
  return op.row().infer(op.attributes(), in, ctx);
}

Result<Facts> infer_region(Module& module, GraphId region, const Facts& in) {
  Graph& graph = module[region];
  if (in.size() != graph.inputs.size()) return fail("the body '{}' takes {} inputs, got {}", graph.name, graph.inputs.size(), in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    Fact fact = in[i];
    fact.constant = nullptr;  // a body's input has another value in every iteration
    graph[graph.inputs[i].value].fact = std::move(fact);
  }
  for (const NodeId id : graph.order) {
    const Values inputs(graph[id].in.begin(), graph[id].in.end() - static_cast<std::ptrdiff_t>(graph[id].epilogue_operands()));
    TENON_TRY(out, infer_node(module, graph[id].op, facts_of(graph, inputs), graph[id].regions, static_cast<int>(graph[id].out.size())));
    for (size_t i = 0; i < out.size() && i < graph[id].out.size(); ++i) graph[graph[id].out[i]].fact = std::move(out[i]);
  }
  Facts out;
  for (const Port& port : graph.outputs) out.push_back(graph[port.value].fact);
  return out;
}

}  // namespace tenon::ir
