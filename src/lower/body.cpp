#include "lower/body.h"

#include <algorithm>

#include "lower/demand.h"
#include "ops/if.h"
#include "ops/loop.h"
#include "ops/pointwise.h"
#include "ops/scan.h"

namespace tenon::lower {
namespace {

using engine::Body;
using engine::Buffer;
using engine::BufferKind;
using engine::Operand;
using engine::Step;
using ir::Graph;
using ir::Node;
using ir::ValueId;

constexpr int64_t kHost = 0;

class BodyLowering {
 public:
  BodyLowering(const ir::Module& module, const Graph& graph, Weights& weights, std::set<std::string> known)
      : module_(module), graph_(graph), weights_(weights), known_(std::move(known)) {}

  Result<Body> run() {
    add_inputs();
    want_outputs();
    demand_.emplace(graph_, known_);
    for (const ir::NodeId id : graph_.order) {
      const Node& node = graph_[id];
      if (!demand_->wants(node)) continue;
      auto done = lower_node(node);
      if (!done.ok()) return std::move(done.error()).within(strf("lowering '{}' ({})", origin_text(node), node.op.name()));
    }
    TENON_OK(add_outputs());
    if (body_.segments.size() > 1 && body_.segments.back().steps.empty() && body_.segments.back().region.empty()) body_.segments.pop_back();
    extend_over_queues(body_);
    share_in_place(body_);
    return std::move(body_);
  }

 private:
  // Values and their places.
  void add_inputs() {
    for (const ir::Port& port : graph_.inputs) {
      const ValueType& type = graph_[port.value].fact.type;
      const int64_t buffer = add_buffer({.name = port.name, .kind = BufferKind::input, .index = static_cast<int64_t>(body_.inputs.size())});
      const Operand operand{.buffer = buffer, .type = type};
      places_[{port.value, kHost}] = operand;
      body_.inputs.push_back({port.name, type, operand});
      if (type.is_tensor() && type.shape.has_rank())
        for (const Dim& dim : type.shape.dims())
          if (const auto symbol = dim.as_symbol()) known_.insert(std::string(*symbol));
    }
  }

  /// The value whose bytes `value` shows, through views; a view whose sizes only a step decides is a copy.
  ValueId base_of(ValueId value) const {
    while (graph_[value].producer != ir::NodeId::none && graph_[graph_[value].producer].op.row().view &&
           sizes_known(graph_[value].fact.type) && sizes_known(graph_[graph_[graph_[value].producer].in[0]].fact.type))
      value = graph_[graph_[value].producer].in[0];
    return value;
  }

  /// A value that a host step computes and a port shows is computed in the port's memory.
  void want_outputs() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) wanted_.try_emplace(base_of(graph_.outputs[i].value), static_cast<int64_t>(i));
  }

  bool sizes_known(const ValueType& type) const { return has_sizes(type, known_); }

  int64_t add_buffer(Buffer buffer) {
    body_.buffers.push_back(std::move(buffer));
    writers_.push_back({-1, kHost});
    return static_cast<int64_t>(body_.buffers.size()) - 1;
  }

  static Dim bytes_dim(const ValueType& type) {
    const int bits = bits_of(type.dtype);
    return bits >= 8 ? type.shape.elems() * Dim(bits / 8) : ceildiv(type.shape.elems() * Dim(bits), Dim(8));
  }

  /// A new place for a value that the next step writes.
  Operand make_place(ValueId value, int64_t space) {
    const ValueType& type = graph_[value].fact.type;
    Buffer buffer{.name = graph_[value].name, .space = space, .first = position_, .last = position_};
    if (!sizes_known(type)) {
      buffer.kind = BufferKind::slot;
    } else if (const auto port = wanted_.find(value); port != wanted_.end() && space == kHost) {
      buffer.kind = BufferKind::output;
      buffer.index = port->second;
    } else {
      buffer.bytes = bytes_dim(type);
    }
    if (buffer.kind != BufferKind::arena) buffer.first = buffer.last = 0;
    const Operand operand{.buffer = add_buffer(std::move(buffer)), .type = type};
    places_[{value, space}] = operand;
    return operand;
  }

  Result<Operand> place(ValueId value, int64_t space) {
    if (value == ValueId::none) return Operand{};
    if (const auto at = places_.find({value, space}); at != places_.end()) return at->second;
    if (weights_.is_static(graph_, value)) {
      TENON_TRY(row, weights_.row(graph_, value));
      const int64_t buffer = add_buffer({.name = graph_[value].name, .kind = BufferKind::weight, .space = space, .index = row});
      return places_[{value, space}] = Operand{.buffer = buffer, .type = graph_[value].fact.type};
    }
    if (demand_->knows(value)) return series(value, space);
    for (int64_t other = 0; other < 64; ++other)
      if (const auto at = places_.find({value, other}); at != places_.end()) return transfer(value, at->second, other, space);
    return fail("the value '{}' is used before it is computed", graph_[value].name);
  }

  /// A step that writes known contents where they are read.
  Operand series(ValueId value, int64_t space) {
    const Fact& fact = graph_[value].fact;
    Step step{.name = strf("sizes {}", graph_[value].name), .device = space};
    step.problem = engine::SeriesProblem{.type = fact.dtype(), .shape = fact.shape(), .values = *fact.elems};
    open_segment(step.device);
    step.out = {make_place(value, space)};
    add_step(std::move(step));
    return places_[{value, space}];
  }

  /// A copy step between two spaces, on the queue of the device that is no host.
  Operand transfer(ValueId value, const Operand& from, int64_t from_space, int64_t to_space) {
    const int64_t device = from_space == kHost ? to_space : from_space;
    open_segment(device);
    const Operand to = make_place(value, to_space);
    add_transfer(graph_[value].name, from, to, device);
    return to;
  }
  void add_transfer(const std::string& name, const Operand& from, const Operand& to, int64_t device) {
    Step step{.name = strf("copy {}", name), .device = device, .in = {from}, .out = {to}};
    step.problem = engine::TransferProblem{bytes_dim(from.type)};
    open_segment(device);
    add_step(std::move(step));
  }

  // Steps.
  void open_segment(int64_t device) {
    const bool fresh = body_.segments.empty() || ended_ || (segment_device_ == kHost) != (device == kHost);
    if (fresh && (body_.segments.empty() || !body_.segments.back().steps.empty() || !body_.segments.back().region.empty()))
      body_.segments.emplace_back();
    segment_device_ = device;
    ended_ = false;
  }

  std::vector<int64_t> touch(const std::vector<Operand>& in, const std::vector<Operand>& out, int64_t device) {
    std::vector<int64_t> waits;
    for (const std::vector<Operand>* list : {&in, &out})
      for (const Operand& operand : *list) {
        if (operand.buffer < 0) continue;
        Buffer& buffer = body_.buffers[static_cast<size_t>(operand.buffer)];
        if (buffer.kind == BufferKind::arena) buffer.last = std::max(buffer.last, position_);
        const Writer& writer = writers_[static_cast<size_t>(operand.buffer)];
        if (list == &in && writer.step >= 0 && writer.device != kHost && writer.device != device) waits.push_back(writer.step);
      }
    for (const Operand& operand : out)
      if (operand.buffer >= 0) writers_[static_cast<size_t>(operand.buffer)] = {position_, device};
    std::sort(waits.begin(), waits.end());
    waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
    return waits;
  }

  /// Symbols that stand alone as a dim of an output and have no value yet: the step gives them one.
  std::vector<std::string> define(const ir::Values& outputs) {
    std::vector<std::string> out;
    for (const ValueId value : outputs) {
      const ValueType& type = graph_[value].fact.type;
      if (!type.is_tensor() || !type.shape.has_rank()) continue;
      for (const Dim& dim : type.shape.dims())
        if (const auto symbol = dim.as_symbol(); symbol && known_.insert(std::string(*symbol)).second) out.emplace_back(*symbol);
    }
    return out;
  }

  void add_step(Step step) {
    step.waits = touch(step.in, step.out, step.device);
    ended_ = !step.defines.empty();
    body_.segments.back().steps.push_back(std::move(step));
    ++position_;
  }

  Result<void> lower_node(const Node& node) {
    TENON_TRY(taken, weights_.took(graph_, node));
    if (taken) return {};
    if (node.op.row().has_regions) return lower_region(node);
    if (node.op.row().view && sizes_known(graph_[node.out[0]].fact.type) && sizes_known(graph_[node.in[0]].fact.type))
      return lower_view(node);
    const bool outputs_known = std::all_of(node.out.begin(), node.out.end(), [&](ValueId v) { return sizes_known(graph_[v].fact.type); });
    const bool inputs_known = std::all_of(node.in.begin(), node.in.end(), [&](ValueId v) {
      return v == ValueId::none || weights_.is_static(graph_, v) || sizes_known(graph_[v].fact.type);
    });
    if (outputs_known && inputs_known) {
      TENON_TRY(shown, lower_piece(node));
      return shown ? Result<void>() : lower_step(node);
    }
    return lower_dynamic(node);
  }

  Result<void> lower_view(const Node& node) {
    const int64_t space =
        places_.contains({node.in[0], std::max<int64_t>(node.device, 0)}) ? std::max<int64_t>(node.device, 0) : any_space(node.in[0]);
    TENON_TRY(from, place(node.in[0], space));
    Operand view = from;
    view.type = graph_[node.out[0]].fact.type;
    places_[{node.out[0], space}] = view;
    return {};
  }
  int64_t any_space(ValueId value) const {
    for (const auto& [key, operand] : places_)
      if (key.first == value) return key.second;
    return kHost;
  }

  /// A copy of elements that lie side by side in its input is a view of them, if kernels can load vectors from where it begins.
  Result<bool> lower_piece(const Node& node) {
    constexpr int64_t kAligned = 16;
    const int64_t space = std::max<int64_t>(node.device, 0);
    if (node.out.size() != 1 || (space == kHost && wanted_.contains(node.out[0]))) return false;
    TENON_TRY(problem, problem_of(graph_, node));
    const auto* copy = problem.as<engine::CopyProblem>();
    if (!copy || bits_of(copy->type) < 8) return false;
    Dim dense(1);
    for (int64_t d = copy->shape.rank(); d-- > 0; dense = dense * copy->shape[d])
      if (!(copy->shape[d] == Dim(1)) && !(copy->strides[static_cast<size_t>(d)] == dense)) return false;
    const Dim offset = copy->offset * Dim(bits_of(copy->type) / 8);
    if (!exact_div(offset, Dim(kAligned))) return false;
    TENON_TRY(from, place(node.in[0], space));
    const BufferKind kind = body_.buffers[static_cast<size_t>(from.buffer)].kind;
    if (kind != BufferKind::arena && kind != BufferKind::weight) return false;
    Operand view = from;
    view.offset = view.offset + offset;
    view.type = graph_[node.out[0]].fact.type;
    places_[{node.out[0], space}] = view;
    return true;
  }

  Result<void> lower_step(const Node& node) {
    Step step{.name = origin_text(node), .device = std::max<int64_t>(node.device, 0)};
    TENON_TRY(problem, problem_of(graph_, node));
    step.problem = std::move(problem);
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!engine::reads(step.problem, i, node.in.size())) {
        step.in.emplace_back();
        continue;
      }
      TENON_TRY(operand, place(node.in[i], step.device));
      step.in.push_back(operand);
    }
    if (step.device != kHost) mark_static(step);
    open_segment(step.device);
    for (const ValueId out : node.out) step.out.push_back(make_place(out, step.device));
    add_step(std::move(step));
    return {};
  }

  /// Tells the problem whether its weights never change: a kernel fetches them before the kernel ahead has ended.
  void mark_static(Step& step) const {
    const engine::Weights weights = engine::weights_of(step.problem);
    bool all = weights.first < weights.last;
    for (size_t i = weights.first; i < weights.last; ++i)
      all = all && step.in.size() > i && body_.buffers[static_cast<size_t>(step.in[i].buffer)].kind == BufferKind::weight;
    engine::mark_static(step.problem, all);
  }

  /// Sizes or ranks that only run time knows: the reference library runs the operator by name, on the host, into slots.
  Result<void> lower_dynamic(const Node& node) {
    const size_t own = node.in.size() - node.epilogue_operands();
    Step step{.name = origin_text(node), .problem = reference_problem(node.op)};
    for (size_t i = 0; i < own; ++i) {
      TENON_TRY(operand, place(node.in[i], kHost));
      step.in.push_back(operand);
    }
    if (node.epilogue.empty()) {
      open_segment(kHost);
      for (const ValueId out : node.out) step.out.push_back(make_place(out, kHost));
      step.defines = define(node.out);
      add_step(std::move(step));
      return {};
    }
    const ValueType middle = ValueType::tensor(node.epilogue.nodes[0].type, Shape::unknown());
    Step second{.name = step.name, .problem = reference_problem(ops::make_op(ops::Pointwise{.expr = node.epilogue}))};
    for (size_t i = own; i < node.in.size(); ++i) {
      TENON_TRY(operand, place(node.in[i], kHost));
      second.in.push_back(operand);
    }
    open_segment(kHost);
    const Operand between{.buffer = add_buffer({.name = step.name, .kind = BufferKind::slot}), .type = middle};
    step.out = {between};
    add_step(std::move(step));
    second.in.insert(second.in.begin(), between);
    for (const ValueId out : node.out) second.out.push_back(make_place(out, kHost));
    second.defines = define(node.out);
    add_step(std::move(second));
    return {};
  }

  Result<void> lower_region(const Node& node) {
    engine::Region region{.name = origin_text(node)};
    if (const auto* op = node.op.as<ops::If>()) {
      region.kind = engine::RegionKind::branch;
      region.captures = op->captures;
    } else if (const auto* loop = node.op.as<ops::Loop>()) {
      region.kind = engine::RegionKind::loop;
      region.captures = loop->captures;
    } else if (const auto* scan = node.op.as<ops::Scan>()) {
      region.kind = engine::RegionKind::scan;
      region.captures = scan->captures;
      region.scan_inputs = scan->num_scan_inputs;
      const auto filled = [](std::vector<int64_t> list, int64_t n) {
        list.resize(static_cast<size_t>(std::max<int64_t>(n, 0)));
        return list;
      };
      const auto carried = static_cast<int64_t>(node.in.size()) - scan->captures - scan->num_scan_inputs;
      const auto scans = static_cast<int64_t>(node.out.size()) - carried;
      region.in_axes = filled(scan->scan_input_axes, scan->num_scan_inputs);
      region.in_reversed = filled(scan->scan_input_directions, scan->num_scan_inputs);
      region.out_axes = filled(scan->scan_output_axes, scans);
      region.out_reversed = filled(scan->scan_output_directions, scans);
    } else {
      return fail(ErrorKind::unsupported, "the operator {} has regions that the runtime does not know", node.op.name());
    }
    for (const ValueId in : node.in) {
      TENON_TRY(operand, place(in, kHost));
      region.in.push_back(operand);
    }
    for (const ir::GraphId id : node.regions) {
      TENON_TRY(inner, lower_body(module_, module_[id], weights_, known_));
      region.bodies.push_back(std::move(inner));
    }
    open_segment(kHost);
    for (const ValueId out : node.out) {
      const Operand slot{.buffer = add_buffer({.name = graph_[out].name, .kind = BufferKind::slot}), .type = graph_[out].fact.type};
      places_[{out, kHost}] = slot;
      region.out.push_back(slot);
    }
    region.defines = define(node.out);
    region.waits = touch(region.in, region.out, kHost);
    body_.segments.back().region.push_back(std::move(region));
    ended_ = true;
    ++position_;
    return {};
  }

  Result<void> add_outputs() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ir::Port& port = graph_.outputs[i];
      const ValueType& type = graph_[port.value].fact.type;
      // From a device straight into the port's memory, views too.
      const bool away = !places_.contains({port.value, kHost}) && sizes_known(type);
      if (const int64_t space = any_space(port.value); away && space != kHost) {
        const Operand from = places_[{port.value, space}];
        const Operand shown{.buffer = add_buffer({.name = port.name, .kind = BufferKind::output, .index = static_cast<int64_t>(i)}),
                            .type = type};
        add_transfer(port.name, from, shown, space);
        body_.outputs.push_back({port.name, type, shown});
        continue;
      }
      TENON_TRY(operand, place(port.value, kHost));
      Operand shown = operand;
      if (body_.buffers[static_cast<size_t>(operand.buffer)].kind ==
          BufferKind::arena) {  // computed on a device, or a view of something else
        shown = {.buffer = add_buffer({.name = port.name, .kind = BufferKind::output, .index = static_cast<int64_t>(i)}), .type = type};
        Step step{.name = strf("output {}", port.name), .in = {operand}, .out = {shown}};
        engine::CopyProblem copy{
            .type = type.dtype, .shape = type.shape, .strides = std::vector<Dim>(static_cast<size_t>(type.shape.rank()))};
        Dim stride(1);
        for (int64_t d = type.shape.rank(); d-- > 0; stride = stride * type.shape[d]) copy.strides[static_cast<size_t>(d)] = stride;
        step.problem = std::move(copy);
        open_segment(kHost);
        add_step(std::move(step));
      }
      body_.outputs.push_back({port.name, type, shown});
    }
    return {};
  }

  struct Writer {
    int64_t step, device;
  };
  const ir::Module& module_;
  const Graph& graph_;
  Weights& weights_;
  std::set<std::string> known_;
  std::optional<Demand> demand_;
  Body body_;
  std::map<std::pair<ValueId, int64_t>, Operand> places_;
  std::map<ValueId, int64_t> wanted_;
  std::vector<Writer> writers_;  // of each buffer
  int64_t position_ = 0, segment_device_ = kHost;
  bool ended_ = false;
};

}  // namespace

Result<Body> lower_body(const ir::Module& module, const Graph& graph, Weights& weights, std::set<std::string> known) {
  return BodyLowering(module, graph, weights, std::move(known)).run();
}

}  // namespace tenon::lower
