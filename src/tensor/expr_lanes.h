// One expression node over a block of lanes: float for narrow floats, double, int64 for integers (the bits of a u64).
#pragma once
#include "tensor/expr.h"

namespace tenon {

constexpr int64_t kLanes = 512;

/// Computes lanes [0, n) of `out`, and up to 15 lanes more, which callers must own. n <= kLanes. Not for inputs and constants.
void compute_lanes(const Expr& expr, const ExprNode& node, const std::byte* const* args, std::byte* out, int64_t n);
/// Integer lanes to the range of `type`, as storing and loading would; floats stay.
void wrap_lanes(DType type, std::byte* lanes, int64_t n);
/// The type whose memory form lanes of `type` have.
inline DType lane_type(DType type) { return type == DType::u64 ? type : widened(type); }

}  // namespace tenon
