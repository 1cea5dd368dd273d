// The passes, in order, with reasons.
#pragma once
#include "passes/pass.h"

namespace tenon::passes {

/// Same meaning on every device. What comes out is the graph that the engine file keeps.
std::span<const Pass> portable_pipeline();
/// For one target, on a copy of that graph.
std::span<const Pass> target_pipeline();
/// A pass of either list, or null.
const Pass* find_pass(std::string_view name);

}  // namespace tenon::passes
