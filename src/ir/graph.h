// The graph: values and nodes in stable storage, an order, ports that carry the boundary's names. No operator's meaning lives here.
#pragma once
#include <deque>

#include "tensor/expr.h"
#include "tensor/layout.h"
#include "tensor/math.h"
#include "tensor/op.h"

namespace tenon::ir {

enum class ValueId : int32_t { none = -1 };
enum class NodeId : int32_t { none = -1 };
enum class GraphId : int32_t { none = -1 };
using Values = std::vector<ValueId>;

/// A value is made by a node, or is a graph input, a frozen constant (fact.constant), or a named root (a weight that refit may change).
struct Value {
  Fact fact;
  Layout layout;
  NodeId producer = NodeId::none;
  std::string name;  // for people; boundary names live in ports
  std::string root;  // name of a row of Module::roots
  bool is_constant() const { return fact.constant != nullptr; }
  bool is_root() const { return !root.empty(); }
};

/// The ONNX node that a node came from. A fused node has several.
struct Origin {
  std::string name, op;
  friend bool operator==(const Origin&, const Origin&) = default;
};

struct Node {
  Op op;
  int64_t device = -1;           // index of a device of the target; -1: not placed yet
  Values in, out;                // an absent optional input is ValueId::none; the last inputs are the epilogue's operands
  std::vector<GraphId> regions;  // isolated: captures are the node's trailing inputs and the region's trailing inputs
  Expr epilogue;                 // on output 0; its input 0 is the operator's own result
  Math math;
  std::vector<Origin> origins;
  bool alive() const { return op.defined(); }
  size_t epilogue_operands() const { return epilogue.empty() ? 0 : static_cast<size_t>(epilogue.input_count() - 1); }
};

struct Port {
  ValueId value = ValueId::none;
  std::string name;
};

struct Graph {
  std::string name;
  std::deque<Node> nodes;  // deques: references stay valid while a rule emits
  std::deque<Value> values;
  std::vector<NodeId> order;
  std::vector<Port> inputs, outputs;

  Node& operator[](NodeId id) { return nodes[static_cast<size_t>(id)]; }
  const Node& operator[](NodeId id) const { return nodes[static_cast<size_t>(id)]; }
  Value& operator[](ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& operator[](ValueId id) const { return values[static_cast<size_t>(id)]; }

  ValueId add_value(Fact fact, std::string value_name = {});
  ValueId add_input(std::string port_name, Fact fact);
  ValueId add_constant(Tensor tensor, std::string value_name = {});
  ValueId add_root(const std::string& root, Fact fact);
  void add_output(std::string port_name, ValueId value) { outputs.push_back({value, std::move(port_name)}); }
  /// Appends a node with one new value per fact.
  NodeId add_node(Op op, Values in, Facts out, std::vector<Origin> origins = {});
};

/// A named constant of the model.
struct Root {
  std::string name;
  Tensor data;
};

struct Module {
  std::deque<Graph> graphs;  // graph 0 is the main one, the others are regions
  Symbols symbols;
  std::vector<Root> roots;  // in the model's order; names are unique

  Graph& main() { return graphs[0]; }
  const Graph& main() const { return graphs[0]; }
  Graph& operator[](GraphId id) { return graphs[static_cast<size_t>(id)]; }
  const Graph& operator[](GraphId id) const { return graphs[static_cast<size_t>(id)]; }
  GraphId add_graph(std::string name);
  const Root* find_root(std::string_view name) const;
};

/// The main graph and every region that is reachable from it, parents first. A broken module (ids out of range, a region in itself)
/// gives each graph at most once.
std::vector<GraphId> live_graphs(const Module& module);
Facts facts_of(const Graph& graph, const Values& values);
/// Infers the outputs of a node that is about to exist: row.infer, entering regions.
Result<Facts> infer_node(Module& module, const Op& op, const Facts& in, const std::vector<GraphId>& regions, int output_count);
/// The same for a node that exists: its operands without the epilogue's, the type of output 0 as the epilogue leaves it.
Result<Facts> infer_node(Module& module, const Graph& graph, const Node& node);
/// Infers every node of a region anew from the facts of its inputs; returns the facts of its outputs.
Result<Facts> infer_region(Module& module, GraphId region, const Facts& in);

}  // namespace tenon::ir
