#include <algorithm>
#include <set>

#include "ir/contents.h"
#include "ir/text.h"

namespace tenon::ir {
namespace {

bool is_identifier(std::string_view name) {
  Scanner in(name);
  return !name.empty() && in.identifier() == name;
}
std::string name_text(std::string_view name) { return is_identifier(name) ? std::string(name) : quote(name); }

/// Hands out each name once; a repeated one gets ".1", ".2", ….
class Names {
 public:
  std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int64_t i = 1; !taken_.insert(name).second; ++i) name = strf("{}.{}", wanted, i);
    return name;
  }

 private:
  std::set<std::string> taken_;
};

bool is_default(const Interval& interval) { return interval.least == Interval().least && interval.most == Interval().most; }
bool defined_by_itself(const Value& value) { return value.producer == NodeId::none && (value.is_constant() || value.is_root()); }

class Printer {
 public:
  Printer(const Module& module, Blobs* blobs) : module_(module), blobs_(blobs) {}

  std::string print() {
    const std::vector<GraphId> graphs = live_graphs(module_);
    Names names;
    for (const GraphId id : graphs) graph_names_[id] = names.unique(module_[id].name);
    std::string body;
    for (const GraphId id : graphs) print_graph(id, body);
    std::string out = symbols_text();
    for (const Root& root : module_.roots) out += root_text(root);
    return out + body;
  }

 private:
  using ValueNames = std::vector<std::string>;  // empty: not defined

  std::string symbols_text() const {
    std::map<std::string, Interval, std::less<>> rows;
    for (const std::string& name : used_symbols_) rows[name] = {};
    for (const auto& [name, interval] : module_.symbols.rows)
      if (rows.contains(name) || !is_default(interval)) rows[name] = interval;
    std::string out;
    for (const auto& [name, interval] : rows) {
      out += out.empty() ? "symbols " : ", ";
      out += to_string(Dim::symbol(name));
      if (!is_default(interval)) out += strf(" in [{}, {}]", interval.least, interval.most);
    }
    return out.empty() ? out : out + "\n";
  }

  std::string contents_text(const Tensor& tensor, bool root) {
    if (!tensor.data && tensor.elems() > 0) return "";
    if (const auto text = inline_text(tensor)) return (root ? " = " : " ") + *text;
    const uint64_t hash = content_hash(tensor);
    if (blobs_) (root ? blobs_->roots : blobs_->constants)[hash] = tensor;
    return strf(" hash 0x{:016x}", hash);
  }

  std::string root_text(const Root& root) {
    return strf("root {}: {}{}{}\n", quote(root.name), to_string(root.data.dtype), tenon::to_string(root.data.dims),
                contents_text(root.data, true));
  }

  void note_symbols(const ValueType& type) {
    std::vector<std::string> names;
    for (const Dim& dim : type.shape.dims()) dim.collect(names);
    used_symbols_.insert(names.begin(), names.end());
    if (type.element) note_symbols(*type.element);
  }

  std::string typed(const Graph& graph, ValueId id, const ValueNames& names) {
    const Value& value = graph[id];
    note_symbols(value.fact.type);
    std::string out = strf("{}: {}", reference(id, names), to_string(value.fact.type));
    if (!fields_equal(value.layout, Layout{})) out += " layout=" + to_text(value.layout);
    return out;
  }

  static std::string reference(ValueId id, const ValueNames& names) {
    if (id == ValueId::none) return "_";
    const auto i = static_cast<size_t>(id);
    if (i >= names.size() || names[i].empty()) return strf("%\"undefined {}\"", static_cast<int>(id));
    return names[i];
  }

  static std::string port_text(const Port& port, const ValueNames& names) {
    const std::string name = reference(port.value, names);
    return name == '%' + name_text(port.name) ? "" : " as " + quote(port.name);
  }

  void print_graph(GraphId graph_id, std::string& out) {
    const Graph& graph = module_[graph_id];
    names_ = ValueNames(graph.values.size());
    unique_ = Names();
    unnamed_ = 0;
    std::string body;
    for (const Port& port : graph.inputs) define(graph, port.value);
    for (const NodeId id : graph.order) {
      if (static_cast<size_t>(id) >= graph.nodes.size() || !graph[id].alive()) continue;
      print_node(graph, graph[id], body);
    }
    for (const Port& port : graph.outputs) print_leaf(graph, port.value, body);

    out += strf("graph {}(", name_text(graph_names_[graph_id]));
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const Port& port = graph.inputs[i];
      if (i) out += ", ";
      const std::string as = port_text(port, names_);
      if (static_cast<size_t>(port.value) >= graph.values.size()) {
        out += reference(port.value, names_) + as;
        continue;
      }
      const std::string text = typed(graph, port.value, names_);
      const size_t name_end = reference(port.value, names_).size();
      out += text.substr(0, name_end) + as + text.substr(name_end);
    }
    out += ") -> (";
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      out += (i ? ", " : "") + reference(graph.outputs[i].value, names_) + port_text(graph.outputs[i], names_);
    out += ") {\n" + body + "}\n";
  }

  void define(const Graph& graph, ValueId id) {
    const auto i = static_cast<size_t>(id);
    if (i >= graph.values.size() || !names_[i].empty()) return;
    const std::string& name = graph.values[i].name;
    names_[i] = name.empty() ? strf("%{}", unnamed_++) : '%' + name_text(unique_.unique(name));
  }

  /// A constant or root stands where it is used first.
  void print_leaf(const Graph& graph, ValueId id, std::string& out) {
    const auto i = static_cast<size_t>(id);
    if (i >= graph.values.size() || !names_[i].empty() || !defined_by_itself(graph.values[i])) return;
    define(graph, id);
    const Value& value = graph.values[i];
    out += "  " + typed(graph, id, names_) + " = ";
    out += value.is_root() ? "root " + quote(value.root) : "constant" + contents_text(*value.fact.constant, false);
    out += '\n';
  }

  void print_node(const Graph& graph, const Node& node, std::string& out) {
    for (const ValueId id : node.in) print_leaf(graph, id, out);
    for (const ValueId id : node.out) define(graph, id);
    out += "  ";
    for (size_t i = 0; i < node.out.size(); ++i) {
      if (i) out += ", ";
      out += static_cast<size_t>(node.out[i]) < graph.values.size() ? typed(graph, node.out[i], names_) : reference(node.out[i], names_);
    }
    out += strf("{}= {}(", node.out.empty() ? "" : " ", name_text(node.op.name()));
    for (size_t i = 0; i < node.in.size(); ++i) out += (i ? ", " : "") + reference(node.in[i], names_);
    out += ')';
    std::string fields;
    print_fields(*node.op.row().attributes, node.op.attributes(), fields);
    if (!fields.empty()) out += ' ' + fields;
    if (!node.epilogue.empty()) out += " epilogue=" + to_string(node.epilogue);
    if (!fields_equal(node.math, Math{})) out += " math=" + to_text(node.math);
    if (node.device != -1) out += strf(" device={}", node.device);
    if (!node.regions.empty()) {
      out += " regions=[";
      for (size_t i = 0; i < node.regions.size(); ++i) {
        const auto at = graph_names_.find(node.regions[i]);
        out += (i ? ", " : "") + (at == graph_names_.end() ? std::string("\"undefined\"") : name_text(at->second));
      }
      out += ']';
    }
    if (!node.origins.empty()) {
      out += " origins=[";
      for (size_t i = 0; i < node.origins.size(); ++i)
        out += (i ? ", " : "") + quote(strf("{}:{}", node.origins[i].name, node.origins[i].op));
      out += ']';
    }
    out += '\n';
  }

  const Module& module_;
  Blobs* blobs_;
  std::map<GraphId, std::string> graph_names_;
  std::set<std::string> used_symbols_;
  ValueNames names_;  // of the graph at work
  Names unique_;
  int64_t unnamed_ = 0;
};

}  // namespace

std::string to_string(const Module& module, Blobs* blobs) { return Printer(module, blobs).print(); }

std::string to_reproducer(const Module& module) {
  Blobs blobs;
  std::string out = to_string(module, &blobs);
  for (const auto& [hash, tensor] : blobs.constants) out += strf("blob 0x{:016x} {}\n", hash, to_text(contents_of(tensor)));
  return out;
}

std::string describe(const Graph& graph, const Node& node) {
  if (!node.alive()) return "a removed node";
  if (!node.origins.empty() && !node.origins[0].name.empty()) return strf("{} '{}'", node.op.name(), node.origins[0].name);
  for (const ValueId id : node.out)
    if (static_cast<size_t>(id) < graph.values.size() && !graph[id].name.empty()) return strf("{} (%{})", node.op.name(), graph[id].name);
  return std::string(node.op.name());
}

}  // namespace tenon::ir
