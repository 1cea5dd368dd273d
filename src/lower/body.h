// One graph → one Body: the main graph's, or that of a region.
#pragma once
#include <set>

#include "lower/weights.h"

namespace tenon::lower {

/// `known`: symbols whose values the enclosing body knows when this one starts.
Result<engine::Body> lower_body(const ir::Module& module, const ir::Graph& graph, Weights& weights, std::set<std::string> known);

/// Buffers of steps that may overwrite an input join its alias set (in-place). Lifetimes must be final.
void share_in_place(engine::Body& body);
/// Host memory that a device's queue still reads or writes lives until the host next waits for that queue.
void extend_over_queues(engine::Body& body);

}  // namespace tenon::lower
