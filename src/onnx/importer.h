// The importer's own state: the module that grows, the scopes of names, the errors.
#pragma once
#include <map>
#include <set>
#include <unordered_map>

#include "onnx/import.h"
#include "onnx/node_import.h"

namespace tenon::onnx {

using ImportFunction = Result<Values> (*)(NodeImport&);
/// The newest importer of an operator that is not newer than `opset`; null if none.
ImportFunction find_importer(std::string_view domain, std::string_view op_type, int64_t opset);

/// Names of one graph, or of one call of a model-local function. A region sees its outer scope's constants; a function sees nothing.
struct Scope {
  GraphId graph = GraphId::none;
  Scope* outer = nullptr;
  std::unordered_map<std::string_view, ValueId> names;
  std::unordered_map<std::string_view, const TensorView*> tensors;  // initializers that no node has asked for yet
  std::unordered_map<std::string_view, const TypeView*> hints;      // value_info
  const std::vector<OpsetView>* opsets = nullptr;
  std::map<std::string_view, const AttributeView*> attributes;  // what ref_attr_name stands for
  const FunctionView* function = nullptr;
  int depth = 0;
  std::string prefix;  // of node names inside a function call: "caller/"

  /// The scope of a body that belongs to a node of this one.
  Scope inside(GraphId body) {
    return {
        .graph = body, .outer = this, .opsets = opsets, .attributes = attributes, .function = function, .depth = depth, .prefix = prefix};
  }
};

class Importer {
 public:
  /// trusts_types: the types that the file states for values inside of it fill what inference leaves open.
  Importer(const Model& model, const ImportOptions& options, bool trusts_types)
      : model_(model), options_(options), trusts_types_(trusts_types) {}
  Result<ir::Module> run();

 private:
  friend class NodeImport;

  // Values (import_values.cpp)
  /// Nothing where the name is not defined; none where it stands for an absent argument of a function.
  std::optional<ValueId> find(Scope& scope, std::string_view name);
  ValueId add_tensor(Scope& scope, std::string_view name, Tensor tensor);
  /// The same constant or root as a value of another graph.
  ValueId recreate(GraphId to, const ir::Value& value);
  ValueType value_type(const TypeView& type, std::string_view name);
  void apply_hint(const Scope& scope, std::string_view name, Fact& fact);
  void declare_tensors(Scope& scope, const GraphView& graph);
  void prune_roots();

  // Nodes and bodies (importer.cpp, import_bodies.cpp)
  void import_nodes(Scope& scope, const std::vector<NodeView>& nodes);
  void import_node(Scope& scope, const NodeView& node, size_t index);
  Result<Values> import_operator(Scope& scope, const NodeView& node, int64_t opset, Values inputs, ir::Origin origin,
                                 ImportFunction function);
  /// import_ranks.cpp: what `failed` could not do without a rank, by branches.
  Result<Values> import_by_rank(Scope& scope, const NodeView& node, const NodeImport& failed, ImportFunction function);
  Result<Values> call_function(Scope& scope, const FunctionView& function, const NodeView& node, const Values& inputs,
                               const std::string& name);
  GraphId import_body(Scope& outer, const GraphView& body, const Facts& formals, const NodeImport::Captures& captures);
  NodeImport::Captures find_captures(Scope& scope, const std::vector<const GraphView*>& bodies);
  const FunctionView* find_function(const NodeView& node) const;
  std::optional<int64_t> opset_of(const Scope& scope, std::string_view domain) const;
  const AttributeView* resolve(const Scope& scope, const AttributeView* attribute) const;
  ValueId poison(Scope& scope);
  bool poisoned(const Scope& scope, ValueId id) const { return poisoned_.contains({scope.graph, id}); }
  void report(Issue issue);
  void report(std::string reason) { report(Issue{.reason = std::move(reason)}); }
  template <class... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) const {
    if (options_.log) (*options_.log)(Severity::warning, text, std::forward<Args>(args)...);
  }

  const Model& model_;
  const ImportOptions& options_;
  bool trusts_types_;
  ir::Module module_;
  std::map<std::string, size_t, std::less<>> roots_;  // name → position in module_.roots
  std::set<std::pair<GraphId, ValueId>> poisoned_;    // outputs of nodes that failed: their readers are not reported again
  std::set<std::string, std::less<>> seen_symbols_;
  std::vector<Issue> issues_;
  std::set<std::string, std::less<>> reported_;
  int64_t inlined_nodes_ = 0;
  int rank_branches_ = 0;  // around the node that is being imported
};

/// Orders nodes so that each follows what it reads, keeping the file's order where it can; indices. Error: a cycle.
Result<std::vector<size_t>> topological_order(const std::vector<NodeView>& nodes);
/// Names that a graph uses from around it, in order of first use.
void collect_free_names(const GraphView& graph, std::vector<std::string_view>& names);

}  // namespace tenon::onnx
