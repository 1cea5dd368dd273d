// The build half of the CUDA backend.
#pragma once
#include "tune/tactic.h"

namespace tenon::cuda {

const tune::Backend& backend();

/// What a tactic says to a problem of another kind.
inline constexpr std::string_view kOtherKind = "another kind of problem";

}  // namespace tenon::cuda
