#include "ir/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/text.h"

namespace tenon::ir {
namespace {

/// The types of a region's interface and a node's operand for it must not contradict each other.
std::optional<std::string> contradiction(const Symbols& symbols, const ValueType& stands, const ValueType& inferred) {
  const auto differ = [&] { return strf("stands as {}, inference says {}", to_string(stands), to_string(inferred)); };
  if (inferred.is_tensor() && inferred.dtype == DType::none && !inferred.shape.has_rank()) return std::nullopt;  // nothing is known
  if (stands.kind != inferred.kind) return differ();
  if (stands.kind != ValueType::Kind::tensor) {
    if (!stands.element || !inferred.element) return std::nullopt;
    return contradiction(symbols, *stands.element, *inferred.element);
  }
  const bool unknown = stands.dtype == DType::none || inferred.dtype == DType::none;
  if (!unknown && stands.dtype != inferred.dtype) return differ();
  if (!stands.shape.has_rank() || !inferred.shape.has_rank()) return std::nullopt;
  if (stands.shape.rank() != inferred.shape.rank()) return differ();
  for (int64_t i = 0; i < stands.shape.rank(); ++i)
    if (symbols.known_equal(stands.shape[i], inferred.shape[i]) == Known::no) return differ();
  return std::nullopt;
}

/// A loop's inference asks for its body with several shapes until they hold in every iteration.
ValueType without_shape(ValueType type) {
  type.shape = Shape::unknown();
  return type;
}

using Roots = std::map<std::string_view, const Root*>;

class GraphVerifier {
 public:
  GraphVerifier(const Module& module, const Graph& graph, const Roots& roots, Symbols& scratch)
      : module_(module), graph_(graph), roots_(roots), scratch_(scratch), defined_(graph.values.size()) {}

  Result<void> run() {
    TENON_OK(ports());
    TENON_OK(leaves());
    std::vector<bool> seen(graph_.nodes.size());
    for (const NodeId id : graph_.order) {
      const auto i = static_cast<size_t>(id);
      if (i >= seen.size()) return fail("the order names node {} of {}", static_cast<int>(id), seen.size());
      if (!graph_[id].alive()) return fail("the order holds the removed node {}", i);
      if (seen[i]) return fail("the order holds {} twice", describe(graph_, graph_[id]));
      seen[i] = true;
      if (auto result = node(id); !result.ok()) return std::move(result.error()).within(describe(graph_, graph_[id]));
    }
    for (size_t i = 0; i < seen.size(); ++i)
      if (graph_.nodes[i].alive() && !seen[i]) return fail("{} is not in the order", describe(graph_, graph_.nodes[i]));
    for (const Port& port : graph_.outputs)
      if (!usable(port.value)) return fail("the output '{}' has no value", port.name);
    return {};
  }

  std::vector<Contradiction> contradictions(GraphId graph) const {
    std::vector<Contradiction> out;
    for (const NodeId id : graph_.order) {
      const Node& node = graph_[id];
      const auto there = [&](ValueId value) { return value == ValueId::none || exists(value); };
      if (!node.regions.empty() || !std::all_of(node.in.begin(), node.in.end(), there)) continue;
      if (node.epilogue_operands() > node.in.size()) continue;
      if (const auto fits = facts(node); !fits.ok()) out.push_back({graph, id, fits.error().message()});
    }
    return out;
  }

 private:
  bool exists(ValueId id) const { return static_cast<size_t>(id) < graph_.values.size(); }
  bool usable(ValueId id) const { return exists(id) && defined_[static_cast<size_t>(id)]; }

  Result<void> ports() {
    std::set<std::string_view> names;
    std::set<ValueId> values;
    for (const Port& port : graph_.inputs) {
      if (!exists(port.value)) return fail("the input '{}' has no value", port.name);
      if (!names.insert(port.name).second) return fail("two inputs are named '{}'", port.name);
      if (!values.insert(port.value).second) return fail("two inputs share the value of '{}'", port.name);
      const Value& value = graph_[port.value];
      if (value.producer != NodeId::none || value.is_root()) return fail("the input '{}' also comes from elsewhere", port.name);
      defined_[static_cast<size_t>(port.value)] = true;
    }
    names.clear();
    for (const Port& port : graph_.outputs) {
      if (!exists(port.value)) return fail("the output '{}' has no value", port.name);
      if (!names.insert(port.name).second) return fail("two outputs are named '{}'", port.name);
    }
    return {};
  }

  Result<void> leaves() {
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      const Value& value = graph_.values[i];
      if (value.producer != NodeId::none) {
        if (static_cast<size_t>(value.producer) >= graph_.nodes.size()) return fail("value {} comes from a node that does not exist", i);
        const Values& out = graph_[value.producer].out;
        if (std::count(out.begin(), out.end(), static_cast<ValueId>(i)) != 1)
          return fail("value {} '{}' is not an output of the node it names", i, value.name);
        continue;
      }
      if (value.is_root()) {
        const auto root = roots_.find(value.root);
        if (root == roots_.end()) continue;  // an error where it is used
        const Tensor& data = root->second->data;
        if (const auto why = contradiction(scratch_, value.fact.type, ValueType::tensor(data.dtype, Shape::of(data.dims))))
          return fail("the root '{}' {}", value.root, *why);
      }
      if (value.is_constant()) {
        const Tensor& tensor = *value.fact.constant;
        if (const auto why = contradiction(scratch_, value.fact.type, ValueType::tensor(tensor.dtype, Shape::of(tensor.dims))))
          return fail("the constant '{}' {}", value.name, *why);
      }
      if (value.is_root() || value.is_constant()) defined_[i] = true;
    }
    return {};
  }

  Result<void> node(NodeId id) {
    const Node& node = graph_[id];
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (node.in[i] == ValueId::none) continue;
      if (!exists(node.in[i])) return fail("input {} has the id {} of no value", i, static_cast<int>(node.in[i]));
      if (!usable(node.in[i]) && graph_[node.in[i]].is_root()) return fail("there is no root '{}'", graph_[node.in[i]].root);
      if (!usable(node.in[i])) return fail("input {} '{}' is used before it is made", i, graph_[node.in[i]].name);
    }
    TENON_OK(epilogue(node));
    for (const GraphId region : node.regions)
      if (static_cast<size_t>(region) >= module_.graphs.size()) return fail("region {} does not exist", static_cast<int>(region));
    if (!node.regions.empty() && !node.op.row().has_regions) return fail("the operator takes no regions");
    TENON_OK(facts(node));
    for (size_t i = 0; i < node.out.size(); ++i) {
      if (!exists(node.out[i])) return fail("output {} has the id {} of no value", i, static_cast<int>(node.out[i]));
      if (graph_[node.out[i]].producer != id) return fail("output {} '{}' names another producer", i, graph_[node.out[i]].name);
      if (usable(node.out[i])) return fail("output {} '{}' is made twice", i, graph_[node.out[i]].name);
      defined_[static_cast<size_t>(node.out[i])] = true;
    }
    return {};
  }

  Result<void> epilogue(const Node& node) const {
    if (node.epilogue.empty()) return {};
    if (!node.op.row().anchor) return fail("the operator takes no epilogue");
    TENON_OK(tenon::verify(node.epilogue));
    if (node.epilogue.results.size() != 1) return fail("the epilogue has {} results, wanted 1", node.epilogue.results.size());
    const size_t operands = node.epilogue_operands();
    if (operands > node.in.size()) return fail("the epilogue wants {} operands, there are {} inputs", operands, node.in.size());
    for (const ExprNode& e : node.epilogue.nodes) {
      if (e.fn != Fn::input || e.input < 1) continue;
      const ValueId operand = node.in[node.in.size() - operands + static_cast<size_t>(e.input) - 1];
      if (operand == ValueId::none) return fail("operand {} of the epilogue is absent", e.input);
      if (graph_[operand].fact.dtype() != e.type)
        return fail("operand {} of the epilogue is {}, the expression wants {}", e.input, to_string(graph_[operand].fact.dtype()),
                    to_string(e.type));
    }
    return {};
  }

  /// Inference of this node alone: what its regions give is taken as it stands, after a look at what they take.
  Result<void> facts(const Node& node) const {
    InferCtx ctx;
    ctx.symbols = &scratch_;
    ctx.output_count = static_cast<int>(node.out.size());
    ctx.region = [&](int index, const Facts& in) -> Result<Facts> {
      if (index < 0 || static_cast<size_t>(index) >= node.regions.size())
        return fail("wants a body {}, has {}", index, node.regions.size());
      const Graph& body = module_[node.regions[static_cast<size_t>(index)]];
      if (in.size() != body.inputs.size()) return fail("the body '{}' takes {} inputs, gets {}", body.name, body.inputs.size(), in.size());
      for (size_t i = 0; i < in.size(); ++i)
        if (const auto why = contradiction(scratch_, without_shape(body[body.inputs[i].value].fact.type), in[i].type))
          return fail("input '{}' of the body '{}' {}", body.inputs[i].name, body.name, *why);
      Facts out;
      for (const Port& port : body.outputs) out.push_back(body[port.value].fact);
      return out;
    };
    const size_t operands = node.epilogue_operands();
    const Values inputs(node.in.begin(), node.in.end() - static_cast<std::ptrdiff_t>(operands));
    TENON_TRY(out, node.op.row().infer(node.op.attributes(), facts_of(graph_, inputs), ctx));
    if (out.size() < node.out.size()) return fail("has {} outputs, inference gives {}", node.out.size(), out.size());
    for (size_t i = 0; i < node.out.size(); ++i) {
      if (!exists(node.out[i])) continue;  // the caller says so
      if (i == 0 && !node.epilogue.empty()) out[0].type.dtype = node.epilogue.type_of(node.epilogue.results[0]);
      if (const auto why = contradiction(scratch_, graph_[node.out[i]].fact.type, out[i].type)) return fail("output {} {}", i, *why);
    }
    return {};
  }

  const Module& module_;
  const Graph& graph_;
  const Roots& roots_;
  Symbols& scratch_;
  std::vector<bool> defined_;
};

}  // namespace

Result<void> verify(const Module& module) {
  if (module.graphs.empty()) return fail("the module has no graph");
  Roots roots;
  for (const Root& root : module.roots)
    if (!roots.try_emplace(root.name, &root).second) return fail("two roots are named '{}'", root.name);
  // Bodies first: a region's ports are looked at when its node is.
  std::vector<GraphId> graphs = live_graphs(module);
  std::set<GraphId> owned{GraphId{0}};
  for (const GraphId id : graphs)
    for (const Node& node : module[id].nodes)
      for (const GraphId region : node.regions)
        if (!owned.insert(region).second) return fail("the graph '{}' is the region of two nodes", module[region].name);
  Symbols scratch = module.symbols;
  std::reverse(graphs.begin(), graphs.end());
  for (const GraphId id : graphs)
    if (auto result = GraphVerifier(module, module[id], roots, scratch).run(); !result.ok())
      return std::move(result.error()).within(strf("graph '{}'", module[id].name));
  return {};
}

std::vector<Contradiction> contradictions_in_regions(const Module& module) {
  std::vector<Contradiction> out;
  const Roots roots;
  Symbols scratch = module.symbols;
  for (const GraphId id : live_graphs(module)) {
    if (id == GraphId{0}) continue;
    std::vector<Contradiction> found = GraphVerifier(module, module[id], roots, scratch).contradictions(id);
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return out;
}

}  // namespace tenon::ir
