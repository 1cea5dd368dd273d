// Static values: constants, roots, and what is computed from them alone. The latter become recorded preparations, not steps.
#pragma once
#include <map>

#include "lower/lower.h"

namespace tenon::lower {

class Weights {
 public:
  Weights(const ir::Module& module, engine::Plan& plan, std::vector<engine::Blob>& blobs) : module_(module), plan_(plan), blobs_(blobs) {}

  /// True for constants, roots, and outputs of nodes that took() accepted.
  bool is_static(const ir::Graph& graph, ir::ValueId value) const;
  /// If all inputs of a pure node without regions are static, records it as a preparation and returns true.
  Result<bool> took(const ir::Graph& graph, const ir::Node& node);
  /// The row of Plan::weights that holds a static value.
  Result<int64_t> row(const ir::Graph& graph, ir::ValueId value);

 private:
  using Key = std::pair<const ir::Graph*, ir::ValueId>;
  Result<engine::WeightSource> source(const ir::Graph& graph, ir::ValueId value);
  const ir::Module& module_;
  engine::Plan& plan_;
  std::vector<engine::Blob>& blobs_;
  std::map<Key, engine::WeightSource> prepared_;
  std::map<std::pair<std::string, std::pair<int64_t, int64_t>>, int64_t> rows_;
};

engine::Problem reference_problem(const Op& op);
std::string origin_text(const ir::Node& node);

}  // namespace tenon::lower
