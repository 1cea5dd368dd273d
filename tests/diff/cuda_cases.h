// Problems for CUDA kernels: the lines of bench/problems, in all types, and others with what those lack: symbols, odd types, every kind.
#pragma once
#include "engine/problem.h"

namespace tenon {

struct CudaCase {
  engine::Problem problem;
  DimValues values;  // of its symbols
};

/// Those of a kind ("norm"): lines of bench/problems in all float types, small ones with symbols and with what models rarely have,
/// every function of expressions on every type.
std::vector<CudaCase> cuda_cases(std::string_view kind);
inline constexpr const char* kCudaKinds[] = {"attention", "copy", "norm", "pointwise", "pool", "reduce"};

}  // namespace tenon
