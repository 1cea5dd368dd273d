// Problems for CUDA kernels: the lines of bench/problems, in all types, and others with what those lack: symbols, odd types, every kind.
#pragma once
#include "engine/problem.h"
#include "tune/tactic.h"

namespace tenon {

struct CudaCase {
  engine::Problem problem;
  DimValues values;  // of its symbols
};

/// A problem that bench/problems lacks.
struct CudaRow {
  const char* line;
  DimValues values;
};
const std::vector<CudaRow>& cuda_rows();
/// Those of a kind ("norm"): lines of bench/problems in all float types, small ones with symbols and with what models rarely have,
/// every function of expressions on every type.
std::vector<CudaCase> cuda_cases(std::string_view kind);
/// Configurations of a tactic to test a problem with: its favourite, and others by the seed.
std::vector<std::string> some_configs(const tune::Tactic& tactic, const engine::Problem& problem, const engine::DeviceFacts& device,
                                      uint64_t seed);
inline constexpr const char* kCudaKinds[] = {"attention", "conv",    "copy",      "cumulative",     "gemm",      "grid_sample",
                                             "index",     "norm",    "pointwise", "pool",           "recurrent", "reduce",
                                             "resize",    "scatter", "series",    "squeeze_excite", "top_k"};

}  // namespace tenon
