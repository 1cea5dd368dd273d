// merge_siblings: matrix products of one left operand with several weights (query, key and value of attention) become one wide product
// and a Split, so that the operand is read once and the device is filled. Biases that are added to each join it.
#include <algorithm>
#include <map>

#include "ir/rewriter.h"
#include "ops/concat.h"
#include "ops/mat_mul.h"
#include "ops/pointwise.h"
#include "ops/split.h"
#include "passes/one_function.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

/// One of the products that become one: its weights, its bias if it has one, and the result that is replaced.
struct Sibling {
  ValueId weights, bias = ValueId::none, result;
  int64_t columns = 0;
};
struct Family {
  ValueId x = ValueId::none;
  ops::MatMul product;
  std::vector<Sibling> siblings;
  Values parts;  // once they are made
};

/// A root or a constant: there before any node.
bool is_given(const Graph& graph, ValueId id) {
  return id != ValueId::none && (graph[id].is_root() || graph[id].is_constant()) && graph[id].producer == NodeId::none;
}

class Merger {
 public:
  explicit Merger(const Graph& graph) {
    for (const NodeId id : graph.order)
      for (const ValueId in : graph[id].in)
        if (in != ValueId::none) users_[in].push_back(id);
    for (const ir::Port& port : graph.outputs) users_[port.value].push_back(NodeId::none);
    using Key = std::tuple<ValueId, bool, bool, DType, int64_t>;
    std::map<Key, Family> found;
    for (const NodeId id : graph.order) {
      const Node& node = graph[id];
      const auto* product = node.op.as<ops::MatMul>();
      if (!product || !node.epilogue.empty() || !is_given(graph, node.in[1])) continue;
      const Fact &x = graph[node.in[0]].fact, &w = graph[node.in[1]].fact;
      if (!x.has_rank() || x.rank() < 2 || w.rank() != 2) continue;
      const auto depth = w.shape()[product->trans_b ? 1 : 0].constant(), columns = w.shape()[product->trans_b ? 0 : 1].constant();
      if (!depth || !columns || product->trans_a) continue;
      Family& family = found[{node.in[0], product->trans_a, product->trans_b, w.dtype(), *depth}];
      family.x = node.in[0];
      family.product = *product;
      family.siblings.push_back({.weights = node.in[1], .result = node.out[0], .columns = *columns});
    }
    for (auto& [key, family] : found) {
      if (family.siblings.size() < 2) continue;
      take_biases(graph, family);
      for (size_t i = 0; i < family.siblings.size(); ++i) place_[family.siblings[i].result] = {families_.size(), i};
      families_.push_back(std::move(family));
    }
  }

  std::optional<Values> visit(Rewriter& rw, const Node& node) {
    const auto place = node.out.size() == 1 ? place_.find(node.out[0]) : place_.end();
    if (place == place_.end()) return std::nullopt;
    Family& family = families_[place->second.first];
    if (family.parts.empty()) family.parts = merged(rw, family);
    return Values{family.parts[place->second.second]};
  }

 private:
  /// Where a product goes into the addition of a given vector alone, the sum is what is replaced.
  void take_biases(const Graph& graph, Family& family) const {
    for (Sibling& sibling : family.siblings) {
      const std::vector<NodeId>& users = users_.count(sibling.result) ? users_.at(sibling.result) : std::vector<NodeId>{};
      if (users.size() != 1 || users[0] == NodeId::none) continue;
      const Node& node = graph[users[0]];
      const auto sum = node.epilogue.empty() ? one_function(node) : std::nullopt;
      if (!sum || sum->fn != Fn::add) continue;
      const ValueId a = sum->args[0].value, b = sum->args[1].value, bias = a == sibling.result ? b : a;
      if (!is_given(graph, bias) || graph[bias].fact.dtype() != graph[sibling.result].fact.dtype()) continue;
      const Shape& shape = graph[bias].fact.shape();
      if (shape.rank() != 1 || !(shape[0] == Dim(sibling.columns))) continue;
      sibling.bias = bias;
      sibling.result = node.out[0];
    }
  }

  static ValueId zeros(Rewriter& rw, DType type, int64_t size) {
    Tensor out = *Tensor::allocate(type, {size});
    std::fill_n(out.data, out.bytes(), std::byte{0});
    return rw.constant(std::move(out));
  }

  static Values merged(Rewriter& rw, const Family& family) {
    Values weights, biases;
    Dims columns;
    for (const Sibling& sibling : family.siblings) {
      weights.push_back(sibling.weights);
      biases.push_back(sibling.bias);
      columns.push_back(sibling.columns);
    }
    const ValueId wide = rw.emit(ops::Concat{.axis = family.product.trans_b ? 0 : 1}, std::move(weights))[0];
    ValueId y = rw.emit(ops::MatMul(family.product), {family.x, wide})[0];
    if (std::any_of(biases.begin(), biases.end(), [](ValueId id) { return id != ValueId::none; })) {
      const DType type = rw.fact(y).dtype();
      for (size_t i = 0; i < biases.size(); ++i)
        if (biases[i] == ValueId::none) biases[i] = zeros(rw, type, columns[i]);
      Expr sum;
      const int product = sum.add_input(0, type);
      sum.results = {sum.add(Fn::add, product, sum.add_input(1, type))};
      y = rw.emit(ops::Pointwise{.expr = std::move(sum)}, {y, rw.emit(ops::Concat{}, std::move(biases))[0]})[0];
    }
    const int outputs = static_cast<int>(columns.size());
    return rw.emit(ops::Split{.axis = -1}, {y, rw.constant(int64_tensor(columns))}, {.outputs = outputs});
  }

  std::map<ValueId, std::vector<NodeId>> users_;
  std::map<ValueId, std::pair<size_t, size_t>> place_;  // by the result that is replaced: family and sibling
  std::vector<Family> families_;
};

}  // namespace

Result<bool> merge_siblings(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.wide_products) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    Merger merger(module[id]);
    TENON_TRY(one, Rewriter(module, id).sweep([&](Rewriter& rw, const Node& node) { return merger.visit(rw, node); }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
