// What the tests of kernels share: the lines of bench/problems, and problems with other types.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/problem.h"

namespace tenon {

/// The lines of all files of bench/problems, sorted.
std::vector<std::string> bench_lines();

/// The problem with `type` in place of the types that `which` holds of; nothing where its kind has none or an epilogue computes in them.
std::optional<engine::Problem> retyped(const engine::Problem& problem, DType type, const std::function<bool(DType)>& which);

}  // namespace tenon
