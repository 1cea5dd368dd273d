// Rewriter: the one way in which rules and passes change a graph. It keeps use counts, order, origins, names and facts right.
//
//   std::optional<Values> merge_transposes(Rewriter& rw, const Node& outer) {
//     const Node* inner = rw.producer<Transpose>(outer.in[0]);
//     if (!inner) return std::nullopt;
//     return rw.emit(Transpose{.perm = …}, Values{inner->in[0]});
//   }
//
// A rule sees one node and returns a value for each of its outputs (none for an output without uses), or nothing. Nodes that it emits
// stand before the node, so every value that the node could use is at hand.
#pragma once
#include <functional>
#include <set>

#include "base/log.h"
#include "ir/graph.h"
#include "ir/substitute.h"

namespace tenon::ir {

/// Does producer() show a node with an epilogue or non-default math?
enum class Fused : uint8_t { hidden, shown };

struct EmitOptions {
  int outputs = 1;
  Expr epilogue;  // its operands trail in the inputs
  Math math;
  std::vector<GraphId> regions;
};

class Rewriter {
 public:
  using Visit = std::function<std::optional<Values>(Rewriter&, const Node&)>;

  Rewriter(Module& module, GraphId graph);

  // What is there.
  Module& module() { return module_; }
  const Graph& graph() const { return graph_; }
  const Fact& fact(ValueId id) const;  // of an absent input: an empty one
  const Value& value(ValueId id) const { return graph_[id]; }
  /// The frozen contents, or null.
  const Tensor* constant_of(ValueId id) const;
  /// A root, a constant, or made of nothing else: its value does not depend on the inputs.
  bool is_weight(ValueId id) const;
  /// The node that makes a value, or null; a rule that fires passes its origins on if it dies.
  const Node* producer_of(ValueId id, Fused fused = Fused::hidden);
  /// The same for a look that has no consequence for origins; also at nodes with an epilogue.
  const Node* maker_of(ValueId id) const { return peek(id, Fused::shown); }
  template <class T>
  const Node* producer(ValueId id, Fused fused = Fused::hidden) {
    const Node* node = peek(id, fused);
    return node && node->op.as<T>() ? producer_of(id, fused) : nullptr;
  }
  /// Node inputs and graph outputs that name the value.
  int uses(ValueId id) const;
  /// All symbols in it stand in the shapes of the model's inputs or of `x`: whoever has x has their values.
  bool is_known_with(const Dim& dim, ValueId x) const;
  /// Grows along the order; to choose the last of several producers. Inputs, constants and roots: -1.
  int64_t place_of(ValueId id) const;
  bool is_output(ValueId id) const;

  // What a rule makes.
  ValueId constant(Tensor tensor, std::string name = {});
  template <class T>
  Values emit(T attributes, Values in, EmitOptions options = {}) {
    return emit_op(make_op(std::move(attributes)), std::move(in), std::move(options));  // make_op: of T's namespace, beside its table
  }
  /// Inference may refuse: then the values are absent and sweep() fails with the reason.
  Values emit_op(Op op, Values in, EmitOptions options = {});
  /// The nodes of a region in place of the node that owns it; its outputs.
  Values inline_region(GraphId region, const Values& in);

  // What a pass does.
  /// Shows every node once, in order, and replaces what `visit` replaces. Returns whether something changed.
  Result<bool> sweep(const Visit& visit);

 private:
  struct Current {
    NodeId id = NodeId::none;
    std::vector<NodeId> emitted, looked_at;
  };

  const Node* peek(ValueId id, Fused fused) const;
  void grow();
  void adopt(NodeId id);
  Result<void> check_replacement(const Node& node, const Values& with) const;
  void finish(const Values& with);
  void pass(NodeId id);
  void undo_emitted();
  void replace(ValueId from, ValueId to);
  void erase_dead(NodeId id);
  void improve(ValueId id, const Fact& with);
  bool improve(Value& value, const Fact& with);
  void note_equal(const Fact& was, const Fact& is);
  void refresh(NodeId id);
  Fact merged(const Fact& a, const Fact& b) const;
  Dim better(const Dim& a, const Dim& b) const;

  Module& module_;
  Graph& graph_;
  std::vector<int> uses_;                   // per value
  std::vector<std::vector<NodeId>> users_;  // per value; may name nodes that are gone
  std::vector<bool> weight_;                // per value
  std::vector<bool> dirty_;                 // per node: an input's fact became better
  std::set<std::string> boundary_;          // symbols of the main graph's inputs
  Substitution equal_;                      // symbols that turned out to be something better
  std::vector<int64_t> places_;             // per node
  std::vector<NodeId> order_;               // of the sweep at work
  Current current_;
  std::optional<Error> error_;
};

using Rule = std::optional<Values> (*)(Rewriter&, const Node&);
struct RuleRow {
  std::string_view name;
  std::string_view op;  // empty: any operator
  Rule rule = nullptr;
  Fused fused = Fused::hidden;  // shown: also on nodes with an epilogue or non-default math
};

/// Applies the rules to all graphs until none fires; bounded: rules that undo each other are a bug, reported at WARNING.
Result<bool> apply_rules(Module& module, std::span<const RuleRow> rules, const Log& log);

}  // namespace tenon::ir
