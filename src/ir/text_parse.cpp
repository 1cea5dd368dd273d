#include <charconv>
#include <set>

#include "ir/contents.h"
#include "ir/text.h"

namespace tenon::ir {
namespace {

constexpr int kMaxRegionDepth = 64;

/// What the text says of a graph beyond the graph itself.
struct Draft {
  std::vector<std::optional<ValueType>> stated;                      // per value
  std::vector<std::pair<NodeId, std::vector<std::string>>> regions;  // by name until all graphs are read
  std::map<std::pair<bool, std::string>, ValueId> values;            // {is a number, name}
};

/// Contents that a later blob line may bring.
struct Pending {
  GraphId graph;  // none: a root
  size_t index;
  uint64_t hash;
};

class Parser {
 public:
  Parser(std::string_view text, std::span<const OpRow> ops, const Blobs* blobs) : in_(text), ops_(ops), blobs_(blobs) {}

  Result<Module> parse() {
    while (!in_.at_end()) {
      if (in_.accept("symbols")) {
        TENON_OK(parse_symbols());
      } else if (in_.accept("root")) {
        TENON_OK(parse_root());
      } else if (in_.accept("blob")) {
        TENON_OK(parse_blob());
      } else {
        TENON_OK(in_.expect("graph"));
        TENON_OK(parse_graph());
      }
    }
    if (module_.graphs.empty()) return in_.error("wanted a graph");
    TENON_OK(resolve_regions());
    TENON_OK(resolve_contents());
    const Symbols stated_symbols = module_.symbols;
    TENON_OK(check_depth(GraphId{0}, 0));
    TENON_OK(infer_graph(GraphId{0}));
    if (all_stated_) module_.symbols = stated_symbols;  // what inference minted was replaced by what the text says
    return std::move(module_);
  }

 private:
  Result<std::string> parse_name() {
    if (in_.peek() == '"') return in_.quoted();
    const std::string_view name = in_.identifier();
    if (name.empty()) return in_.error("wanted a name");
    return std::string(name);
  }

  Result<std::pair<bool, std::string>> parse_value_name() {
    TENON_OK(in_.expect("%"));
    if (in_.peek() == '"') {
      TENON_TRY(name, in_.quoted());
      return std::pair(false, std::move(name));
    }
    const std::string_view name = in_.word(".");
    if (name.empty()) return in_.error("wanted a value's name");
    return std::pair(name[0] >= '0' && name[0] <= '9', std::string(name));
  }

  Result<uint64_t> parse_hash() {
    const std::string_view word = in_.word();
    uint64_t hash = 0;
    const char* end = word.data() + word.size();
    if (!word.starts_with("0x") || std::from_chars(word.data() + 2, end, hash, 16).ptr != end) return in_.error("wanted 0x and a hash");
    return hash;
  }

  void note_symbols(const ValueType& type) {
    std::vector<std::string> names;
    for (const Dim& dim : type.shape.dims()) dim.collect(names);
    for (const std::string& name : names) module_.symbols.rows.try_emplace(name);
    if (type.element) note_symbols(*type.element);
  }

  Result<ValueType> parse_type() {
    TENON_TRY(type, parse_value_type(in_));
    note_symbols(type);
    return std::move(type);
  }

  Result<void> parse_symbols() {
    do {
      TENON_TRY(name, parse_name());
      Interval interval;
      if (in_.accept("in")) {
        TENON_OK(in_.expect("["));
        TENON_TRY(least, in_.integer());
        TENON_OK(in_.expect(","));
        TENON_TRY(most, in_.integer());
        TENON_OK(in_.expect("]"));
        if (least > most) return in_.error(strf("the interval of '{}' is empty", name));
        interval = {least, most};
      }
      module_.symbols.rows[name] = interval;
    } while (in_.accept(","));
    return {};
  }

  Result<std::pair<DType, Dims>> parse_constant_type() {
    TENON_TRY(type, parse_type());
    const std::optional<Dims> dims = type.shape.constant();
    if (!type.is_tensor() || !dims) return in_.error("contents want a tensor type with known dims");
    TENON_OK(checked_elems(*dims));
    return std::pair(type.dtype, *dims);
  }

  Result<void> parse_root() {
    TENON_TRY(name, in_.quoted());
    if (!root_rows_.try_emplace(name, module_.roots.size()).second) return in_.error(strf("the root '{}' stands twice", name));
    TENON_OK(in_.expect(":"));
    TENON_TRY(type, parse_constant_type());
    Root root{name, Tensor::wrap(type.first, type.second, nullptr)};
    if (in_.accept("hash")) {
      TENON_TRY(hash, parse_hash());
      pending_.push_back({GraphId::none, module_.roots.size(), hash});
    } else if (in_.accept("=")) {
      TENON_TRY(data, parse_inline(in_, type.first, type.second));
      root.data = std::move(data);
    }
    module_.roots.push_back(std::move(root));
    return {};
  }

  Result<void> parse_blob() {
    TENON_TRY(hash, parse_hash());
    Bytes bytes;
    TENON_OK(tenon::parse(type_of<Bytes>(), in_, &bytes));
    contents_[hash] = std::move(bytes);
    return {};
  }

  Result<ValueId> define(std::pair<bool, std::string> name, Fact fact, std::optional<ValueType> stated) {
    Draft& draft = drafts_.back();
    const ValueId id = module_.graphs.back().add_value(std::move(fact), name.first ? std::string() : name.second);
    if (!draft.values.try_emplace(std::move(name), id).second) return in_.error("the value is defined twice");
    draft.stated.resize(static_cast<size_t>(id) + 1);
    draft.stated.back() = std::move(stated);
    return id;
  }

  Result<ValueId> parse_use() {
    TENON_TRY(name, parse_value_name());
    const auto at = drafts_.back().values.find(name);
    if (at == drafts_.back().values.end()) return in_.error(strf("'%{}' is not defined before", name.second));
    return at->second;
  }

  Result<Layout> parse_layout() {
    Layout layout;
    if (!in_.accept("layout")) return layout;
    TENON_OK(in_.expect("="));
    TENON_OK(tenon::parse(type_of<Layout>(), in_, &layout));
    return layout;
  }

  Result<void> parse_graph() {
    TENON_TRY(name, parse_name());
    if (!graph_names_.try_emplace(name, static_cast<GraphId>(module_.graphs.size())).second)
      return in_.error(strf("the graph '{}' stands twice", name));
    module_.add_graph(name);
    drafts_.emplace_back();
    TENON_OK(in_.expect("("));
    while (!in_.accept(")")) {
      if (!module_.graphs.back().inputs.empty()) TENON_OK(in_.expect(","));
      TENON_TRY(value_name, parse_value_name());
      std::string port = value_name.second;
      if (in_.accept("as")) {
        TENON_TRY(as, in_.quoted());
        port = as;
      }
      TENON_OK(in_.expect(":"));
      TENON_TRY(type, parse_type());
      TENON_TRY(layout, parse_layout());
      TENON_TRY(id, define(value_name, Fact(type), type));
      module_.graphs.back()[id].layout = layout;
      module_.graphs.back().inputs.push_back({id, std::move(port)});
    }
    TENON_OK(in_.expect("->"));
    TENON_OK(in_.expect("("));
    std::vector<std::pair<std::pair<bool, std::string>, std::string>> outputs;
    while (!in_.accept(")")) {
      if (!outputs.empty()) TENON_OK(in_.expect(","));
      TENON_TRY(value_name, parse_value_name());
      std::string port = value_name.second;
      if (in_.accept("as")) {
        TENON_TRY(as, in_.quoted());
        port = as;
      }
      outputs.emplace_back(std::move(value_name), std::move(port));
    }
    TENON_OK(in_.expect("{"));
    while (!in_.accept("}")) TENON_OK(parse_line());
    for (auto& [value_name, port] : outputs) {
      const auto at = drafts_.back().values.find(value_name);
      if (at == drafts_.back().values.end()) return in_.error(strf("the output '%{}' of '{}' is not defined", value_name.second, name));
      module_.graphs.back().add_output(std::move(port), at->second);
    }
    return {};
  }

  struct Target {
    std::pair<bool, std::string> name;
    std::optional<ValueType> type;
    Layout layout;
  };

  Result<void> parse_line() {
    std::vector<Target> targets;
    while (!in_.accept("=")) {
      if (!targets.empty()) TENON_OK(in_.expect(","));
      Target target;
      TENON_TRY(name, parse_value_name());
      target.name = name;
      if (in_.accept(":")) {
        TENON_TRY(type, parse_type());
        target.type = type;
        TENON_TRY(layout, parse_layout());
        target.layout = layout;
      }
      targets.push_back(std::move(target));
    }
    const bool leaf = targets.size() == 1;
    if (leaf && in_.accept("constant")) return parse_constant(std::move(targets[0]));
    if (leaf && in_.accept("root")) return parse_root_use(std::move(targets[0]));
    return parse_node(std::move(targets));
  }

  Result<void> parse_constant(Target target) {
    const std::optional<Dims> dims = target.type ? target.type->shape.constant() : std::nullopt;
    if (!dims || !target.type->is_tensor()) return in_.error("a constant wants a tensor type with known dims");
    Fact fact(*target.type);
    std::optional<uint64_t> hash;
    if (in_.accept("hash")) {
      TENON_TRY(read, parse_hash());
      hash = read;
    } else {
      TENON_TRY(tensor, parse_inline(in_, target.type->dtype, *dims));
      fact = Fact::of(std::move(tensor));
    }
    TENON_TRY(id, define(std::move(target.name), std::move(fact), std::move(target.type)));
    module_.graphs.back()[id].layout = std::move(target.layout);
    if (hash) pending_.push_back({static_cast<GraphId>(module_.graphs.size() - 1), static_cast<size_t>(id), *hash});
    return {};
  }

  Result<void> parse_root_use(Target target) {
    TENON_TRY(name, in_.quoted());
    const auto at = root_rows_.find(name);
    if (at == root_rows_.end()) return in_.error(strf("there is no root '{}' above", name));
    const Tensor& data = module_.roots[at->second].data;
    const ValueType type = ValueType::tensor(data.dtype, Shape::of(data.dims));
    if (target.type && !(*target.type == type)) return in_.error(strf("the root '{}' is {}", name, to_string(type)));
    TENON_TRY(id, define(std::move(target.name), Fact(type), type));
    Value& value = module_.graphs.back()[id];
    value.root = std::move(name);
    value.layout = std::move(target.layout);
    return {};
  }

  Result<void> parse_node(std::vector<Target> targets) {
    TENON_TRY(op_name, parse_name());
    const OpRow* row = nullptr;
    for (const OpRow& candidate : ops_)
      if (candidate.name == op_name) row = &candidate;
    if (!row) return in_.error(strf("there is no operator '{}'", op_name));
    Graph& graph = module_.graphs.back();
    const auto node_id = static_cast<NodeId>(graph.nodes.size());
    Node node;
    TENON_OK(in_.expect("("));
    while (!in_.accept(")")) {
      if (!node.in.empty()) TENON_OK(in_.expect(","));
      ValueId use = ValueId::none;
      if (in_.peek() != '_' || !in_.accept("_")) {
        TENON_TRY(id, parse_use());
        use = id;
      }
      node.in.push_back(use);
    }
    const std::shared_ptr<void> attributes = row->make();
    TENON_OK(parse_attributes(*row, attributes.get(), node_id, node));
    node.op = Op(*row, attributes);
    if (node.epilogue_operands() > node.in.size()) return in_.error("the epilogue wants more operands than there are inputs");
    for (Target& target : targets) {
      Fact fact;
      if (target.type) fact.type = *target.type;
      all_stated_ = all_stated_ && target.type.has_value();
      TENON_TRY(id, define(std::move(target.name), std::move(fact), std::move(target.type)));
      graph[id].producer = node_id;
      graph[id].layout = std::move(target.layout);
      node.out.push_back(id);
    }
    graph.nodes.push_back(std::move(node));
    graph.order.push_back(node_id);
    return {};
  }

  Result<void> parse_attributes(const OpRow& row, void* attributes, NodeId node_id, Node& node) {
    while (true) {
      const size_t start = in_.mark();
      const std::string name(in_.identifier());
      if (name.empty() || !in_.accept("=")) {
        in_.rewind(start);
        return {};
      }
      const FieldRow* field = nullptr;
      for (const FieldRow& candidate : row.attributes->fields)
        if (candidate.name == name) field = &candidate;
      if (field) {
        TENON_OK(tenon::parse(*field->type, in_, static_cast<char*>(attributes) + field->offset));
      } else if (name == "epilogue") {
        TENON_TRY(expr, parse_expr(in_));
        node.epilogue = std::move(expr);
      } else if (name == "math") {
        TENON_OK(tenon::parse(type_of<Math>(), in_, &node.math));
      } else if (name == "device") {
        TENON_TRY(device, in_.integer());
        node.device = device;
      } else if (name == "regions") {
        TENON_OK(parse_regions(node_id));
      } else if (name == "origins") {
        std::vector<std::string> texts;
        TENON_OK(tenon::parse(type_of<std::vector<std::string>>(), in_, &texts));
        for (const std::string& text : texts) {
          const size_t colon = text.rfind(':');
          if (colon == std::string::npos) return in_.error("an origin is \"name:op\"");
          node.origins.push_back({text.substr(0, colon), text.substr(colon + 1)});
        }
      } else {
        return in_.error(strf("{} has no field '{}'", row.name, name));
      }
    }
  }

  Result<void> parse_regions(NodeId node_id) {
    std::vector<std::string> names;
    TENON_OK(in_.expect("["));
    while (!in_.accept("]")) {
      if (!names.empty()) TENON_OK(in_.expect(","));
      TENON_TRY(name, parse_name());
      names.push_back(std::move(name));
    }
    drafts_.back().regions.emplace_back(node_id, std::move(names));
    return {};
  }

  /// Every region belongs to one node, and none to the main graph: so they form a tree and inference ends.
  Result<void> resolve_regions() {
    std::set<GraphId> owned{GraphId{0}};
    for (size_t g = 0; g < drafts_.size(); ++g) {
      for (auto& [node, names] : drafts_[g].regions) {
        for (const std::string& name : names) {
          const auto at = graph_names_.find(name);
          if (at == graph_names_.end()) return fail("there is no graph '{}', which '{}' names as a region", name, module_.graphs[g].name);
          if (!owned.insert(at->second).second) return fail("the graph '{}' is the region of two nodes", name);
          module_.graphs[g][node].regions.push_back(at->second);
        }
      }
    }
    return {};
  }

  const Tensor* find_blob(const std::map<uint64_t, Tensor>& blobs, uint64_t hash) const {
    const auto at = blobs.find(hash);
    return at == blobs.end() ? nullptr : &at->second;
  }

  Result<std::optional<Tensor>> contents(uint64_t hash, DType dtype, const Dims& dims, bool root) {
    if (const auto at = contents_.find(hash); at != contents_.end()) {
      TENON_TRY(tensor, tensor_from(dtype, dims, at->second));
      return std::optional(std::move(tensor));
    }
    const Tensor* blob = blobs_ ? find_blob(root ? blobs_->roots : blobs_->constants, hash) : nullptr;
    if (!blob) return std::optional<Tensor>();
    const Tensor wanted = Tensor::wrap(dtype, dims, blob->data, blob->owner);
    if ((blob->dtype == DType::str) != (dtype == DType::str) || blob->elems() < 0 ||
        (dtype == DType::str ? blob->elems() != wanted.elems() : blob->bytes() != wanted.bytes()))
      return fail("the contents 0x{:016x} do not fit {}{}", hash, to_string(dtype), tenon::to_string(dims));
    return std::optional(wanted);
  }

  Result<void> resolve_contents() {
    for (const Pending& item : pending_) {
      if (item.graph == GraphId::none) {
        Tensor& data = module_.roots[item.index].data;
        TENON_TRY(found, contents(item.hash, data.dtype, data.dims, true));
        if (found) data = *found;
        continue;
      }
      Value& value = module_[item.graph].values[item.index];
      TENON_TRY(found, contents(item.hash, value.fact.dtype(), *value.fact.shape().constant(), false));
      if (!found) return fail(ErrorKind::not_found, "the contents 0x{:016x} of constant '%{}' are missing", item.hash, value.name);
      value.fact = Fact::of(*found);
    }
    return {};
  }

  /// Fills in what the text leaves out: types, and contents of shape arithmetic. What it states wins.
  Result<void> infer_graph(GraphId id) {
    Graph& graph = module_[id];
    const Draft& draft = drafts_[static_cast<size_t>(id)];
    for (const Port& port : graph.inputs) settle(graph, draft, port.value, graph[port.value].fact, false);
    for (const NodeId node_id : graph.order) {
      const Node& node = graph[node_id];
      const int64_t minted = module_.symbols.minted;
      const auto facts = infer_node(module_, graph, node);
      const bool fresh = module_.symbols.minted != minted;
      for (size_t i = 0; i < node.out.size(); ++i) {
        const bool known = facts.ok() && i < facts->size();
        if (!known && !draft.stated[static_cast<size_t>(node.out[i])]) {
          const std::string why = facts.ok() ? "the operator has fewer outputs" : facts.error().message();
          return fail("{} in graph '{}': {}", describe(graph, node), graph.name, why);
        }
        settle(graph, draft, node.out[i], known ? (*facts)[i] : Fact(), fresh);
      }
      for (const GraphId region : node.regions) TENON_OK(infer_graph(region));
    }
    return {};
  }

  Result<void> check_depth(GraphId id, int depth) {
    if (depth > kMaxRegionDepth) return fail("regions are nested more than {} deep", kMaxRegionDepth);
    for (const Node& node : module_[id].nodes)
      for (const GraphId region : node.regions) TENON_OK(check_depth(region, depth + 1));
    return {};
  }

  void settle(Graph& graph, const Draft& draft, ValueId id, Fact inferred, bool fresh) {
    const auto& stated = draft.stated[static_cast<size_t>(id)];
    if (stated && !(inferred.type == *stated)) inferred = Fact(*stated);
    if (stated && fresh && all_stated_) inferred.elems.reset();  // its symbols are about to be forgotten
    graph[id].fact = std::move(inferred);
  }

  Scanner in_;
  std::span<const OpRow> ops_;
  const Blobs* blobs_;
  Module module_;
  std::vector<Draft> drafts_;
  std::map<std::string, GraphId> graph_names_;
  std::map<std::string, size_t> root_rows_;
  std::map<uint64_t, Bytes> contents_;
  std::vector<Pending> pending_;
  bool all_stated_ = true;
};

}  // namespace

Result<Module> parse_module(std::string_view text, std::span<const OpRow> ops, const Blobs* blobs) {
  return Parser(text, ops, blobs).parse();
}

}  // namespace tenon::ir
