#include "onnx/importer.h"

#include <algorithm>

#include "base/text.h"
#include "ir/verify.h"

namespace tenon::onnx {
namespace {

constexpr int kMostRankBranches = 2;             // inputs of one node: the branches of each stand within those of the one before
constexpr int64_t kMaxInlinedNodes = 2'000'000;  // calls of calls grow exponentially: a small file must not fill the memory

std::string_view shown_domain(std::string_view domain) { return domain.empty() ? "ai.onnx" : domain; }
std::string_view canonical_domain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

}  // namespace

Result<ir::Module> import_model(const Model& model, const ImportOptions& options) {
  TENON_TRY(module, Importer(model, options, true).run());
  const Result<void> right = ir::verify(module);
  if (right.ok()) return std::move(module);
  // What the file says of its values contradicts what its operators make of them.
  if (options.log)
    (*options.log)(Severity::warning, "the types that the model states for its values are left out: {}", right.error().message());
  TENON_TRY(bare, Importer(model, options, false).run());
  if (auto still = ir::verify(bare); !still.ok())
    return fail(ErrorKind::invalid_model, "the model contradicts itself: {}", still.error().message());
  return std::move(bare);
}

bool can_import(std::string_view domain, std::string_view op_type, int64_t opset) {
  return find_importer(canonical_domain(domain), op_type, opset) != nullptr;
}

Result<std::vector<size_t>> topological_order(const std::vector<NodeView>& nodes) {
  std::unordered_map<std::string_view, size_t> producer;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const std::string_view name : nodes[i].outputs)
      if (!name.empty()) producer.emplace(name, i);
  std::vector<std::vector<size_t>> needs(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::vector<std::string_view> names = nodes[i].inputs;
    for (const AttributeView& attribute : nodes[i].attributes)
      for (const GraphView& body : attribute.graphs) collect_free_names(body, names);
    for (const std::string_view name : names)
      if (const auto found = producer.find(name); found != producer.end()) needs[i].push_back(found->second);
  }
  // Depth first with an explicit stack: graphs are deeper than the call stack.
  enum class Mark : uint8_t { fresh, open, done };
  std::vector<Mark> marks(nodes.size(), Mark::fresh);
  std::vector<size_t> order;
  std::vector<std::pair<size_t, size_t>> stack;  // node, next need
  for (size_t root = 0; root < nodes.size(); ++root) {
    if (marks[root] == Mark::fresh) stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto& [at, next] = stack.back();
      marks[at] = Mark::open;
      if (next < needs[at].size()) {
        const size_t need = needs[at][next++];
        if (marks[need] == Mark::open) {
          const NodeView& node = nodes[need];
          return fail(ErrorKind::invalid_model, "node '{}' ({}) depends on its own output '{}': the graph has a cycle", node.name,
                      node.op_type, node.outputs.empty() ? "" : node.outputs[0]);
        }
        if (marks[need] == Mark::fresh) stack.emplace_back(need, 0);
        continue;
      }
      marks[at] = Mark::done;
      order.push_back(at);
      stack.pop_back();
    }
  }
  return order;
}

Result<ir::Module> Importer::run() {
  module_.add_graph(std::string(model_.graph.name));
  Scope scope{.graph = GraphId{0}, .opsets = &model_.opsets};
  declare_tensors(scope, model_.graph);
  for (const ValueView& input : model_.graph.inputs) {
    if (scope.tensors.contains(input.name) || scope.names.contains(input.name)) continue;  // IR version < 4 lists the initializers
    ValueType type = value_type(input.type, input.name);
    if (const auto dims = options_.dims.find(input.name); dims != options_.dims.end()) {
      if (type.is_tensor() && type.shape.has_rank() && type.shape.rank() != static_cast<int64_t>(dims->second.size()))
        report(strf("input '{}': the dims asked for, {}, do not fit the model's {}", input.name, tenon::to_string(dims->second),
                    to_string(type.shape)));
      type.shape = Shape::of(dims->second);
    }
    scope.names[input.name] = module_.main().add_input(std::string(input.name), Fact(std::move(type)));
  }
  for (const auto& [name, dims] : options_.dims) {
    std::vector<std::string> names;
    for (const ir::Port& port : module_.main().inputs) names.push_back(quote(port.name));
    if (std::ranges::find(names, quote(name)) == names.end())
      return fail(ErrorKind::not_found, "dims are given for '{}', but the model has no such input, it has: {}", name, join(names, ", "));
  }
  for (const auto& [name, row] : module_.symbols.rows) seen_symbols_.insert(name);
  import_nodes(scope, model_.graph.nodes);
  for (const ValueView& output : model_.graph.outputs) {
    const std::optional<ValueId> value = find(scope, output.name);
    if (!value || *value == ValueId::none) {
      report(strf("output '{}': no node, input or initializer has this name", output.name));
      continue;
    }
    if (std::ranges::any_of(module_.main().outputs, [&](const ir::Port& port) { return port.name == output.name; })) {
      report(strf("two outputs are named '{}'", output.name));
      continue;
    }
    module_.main().add_output(std::string(output.name), *value);
  }
  if (!issues_.empty()) {
    const size_t shown = std::min<size_t>(issues_.size(), 100);
    std::string text = strf("{} of the model's nodes cannot be imported:", issues_.size());
    for (size_t i = 0; i < shown; ++i) text += "\n  " + to_string(issues_[i]);
    if (shown < issues_.size()) text += strf("\n  and {} more", issues_.size() - shown);
    if (options_.issues) *options_.issues = std::move(issues_);
    return Error{ErrorKind::unsupported, std::move(text)};
  }
  prune_roots();
  return std::move(module_);
}

std::string to_string(const Issue& issue) {
  std::string out;
  if (!issue.node.empty())
    out = strf("node '{}' ({}, {} opset {}): ", issue.node, issue.op_type, shown_domain(issue.domain),
               issue.opset ? strf("{}", *issue.opset) : "missing");
  return out + issue.reason + (issue.advice.empty() ? "" : "; " + issue.advice);
}

void Importer::report(Issue issue) {
  if (reported_.insert(to_string(issue)).second) issues_.push_back(std::move(issue));  // a body that is imported again fails again
}

void Importer::import_nodes(Scope& scope, const std::vector<NodeView>& nodes) {
  inlined_nodes_ += static_cast<int64_t>(nodes.size());
  if (inlined_nodes_ > kMaxInlinedNodes)
    return report(strf("the calls of model-local functions expand to over {} nodes", kMaxInlinedNodes));
  const auto order = topological_order(nodes);
  if (!order.ok()) return report(order.error().message());
  for (const size_t index : *order) import_node(scope, nodes[index], index);
}

void Importer::import_node(Scope& scope, const NodeView& node, size_t index) {
  const std::string name = scope.prefix + (node.name.empty() ? strf("{}_{}", node.op_type, index) : std::string(node.name));
  const std::string_view domain = canonical_domain(node.domain);
  const auto failed = [&](std::string_view reason, std::string_view advice = "") {
    if (!reason.empty())
      report({.node = name,
              .op_type = std::string(node.op_type),
              .domain = std::string(domain),
              .opset = opset_of(scope, domain),
              .reason = std::string(reason),
              .advice = std::string(advice)});
    for (const std::string_view output : node.outputs)
      if (!output.empty()) scope.names[output] = poison(scope);
  };

  Values inputs;
  bool reads_poison = false;
  for (const std::string_view input : node.inputs) {
    const std::optional<ValueId> value = input.empty() ? ValueId::none : find(scope, input);
    if (!value) return failed(strf("its input '{}' is defined nowhere", input), "check the file with onnx.checker");
    reads_poison = reads_poison || (*value != ValueId::none && poisoned(scope, *value));
    inputs.push_back(*value);
  }
  Values outputs;
  if (const FunctionView* function = find_function(node)) {
    auto called = call_function(scope, *function, node, inputs, name);
    if (!called.ok()) return failed(called.error().message());
    outputs = std::move(*called);
  } else {
    const std::optional<int64_t> opset = opset_of(scope, domain);
    if (!opset) return failed("the model imports no opset of this domain", "add it to opset_import");
    const ImportFunction function_of_op = find_importer(domain, node.op_type, *opset);
    if (!function_of_op && can_import(domain, node.op_type, INT64_MAX))
      return failed("Tenon has this operator only from a newer opset on", "raise the model's opset with onnx.version_converter");
    if (!function_of_op) return failed("Tenon has no such operator", "register a plugin for it or add a model-local function of this name");
    if (reads_poison) return failed("");
    auto imported = import_operator(scope, node, *opset, std::move(inputs), {name, std::string(node.op_type)}, function_of_op);
    if (!imported.ok()) return failed(imported.error().message());
    outputs = std::move(*imported);
  }
  ir::Graph& graph = module_[scope.graph];
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const std::string_view output = node.outputs[i];
    if (output.empty()) continue;
    if (i >= outputs.size() || outputs[i] == ValueId::none) return failed(strf("output {} ('{}') is not supported", i, output));
    ir::Value& value = graph[outputs[i]];
    if (value.producer != ir::NodeId::none) {
      if (value.name.empty()) value.name = scope.prefix + std::string(output);
      apply_hint(scope, output, value.fact);
    }
    scope.names[output] = outputs[i];
  }
}

Result<Values> Importer::import_operator(Scope& scope, const NodeView& node, int64_t opset, Values inputs, ir::Origin origin,
                                         ImportFunction function) {
  NodeImport n(*this, scope, node, opset, std::move(inputs), std::move(origin));
  auto imported = function(n);
  if (n.lacks_rank() && rank_branches_ < kMostRankBranches) {
    ++rank_branches_;
    auto branched = import_by_rank(scope, node, n, function);
    --rank_branches_;
    return branched;
  }
  if (n.failed()) return *n.error();
  return imported;
}

ValueId Importer::poison(Scope& scope) {
  const ValueId id = module_[scope.graph].add_value(Fact());
  poisoned_.insert({scope.graph, id});
  return id;
}

std::optional<int64_t> Importer::opset_of(const Scope& scope, std::string_view domain) const {
  for (const OpsetView& opset : *scope.opsets)
    if (canonical_domain(opset.domain) == domain) return opset.version;
  if (model_.ir_version < 3 && domain.empty()) return 1;  // files of that time name no opset
  if (scope.function) {                                   // a function may leave its imports to the model
    for (const OpsetView& opset : model_.opsets)
      if (canonical_domain(opset.domain) == domain) return opset.version;
  }
  // Writers forget the opsets of domains that have had one version only.
  return domain.empty() ? std::nullopt : std::optional<int64_t>(1);
}

}  // namespace tenon::onnx
