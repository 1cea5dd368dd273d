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

}  // namespace tenon::lower
