#include "ir/substitute.h"

#include <algorithm>

namespace tenon::ir {
namespace {

bool names(const Dim& dim, const std::string& symbol) {
  std::vector<std::string> found;
  dim.collect(found);
  return std::find(found.begin(), found.end(), symbol) != found.end();
}

bool replace(Dim& dim, const Substitution& with) {
  if (dim.is_constant()) return false;
  Dim out = substitute(dim, with);
  if (out == dim) return false;
  dim = std::move(out);
  return true;
}

bool replace(ValueType& type, const Substitution& with) {
  bool changed = false;
  for (Dim& dim : type.shape.dims()) changed = replace(dim, with) || changed;
  if (type.element) {
    ValueType element = *type.element;
    if (replace(element, with)) {
      type.element = std::make_shared<const ValueType>(std::move(element));
      changed = true;
    }
  }
  return changed;
}

/// Every dim in a value of a described type.
bool replace(const TypeRow& type, void* value, const Substitution& with) {
  bool changed = false;
  if (&type == &type_of<Dim>()) return replace(*static_cast<Dim*>(value), with);
  if (&type == &type_of<ValueType>()) return replace(*static_cast<ValueType*>(value), with);
  if (&type == &type_of<Shape>()) {
    for (Dim& dim : static_cast<Shape*>(value)->dims()) changed = replace(dim, with) || changed;
    return changed;
  }
  switch (type.kind) {
    case TypeRow::Kind::list:
      for (size_t i = 0; i < type.count(value); ++i) {
        void* element = type.at(value, i);
        changed = replace(type.element(), element, with) || changed;
      }
      return changed;
    case TypeRow::Kind::object:
      for (const FieldRow& field : type.fields) changed = replace(*field.type, static_cast<char*>(value) + field.offset, with) || changed;
      return changed;
    case TypeRow::Kind::variant: return replace(*type.alternatives[type.index(value)], type.held(value), with);
    default: return false;
  }
}

}  // namespace

void add_equality(Substitution& with, const std::string& symbol, const Dim& dim) {
  const Dim resolved = substitute(dim, with);
  if (with.contains(symbol) || names(resolved, symbol)) return;
  const Substitution one{{symbol, resolved}};
  for (auto& [name, by] : with) by = substitute(by, one);
  with.emplace(symbol, resolved);
}

void substitute_symbols(Module& module, const Substitution& with) {
  if (with.empty()) return;
  for (const GraphId id : live_graphs(module)) {
    Graph& graph = module[id];
    for (Value& value : graph.values) {
      replace(value.fact.type, with);
      if (value.fact.elems)
        for (Dim& dim : *value.fact.elems) replace(dim, with);
    }
    for (const NodeId node_id : graph.order) {
      Op& op = graph[node_id].op;
      const std::shared_ptr<void> attributes = op.row().copy(op.attributes());
      if (replace(*op.row().attributes, attributes.get(), with)) op = Op(op.row(), attributes);
    }
  }
}

}  // namespace tenon::ir
