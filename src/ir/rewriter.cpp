#include "ir/rewriter.h"

#include <algorithm>
#include <map>

#include "ir/text.h"

namespace tenon::ir {
namespace {

constexpr int kMaxRounds = 64;

size_t at(ValueId id) { return static_cast<size_t>(id); }
size_t at(NodeId id) { return static_cast<size_t>(id); }

bool is_plain(const Node& node) { return node.epilogue.empty() && fields_equal(node.math, Math{}); }

void add_origins(std::vector<Origin>& to, const std::vector<Origin>& from) {
  for (const Origin& origin : from)
    if (std::find(to.begin(), to.end(), origin) == to.end()) to.push_back(origin);
}

void collect_symbols(const ValueType& type, std::set<std::string>& names) {
  std::vector<std::string> found;
  for (const Dim& dim : type.shape.dims()) dim.collect(found);
  names.insert(found.begin(), found.end());
  if (type.element) collect_symbols(*type.element, names);
}

bool same_fact(const Fact& a, const Fact& b) { return a.type == b.type && a.constant == b.constant && a.elems == b.elems; }

}  // namespace

Rewriter::Rewriter(Module& module, GraphId graph) : module_(module), graph_(module[graph]) {
  for (const Port& port : module.main().inputs) collect_symbols(module.main()[port.value].fact.type, boundary_);
  grow();
  for (size_t i = 0; i < graph_.values.size(); ++i) {
    const Value& value = graph_.values[i];
    weight_[i] = value.producer == NodeId::none && (value.is_constant() || value.is_root());
  }
  for (const NodeId id : graph_.order) adopt(id);
  for (const Port& port : graph_.outputs) ++uses_[at(port.value)];
}

void Rewriter::grow() {
  uses_.resize(graph_.values.size());
  users_.resize(graph_.values.size());
  weight_.resize(graph_.values.size());
  dirty_.resize(graph_.nodes.size());
  places_.resize(graph_.nodes.size(), -1);
}

/// Counts a node's uses and notes whether its outputs hang on weights alone.
void Rewriter::adopt(NodeId id) {
  const Node& node = graph_[id];
  bool weight = node.op.row().pure && node.regions.empty() && !node.in.empty();
  for (const ValueId in : node.in) {
    if (in == ValueId::none) continue;
    ++uses_[at(in)];
    users_[at(in)].push_back(id);
    weight = weight && weight_[at(in)];
  }
  for (const ValueId out : node.out) weight_[at(out)] = weight;
}

const Fact& Rewriter::fact(ValueId id) const {
  static const Fact absent;
  return id == ValueId::none ? absent : graph_[id].fact;
}

const Tensor* Rewriter::constant_of(ValueId id) const { return fact(id).constant.get(); }

bool Rewriter::is_weight(ValueId id) const { return id != ValueId::none && weight_[at(id)]; }

const Node* Rewriter::peek(ValueId id, Fused fused) const {
  if (id == ValueId::none || graph_[id].producer == NodeId::none) return nullptr;
  const Node& node = graph_[graph_[id].producer];
  return fused == Fused::shown || is_plain(node) ? &node : nullptr;
}

const Node* Rewriter::producer_of(ValueId id, Fused fused) {
  const Node* node = peek(id, fused);
  if (node) current_.looked_at.push_back(graph_[id].producer);
  return node;
}

int Rewriter::uses(ValueId id) const { return id == ValueId::none ? 0 : uses_[at(id)]; }

bool Rewriter::is_known_with(const Dim& dim, ValueId x) const {
  std::set<std::string> known = boundary_;
  collect_symbols(fact(x).type, known);
  std::vector<std::string> names;
  dim.collect(names);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return known.contains(name); });
}

int64_t Rewriter::place_of(ValueId id) const {
  if (id == ValueId::none || graph_[id].producer == NodeId::none) return -1;
  return places_[at(graph_[id].producer)];
}

bool Rewriter::is_output(ValueId id) const {
  return std::any_of(graph_.outputs.begin(), graph_.outputs.end(), [&](const Port& port) { return port.value == id; });
}

ValueId Rewriter::constant(Tensor tensor, std::string name) {
  const ValueId id = graph_.add_constant(std::move(tensor), std::move(name));
  grow();
  weight_[at(id)] = true;
  return id;
}

Values Rewriter::emit_op(Op op, Values in, EmitOptions options) {
  Node node;
  node.op = std::move(op);
  node.in = std::move(in);
  node.regions = std::move(options.regions);
  node.epilogue = std::move(options.epilogue);
  node.math = options.math;
  node.out.resize(static_cast<size_t>(options.outputs), ValueId::none);
  const Values refused(node.out.size(), ValueId::none);
  if (error_) return refused;
  auto facts = infer_node(module_, graph_, node);
  if (!facts.ok() || facts->size() < node.out.size()) {
    error_ = facts.ok() ? fail("inference of {} gives {} outputs, wanted {}", node.op.name(), facts->size(), node.out.size())
                        : std::move(facts.error()).within(strf("emitting {}", node.op.name()));
    return refused;
  }
  const auto id = static_cast<NodeId>(graph_.nodes.size());
  for (size_t i = 0; i < node.out.size(); ++i) {
    node.out[i] = graph_.add_value(std::move((*facts)[i]));
    graph_[node.out[i]].producer = id;
  }
  graph_.nodes.push_back(std::move(node));
  grow();
  adopt(id);
  current_.emitted.push_back(id);
  return graph_[id].out;
}

Values Rewriter::inline_region(GraphId region, const Values& in) {
  const Graph& body = module_[region];
  std::map<ValueId, ValueId> here{{ValueId::none, ValueId::none}};
  for (size_t i = 0; i < body.inputs.size() && i < in.size(); ++i) here[body.inputs[i].value] = in[i];
  const auto mapped = [&](ValueId id) {
    if (const auto known = here.find(id); known != here.end()) return known->second;
    const ValueId copy = graph_.add_value(body[id].fact, body[id].name);
    graph_[copy].root = body[id].root;
    graph_[copy].layout = body[id].layout;
    grow();
    weight_[at(copy)] = body[id].producer == NodeId::none;  // a body's inputs are mapped already: this is a constant or a root
    return here[id] = copy;
  };
  for (const NodeId body_id : body.order) {
    Node node = body[body_id];
    const auto id = static_cast<NodeId>(graph_.nodes.size());
    for (ValueId& value : node.in) value = mapped(value);
    for (ValueId& value : node.out) {
      value = mapped(value);
      graph_[value].producer = id;
    }
    graph_.nodes.push_back(std::move(node));
    grow();
    adopt(id);
    current_.emitted.push_back(id);
    refresh(id);
  }
  Values out;
  for (const Port& port : body.outputs) out.push_back(mapped(port.value));
  return out;
}

Result<bool> Rewriter::sweep(const Visit& visit) {
  bool changed = false;
  const std::vector<NodeId> nodes = std::move(graph_.order);
  graph_.order.clear();
  order_.clear();
  for (const NodeId id : nodes) {
    if (!graph_[id].alive()) continue;
    if (dirty_[at(id)]) refresh(id);
    current_ = {id, {}, {}};
    std::optional<Values> with;
    if (!error_) {
      with = visit(*this, graph_[id]);
      if (with && !error_)
        if (auto checked = check_replacement(graph_[id], *with); !checked.ok()) error_ = std::move(checked.error());
      if (error_) error_ = std::move(*error_).within(describe(graph_, graph_[id]));
    }
    if (with && !error_) {
      changed = changed || *with != graph_[id].out;
      finish(*with);
    } else {
      undo_emitted();
    }
    for (const NodeId emitted : current_.emitted) pass(emitted);
    pass(id);
  }
  current_ = {};
  std::erase_if(order_, [&](NodeId id) { return !graph_[id].alive(); });
  graph_.order = std::move(order_);
  substitute_symbols(module_, equal_);
  equal_.clear();
  if (error_) return *std::exchange(error_, std::nullopt);
  return changed;
}

void Rewriter::pass(NodeId id) {
  places_[at(id)] = static_cast<int64_t>(order_.size());
  order_.push_back(id);
}

Result<void> Rewriter::check_replacement(const Node& node, const Values& with) const {
  if (with.size() != node.out.size()) return fail("the rule gives {} values for {} outputs", with.size(), node.out.size());
  for (size_t i = 0; i < with.size(); ++i) {
    if (with[i] == ValueId::none) {
      if (uses(node.out[i]) > 0) return fail("the rule gives no value for output {}, which is used", i);
      continue;
    }
    const ValueType &was = fact(node.out[i]).type, &is = fact(with[i]).type;
    const bool ranks = was.shape.has_rank() && is.shape.has_rank();
    const bool types = was.dtype != DType::none && is.dtype != DType::none;
    if (was.kind != is.kind || (types && was.dtype != is.dtype) || (ranks && was.shape.rank() != is.shape.rank()))
      return fail("the rule gives a value of type {} for output {} of type {}", to_string(is), i, to_string(was));
  }
  return {};
}

void Rewriter::finish(const Values& with) {
  const NodeId id = current_.id;
  const Values out = graph_[id].out;
  if (with == out) return;
  std::vector<std::pair<NodeId, std::vector<Origin>>> looked_at;
  for (const NodeId seen : current_.looked_at) looked_at.emplace_back(seen, graph_[seen].origins);
  std::reverse(looked_at.begin(), looked_at.end());
  const std::vector<Origin> own = graph_[id].origins;
  for (size_t i = 0; i < out.size(); ++i)
    if (with[i] != ValueId::none) replace(out[i], with[i]);
  erase_dead(id);
  undo_emitted();  // what the rule made and did not use

  std::vector<Origin> origins;
  for (const auto& [seen, theirs] : looked_at)
    if (!graph_[seen].alive()) add_origins(origins, theirs);
  add_origins(origins, own);
  for (const NodeId emitted : current_.emitted)
    if (graph_[emitted].alive() && graph_[emitted].origins.empty()) graph_[emitted].origins = origins;
}

void Rewriter::undo_emitted() {
  for (size_t i = current_.emitted.size(); i-- > 0;) erase_dead(current_.emitted[i]);
}

void Rewriter::replace(ValueId from, ValueId to) {
  if (from == to) return;
  const Fact before = graph_[from].fact;
  improve(to, before);
  const bool better = !same_fact(graph_[to].fact, before);
  note_equal(before, graph_[to].fact);  // symbols that only `from` had are gone with it
  for (const NodeId user : users_[at(from)]) {
    if (!graph_[user].alive()) continue;
    for (ValueId& in : graph_[user].in) {
      if (in != from) continue;
      in = to;
      --uses_[at(from)];
      ++uses_[at(to)];
      users_[at(to)].push_back(user);
    }
    if (better) dirty_[at(user)] = true;
  }
  users_[at(from)].clear();
  for (Port& port : graph_.outputs) {
    if (port.value != from) continue;
    port.value = to;
    --uses_[at(from)];
    ++uses_[at(to)];
  }
  if (graph_[to].name.empty()) graph_[to].name = graph_[from].name;
}

/// Removes a node whose outputs nobody uses, then those that lived for it alone.
void Rewriter::erase_dead(NodeId first) {
  std::vector<NodeId> work{first};
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    if (!graph_[id].alive()) continue;
    const Values& out = graph_[id].out;
    if (std::any_of(out.begin(), out.end(), [&](ValueId value) { return uses_[at(value)] > 0; })) continue;
    for (const ValueId value : out) graph_[value].producer = NodeId::none;
    for (const ValueId in : graph_[id].in) {
      if (in == ValueId::none) continue;
      --uses_[at(in)];
      if (graph_[in].producer != NodeId::none) work.push_back(graph_[in].producer);
    }
    graph_[id] = Node{};
  }
}

void Rewriter::note_equal(const Fact& was, const Fact& is) {
  if (!was.has_rank() || !is.has_rank() || was.rank() != is.rank()) return;
  for (int64_t i = 0; i < was.rank(); ++i) {
    const auto symbol = was.shape()[i].as_symbol();
    if (symbol && !boundary_.contains(std::string(*symbol)) && !(was.shape()[i] == is.shape()[i]))
      add_equality(equal_, std::string(*symbol), is.shape()[i]);
  }
}

bool Rewriter::improve(Value& value, const Fact& with) {
  if (value.producer == NodeId::none && (value.is_constant() || value.is_root())) return false;
  Fact fact = merged(value.fact, with);
  if (same_fact(fact, value.fact)) return false;
  note_equal(value.fact, fact);
  value.fact = std::move(fact);
  return true;
}

void Rewriter::improve(ValueId id, const Fact& with) {
  if (!improve(graph_[id], with)) return;
  for (const NodeId user : users_[at(id)]) dirty_[at(user)] = true;
}

void Rewriter::refresh(NodeId id) {
  dirty_[at(id)] = false;
  // Inference writes what it finds into the bodies. There as here, the better of old and new stays: attributes may name old symbols.
  std::vector<GraphId> bodies = graph_[id].regions;
  for (size_t i = 0; i < bodies.size(); ++i)
    for (const NodeId inner : module_[bodies[i]].order)
      bodies.insert(bodies.end(), module_[bodies[i]][inner].regions.begin(), module_[bodies[i]][inner].regions.end());
  std::vector<std::vector<Fact>> before;
  for (const GraphId body : bodies) {
    before.emplace_back();
    for (const Value& value : module_[body].values) before.back().push_back(value.fact);
  }
  const auto facts = infer_node(module_, graph_, graph_[id]);
  for (size_t i = 0; i < bodies.size(); ++i) {
    for (size_t v = 0; v < before[i].size(); ++v) {
      Value& value = module_[bodies[i]].values[v];
      const Fact found = std::exchange(value.fact, before[i][v]);
      if (facts.ok()) improve(value, found);
    }
  }
  if (!facts.ok()) return;  // the facts that stand were good enough so far
  for (size_t i = 0; i < facts->size() && i < graph_[id].out.size(); ++i) improve(graph_[id].out[i], (*facts)[i]);
}

Dim Rewriter::better(const Dim& a, const Dim& b) const {
  const auto known_at_start = [&](const Dim& dim) {
    std::vector<std::string> names;
    dim.collect(names);
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return boundary_.contains(name); });
  };
  if (a.is_constant() || a == b) return a;
  if (b.is_constant()) return b;
  return !known_at_start(a) && known_at_start(b) ? b : a;
}

/// Both describe one value; the result is the better of either: a rank instead of none, numbers instead of symbols, symbols of the
/// boundary instead of data-dependent ones.
Fact Rewriter::merged(const Fact& a, const Fact& b) const {
  Fact out = a;
  if (a.type.kind != b.type.kind) return out;
  if (out.dtype() == DType::none) out.type.dtype = b.dtype();
  if (!out.type.element) out.type.element = b.type.element;
  if (!a.shape().has_rank()) {
    out.type.shape = b.shape();
  } else if (b.shape().has_rank() && a.rank() == b.rank()) {
    for (int64_t i = 0; i < a.rank(); ++i) out.type.shape[i] = better(a.shape()[i], b.shape()[i]);
  }
  if (!out.constant) out.constant = b.constant;
  if (!out.elems) {
    out.elems = b.elems;
  } else if (b.elems && a.elems->size() == b.elems->size()) {
    for (size_t i = 0; i < out.elems->size(); ++i) (*out.elems)[i] = better((*a.elems)[i], (*b.elems)[i]);
  }
  return out;
}

Result<bool> apply_rules(Module& module, std::span<const RuleRow> rules, const Log& log) {
  std::map<std::string_view, std::vector<const RuleRow*>> by_op;
  for (const RuleRow& row : rules) by_op[row.op].push_back(&row);
  const RuleRow *tried = nullptr, *fired = nullptr;
  const Rewriter::Visit visit = [&](Rewriter& rw, const Node& node) -> std::optional<Values> {
    for (const std::string_view op : {node.op.name(), std::string_view()}) {
      const auto found = by_op.find(op);
      if (found == by_op.end()) continue;
      for (const RuleRow* row : found->second) {
        if (row->fused == Fused::hidden && !is_plain(node)) continue;
        tried = row;
        if (auto with = row->rule(rw, node)) {
          fired = row;
          return with;
        }
      }
    }
    return std::nullopt;
  };
  bool changed = false;
  for (int round = 0; round < kMaxRounds; ++round) {
    bool again = false;
    for (const GraphId id : live_graphs(module)) {
      auto swept = Rewriter(module, id).sweep(visit);
      if (!swept.ok()) return std::move(swept.error()).within(strf("rule '{}'", tried ? tried->name : "?"));
      again = again || *swept;
    }
    if (!again) return changed;
    changed = true;
  }
  log(Severity::warning, "graph rewriting did not settle in {} rounds, the rule '{}' fired last; the graph is right, please report this",
      kMaxRounds, fired->name);
  return changed;
}

}  // namespace tenon::ir
