// verify(): every rule that passes and lowering rely on. A module that breaks one was made by a wrong importer or pass.
#pragma once
#include "ir/graph.h"

namespace tenon::ir {

/// Ids in range; one producer per value; nodes in topological order, each live one once; ports that exist, with unique names; regions
/// that belong to one node and take its captures; epilogues that fit, on anchors only; facts that agree with inference (element type
/// and rank, and no dim that is certainly another); roots that exist. Errors name the graph and the node.
Result<void> verify(const Module& module);

/// A node of a region that cannot run with the sizes which its inputs turned out to have: inference refuses it, or contradicts its facts.
/// That is no mistake of the model if its branch is never taken. Nodes with regions are not looked at, those in them are.
struct Contradiction {
  GraphId graph = GraphId{0};
  NodeId node = NodeId::none;
  std::string why;
};
std::vector<Contradiction> contradictions_in_regions(const Module& module);

}  // namespace tenon::ir
