// Lowering: a graph whose nodes are placed becomes a plan: segments, steps with problems, virtual buffers, preparations of weights.
#pragma once
#include "engine/file.h"
#include "ir/graph.h"

namespace tenon::lower {

/// What a plan is made for. devices[0] is the host's backend.
struct Target {
  std::string name = "portable";
  std::vector<std::string> devices = {"cpu"};
};

/// Blobs grow by what the plan refers to: roots under their names, frozen constants under "#" and their hash. Plans of several
/// targets share them.
Result<engine::Plan> lower(const ir::Module& module, const Target& target, std::vector<engine::Blob>& blobs);

/// The problem of a node, epilogue included; a ReferenceProblem when the row has its own evaluator or cannot say one before run time.
Result<engine::Problem> problem_of(const ir::Graph& graph, const ir::Node& node);

/// The graph's text for the file; the constants in it join the blobs.
std::string keep_graph(const ir::Module& module, std::vector<engine::Blob>& blobs);

}  // namespace tenon::lower
