// What a body has to compute: values that some step reads. Inputs that a problem holds as numbers are not read, and integers that follow
// from sizes are written where they are read, so the arithmetic that leads to either makes no steps.
#pragma once
#include <set>

#include "ir/graph.h"

namespace tenon::lower {

class Demand {
 public:
  /// given: the symbols that are known before the first step.
  Demand(const ir::Graph& graph, std::set<std::string> given);

  /// Whether the node runs: some output is read, it has an effect, or it tells a size.
  bool wants(const ir::Node& node) const;
  /// Whether the contents are integers that follow from symbols.
  bool knows(ir::ValueId value) const;

 private:
  bool has_given_sizes(ir::ValueId value) const;
  std::vector<bool> reads_of(const ir::Node& node) const;
  const ir::Graph& graph_;
  std::set<std::string> given_, defined_;  // defined: given or told by a node, which runs for that
  std::set<ir::ValueId> read_;
};

/// A tensor of known rank whose dims hang on nothing but these symbols.
bool has_sizes(const ValueType& type, const std::set<std::string>& symbols);

}  // namespace tenon::lower
