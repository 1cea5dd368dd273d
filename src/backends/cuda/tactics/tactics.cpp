#include "backends/cuda/tactics/tactics.h"

#include "backends/cuda/jit/compile.h"

namespace tenon::cuda {

#define TENON_CUDA_TACTIC(name) tune::Tactic name();
#include "backends/cuda/tactics/tactics.def"
#undef TENON_CUDA_TACTIC

namespace {

const std::vector<tune::Tactic>& rows() {
  static const std::vector<tune::Tactic> list = {
#define TENON_CUDA_TACTIC(name) name(),
#include "backends/cuda/tactics/tactics.def"
#undef TENON_CUDA_TACTIC
  };
  return list;
}

/// What some tactic takes; else the last refusal, which is that of the problem's own kind where there is one.
engine::Verdict caps(const engine::Problem& problem, const engine::DeviceFacts& device) {
  engine::Verdict out = engine::no("operators that run by name stay on the host");
  for (const tune::Tactic& tactic : rows()) {
    const engine::Verdict verdict = tactic.supports(problem, device);
    if (verdict.ok) return verdict;
    if (verdict.why != kOtherKind) out = verdict;
  }
  return out;
}

}  // namespace

const tune::Backend& backend() {
  static const tune::Backend self = {.name = "cuda", .caps = caps, .tactics = rows(), .compile = compile_kernels};
  return self;
}

}  // namespace tenon::cuda
