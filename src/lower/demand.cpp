#include "lower/demand.h"

#include <algorithm>

#include "lower/lower.h"

namespace tenon::lower {
namespace {

bool known_in(const std::vector<Dim>& dims, const std::set<std::string>& symbols) {
  std::vector<std::string> names;
  for (const Dim& dim : dims) dim.collect(names);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return symbols.contains(name); });
}

}  // namespace

bool has_sizes(const ValueType& type, const std::set<std::string>& symbols) {
  return type.is_tensor() && type.shape.has_rank() && type.dtype != DType::str && known_in(type.shape.dims(), symbols);
}

Demand::Demand(const ir::Graph& graph, std::set<std::string> given) : graph_(graph), given_(std::move(given)), defined_(given_) {
  for (const ir::NodeId id : graph.order)
    for (const ir::ValueId value : graph[id].out) {
      const ValueType& type = graph[value].fact.type;
      if (!type.is_tensor() || !type.shape.has_rank()) continue;
      for (const Dim& dim : type.shape.dims())
        if (const auto symbol = dim.as_symbol()) defined_.insert(std::string(*symbol));
    }
  const auto read = [&](ir::ValueId value) {
    if (value != ir::ValueId::none && !knows(value)) read_.insert(value);
  };
  for (const ir::Port& port : graph.outputs) read(port.value);
  for (auto at = graph.order.rbegin(); at != graph.order.rend(); ++at) {
    const ir::Node& node = graph[*at];
    if (!wants(node)) continue;
    const std::vector<bool> reads = reads_of(node);
    for (size_t i = 0; i < node.in.size(); ++i)
      if (reads[i]) read(node.in[i]);
  }
}

bool Demand::has_given_sizes(ir::ValueId value) const { return has_sizes(graph_[value].fact.type, given_); }

bool Demand::knows(ir::ValueId value) const {
  const ir::Value& v = graph_[value];
  if (v.producer == ir::NodeId::none || !v.fact.elems || v.fact.elems->empty() || !v.fact.has_rank() || !v.fact.shape().constant())
    return false;
  return (is_int(v.fact.dtype()) || v.fact.dtype() == DType::boolean) && known_in(*v.fact.elems, defined_);
}

bool Demand::wants(const ir::Node& node) const {
  if (!node.op.row().pure || node.op.row().has_regions) return true;
  return std::any_of(node.out.begin(), node.out.end(), [&](ir::ValueId out) { return read_.contains(out) || !has_given_sizes(out); });
}

/// Of each input, whether the step of the node looks at it.
std::vector<bool> Demand::reads_of(const ir::Node& node) const {
  std::vector<bool> out(node.in.size(), true);
  if (node.op.row().has_regions) return out;
  if (!std::all_of(node.out.begin(), node.out.end(), [&](ir::ValueId value) { return has_given_sizes(value); })) return out;
  const bool view = node.op.row().view && has_given_sizes(node.in[0]);
  const Result<engine::Problem> problem = view ? Result<engine::Problem>(engine::Problem()) : problem_of(graph_, node);
  for (size_t i = 0; i < out.size(); ++i) out[i] = view ? i == 0 : !problem.ok() || engine::reads(*problem, i, node.in.size());
  return out;
}

}  // namespace tenon::lower
