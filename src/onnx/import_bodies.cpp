// Bodies inside a model: regions of If, Loop and Scan, and calls of model-local functions.
#include <algorithm>

#include "onnx/importer.h"

namespace tenon::onnx {
namespace {

constexpr int kMaxCallDepth = 64;

bool same_domain(std::string_view a, std::string_view b) {
  const auto canonical = [](std::string_view d) { return d == "ai.onnx" ? std::string_view() : d; };
  return canonical(a) == canonical(b);
}

}  // namespace

void collect_free_names(const GraphView& graph, std::vector<std::string_view>& names) {
  std::set<std::string_view> defined;
  for (const ValueView& input : graph.inputs) defined.insert(input.name);
  for (const TensorView& tensor : graph.initializers) defined.insert(tensor.name);
  for (const SparseTensorView& tensor : graph.sparse_initializers) defined.insert(tensor.values.name);
  for (const NodeView& node : graph.nodes) defined.insert(node.outputs.begin(), node.outputs.end());
  std::vector<std::string_view> used;
  for (const NodeView& node : graph.nodes) {
    used.insert(used.end(), node.inputs.begin(), node.inputs.end());
    for (const AttributeView& attribute : node.attributes)
      for (const GraphView& body : attribute.graphs) collect_free_names(body, used);
  }
  for (const ValueView& output : graph.outputs) used.push_back(output.name);
  for (const std::string_view name : used)
    if (!name.empty() && !defined.contains(name) && defined.insert(name).second) names.push_back(name);
}

NodeImport::Captures Importer::find_captures(Scope& scope, const std::vector<const GraphView*>& bodies) {
  std::vector<std::string_view> names;
  for (const GraphView* body : bodies) collect_free_names(*body, names);
  NodeImport::Captures captures;
  std::set<std::string_view> taken;
  for (const std::string_view name : names) {
    if (!taken.insert(name).second) continue;
    const std::optional<ValueId> value = find(scope, name);
    if (!value || *value == ValueId::none) continue;  // the body's own import reports it
    const ir::Value& outer = module_[scope.graph][*value];
    if (outer.is_constant() || outer.is_root()) continue;  // made anew inside
    captures.names.push_back(name);
    captures.values.push_back(*value);
  }
  return captures;
}

GraphId Importer::import_body(Scope& outer, const GraphView& body, const Facts& formals, const NodeImport::Captures& captures) {
  const GraphId id = module_.add_graph(std::string(body.name));
  Scope scope = outer.inside(id);
  declare_tensors(scope, body);
  const auto add_input = [&](std::string_view name, Fact fact) {
    fact.constant = nullptr;  // a body's input has another value in every iteration
    const ValueId value = module_[id].add_input(std::string(name), std::move(fact));
    scope.names[name] = value;
    return value;
  };
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    Fact fact = i < formals.size() ? formals[i] : Fact();
    apply_hint(scope, body.inputs[i].name, fact);
    add_input(body.inputs[i].name, std::move(fact));
  }
  for (size_t i = 0; i < captures.names.size(); ++i) {
    const ValueId inside = add_input(captures.names[i], module_[outer.graph][captures.values[i]].fact);
    if (poisoned(outer, captures.values[i])) poisoned_.insert({id, inside});
  }
  import_nodes(scope, body.nodes);
  for (const ValueView& output : body.outputs) {
    std::optional<ValueId> value = find(scope, output.name);
    if (!value || *value == ValueId::none) {
      report(strf("body '{}': its output '{}' is defined nowhere", body.name, output.name));
      value = poison(scope);
    }
    module_[id].add_output(std::string(output.name), *value);
  }
  return id;
}

GraphId NodeImport::write_region(std::string name, const Facts& formals, const std::function<Values(NodeImport&, const Values&)>& build) {
  if (failed()) return GraphId::none;
  Scope scope = scope_.inside(module().add_graph(std::move(name)));
  Values in;
  for (Fact fact : formals) {
    fact.constant = nullptr;  // a body's input has another value in every iteration
    in.push_back(module()[scope.graph].add_input(strf("in{}", in.size()), std::move(fact)));
  }
  NodeImport inner(importer_, scope, node_, opset_, {}, origin_);
  const Values out = build(inner, in);
  if (inner.failed()) refuse(*inner.error());
  for (size_t i = 0; i < out.size() && !failed(); ++i) module()[scope.graph].add_output(strf("out{}", i), out[i]);
  return failed() ? GraphId::none : scope.graph;
}

Values NodeImport::inline_body(const GraphView& body, const Values& inputs, const Captures& captures, const Values& captured) {
  if (body.inputs.size() != inputs.size())
    refuse("body '{}' takes {} inputs, the node gives {}", body.name, body.inputs.size(), inputs.size());
  if (failed()) return {};
  Scope scope = scope_.inside(scope_.graph);
  importer_.declare_tensors(scope, body);
  for (size_t i = 0; i < inputs.size(); ++i) scope.names[body.inputs[i].name] = inputs[i];
  for (size_t i = 0; i < captures.names.size(); ++i) scope.names[captures.names[i]] = captured[i];
  importer_.import_nodes(scope, body.nodes);
  Values out;
  for (const ValueView& output : body.outputs) {
    const std::optional<ValueId> value = importer_.find(scope, output.name);
    if (!value || *value == ValueId::none) refuse("body '{}': its output '{}' is defined nowhere", body.name, output.name);
    out.push_back(value.value_or(ValueId::none));
  }
  return out;
}

const FunctionView* Importer::find_function(const NodeView& node) const {
  for (const FunctionView& function : model_.functions)
    if (function.name == node.op_type && same_domain(function.domain, node.domain) && function.overload == node.overload) return &function;
  return nullptr;
}

const AttributeView* Importer::resolve(const Scope& scope, const AttributeView* attribute) const {
  if (!attribute || attribute->ref_attr_name.empty()) return attribute;
  const auto bound = scope.attributes.find(attribute->ref_attr_name);
  return bound == scope.attributes.end() ? nullptr : bound->second;
}

Result<Values> Importer::call_function(Scope& scope, const FunctionView& function, const NodeView& node, const Values& inputs,
                                       const std::string& name) {
  if (scope.depth >= kMaxCallDepth) return fail(ErrorKind::invalid_model, "calls of functions nest deeper than {}", kMaxCallDepth);
  Scope inner{
      .graph = scope.graph, .opsets = &function.opset_imports, .function = &function, .depth = scope.depth + 1, .prefix = name + "/"};
  for (size_t i = 0; i < function.inputs.size(); ++i) inner.names[function.inputs[i]] = i < inputs.size() ? inputs[i] : ValueId::none;
  for (const AttributeView& attribute : function.attribute_protos) inner.attributes[attribute.name] = &attribute;
  for (const AttributeView& attribute : node.attributes)
    if (const AttributeView* value = resolve(scope, &attribute)) inner.attributes[attribute.name] = value;
  for (const ValueView& info : function.value_infos) inner.hints[info.name] = &info.type;
  import_nodes(inner, function.nodes);
  Values outputs;
  for (size_t i = 0; i < function.outputs.size() && i < node.outputs.size(); ++i) {
    const std::optional<ValueId> value = find(inner, function.outputs[i]);
    if (!value) return fail(ErrorKind::invalid_model, "the function defines no output '{}'", function.outputs[i]);
    outputs.push_back(*value);
  }
  return outputs;
}

}  // namespace tenon::onnx
