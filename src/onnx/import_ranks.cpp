// Operators whose import leans on a rank that only a run tells: a branch for each rank that the operator can be imported with.
#include <algorithm>

#include "onnx/importer.h"
#include "ops/if.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/size.h"

namespace tenon::onnx {
namespace {

size_t index_of(const Values& values, ValueId value) { return static_cast<size_t>(std::ranges::find(values, value) - values.begin()); }

constexpr int64_t kMostRank = 6;  // of a branch: each rank imports the node once more

}  // namespace

Result<Values> Importer::import_by_rank(Scope& scope, const NodeView& node, const NodeImport& failed, ImportFunction function) {
  const auto has_body = [](const AttributeView& attribute) { return !attribute.graphs.empty(); };
  if (std::ranges::any_of(node.attributes, has_body)) return *failed.error();  // bodies within bodies would multiply
  const int64_t opset = failed.opset();
  const auto has_no_rank = [&](ValueId input) {
    return input != ValueId::none && failed.fact(input).type.is_tensor() && !failed.fact(input).has_rank();
  };
  const auto first = std::ranges::find_if(failed.inputs(), has_no_rank);
  if (first == failed.inputs().end()) return *failed.error();
  const ValueId unknown = *first;
  inlined_nodes_ += kMostRank + 1;

  // Inputs of the branches: the rank, then what the node reads. Constants are made anew in each branch.
  NodeImport outside(*this, scope, node, opset, {}, failed.origin());
  const ValueId rank = outside.emit(ops::Size{}, {outside.emit(ops::ShapeOf{}, {unknown})});
  if (outside.failed()) return *outside.error();
  Values passed{rank};
  for (const ValueId input : failed.inputs()) {
    if (input == ValueId::none || std::ranges::find(passed, input) != passed.end()) continue;
    const ir::Value& value = module_[scope.graph][input];
    if (!value.is_constant() && !value.is_root()) passed.push_back(input);
  }
  Facts formals;
  for (const ValueId value : passed) formals.push_back(module_[scope.graph][value].fact);

  const auto open = [&](std::string_view name, Values& in) {
    Scope body = scope.inside(module_.add_graph(std::string(name)));
    for (const Fact& fact : formals) in.push_back(module_[body.graph].add_input(strf("in{}", in.size()), fact));
    return body;
  };
  const auto branch = [&](int64_t of_rank) -> Result<GraphId> {
    Values in;
    Scope body = open(strf("rank_{}", of_rank), in);
    NodeImport shaped(*this, body, node, opset, {}, failed.origin());
    const ValueId shape =
        shaped.emit(ops::Reshape{.shape = {{Dim(of_rank)}}}, {shaped.emit(ops::ShapeOf{}, {in[index_of(passed, unknown)]})});
    const ValueId known = shaped.emit(ops::Reshape{}, {in[index_of(passed, unknown)], shape});
    if (shaped.failed()) return *shaped.error();
    Values inputs;
    for (const ValueId input : failed.inputs()) {
      if (input == ValueId::none) {
        inputs.push_back(input);
      } else if (input == unknown) {
        inputs.push_back(known);
      } else if (const size_t at = index_of(passed, input); at < passed.size()) {
        inputs.push_back(in[at]);
      } else {
        inputs.push_back(recreate(body.graph, ir::Value(module_[scope.graph][input])));
      }
    }
    TENON_TRY(out, import_operator(body, node, opset, std::move(inputs), failed.origin(), function));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (i >= out.size() || out[i] == ValueId::none) return fail(ErrorKind::unsupported, "output {} is not supported", i);
      module_[body.graph].add_output(strf("out{}", i), out[i]);
    }
    return body.graph;
  };

  std::vector<std::pair<int64_t, GraphId>> branches;
  for (int64_t of_rank = 0; of_rank <= kMostRank; ++of_rank) {
    const size_t graphs = module_.graphs.size();
    const auto made = branch(of_rank);
    if (made.ok()) branches.emplace_back(of_rank, *made);
    if (!made.ok()) outside.drop_regions(graphs);
  }
  if (branches.empty()) return *failed.error();
  if (branches.size() == 1) {  // a region belongs to one place
    TENON_TRY(again, branch(branches[0].first));
    branches.emplace_back(branches[0].first, again);
  }

  // Halves, so that three such operands nest nine branches deep, not twenty. A rank without a branch comes to another's, whose Reshape
  // refuses it.
  const ops::If choice{.captures = static_cast<int64_t>(passed.size())};
  const auto outputs = static_cast<size_t>(std::ranges::count_if(node.outputs, [](std::string_view name) { return !name.empty(); }));
  const auto choose = [&](const auto& self, Scope& where, const Values& in, size_t begin, size_t end) -> Result<Values> {
    const auto half = [&](size_t from, size_t to) -> Result<GraphId> {
      if (to - from == 1) return branches[from].second;
      Values inside;
      Scope body = open(strf("rank_{}_to_{}", branches[from].first, branches[to - 1].first), inside);
      TENON_TRY(out, self(self, body, inside, from, to));
      for (size_t i = 0; i < out.size(); ++i) module_[body.graph].add_output(strf("out{}", i), out[i]);
      return body.graph;
    };
    const size_t middle = (begin + end) / 2;
    TENON_TRY(below, half(begin, middle));
    TENON_TRY(above, half(middle, end));
    NodeImport n(*this, where, node, opset, {}, failed.origin());
    Values all{n.pointwise({in[0]}, [&](const std::vector<Term>& t) { return t[0] < static_cast<double>(branches[middle].first); })};
    all.insert(all.end(), in.begin(), in.end());
    const Values out = n.emit_op(ops::make_op(choice), all, {below, above}, outputs);
    if (n.failed()) return *n.error();
    return out;
  };
  TENON_TRY(chosen, choose(choose, scope, passed, 0, branches.size()));
  Values out;
  size_t next = 0;
  for (const std::string_view name : node.outputs) out.push_back(name.empty() ? ValueId::none : chosen[next++]);
  return out;
}

}  // namespace tenon::onnx
