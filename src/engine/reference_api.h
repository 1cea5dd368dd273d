// The door to the reference library, which is loaded when a plan first needs it.
#pragma once
#include "engine/problem.h"

namespace tenon::engine {

struct ReferenceApi {
  /// Computes any problem on host memory. Dims come from the tensors; outputs without data are allocated.
  Result<void> (*run)(const Problem& problem, std::span<const HostValue> in, std::span<HostValue> out);
};

/// Loads libtenon-reference from beside this library, once. Errors: the file is missing or of another version.
Result<const ReferenceApi*> load_reference();

}  // namespace tenon::engine
