// Every kernel text that the CUDA tactics write for the problems of cuda_cases.h, through NVRTC: it compiles, nothing spills, and the
// compiler's output keeps the rules of dependent launches.
#include <gtest/gtest.h>

#include "backends/cuda/jit/compile.h"
#include "backends/cuda/tactics/facts.h"
#include "backends/cuda/tactics/tactics.h"
#include "tests/diff/cuda_cases.h"
#include "tune/tactic.h"

namespace tenon {
namespace {

bool is_product(const engine::Problem& problem) { return problem.as<engine::GemmProblem>() || problem.as<engine::ConvProblem>(); }
bool mentions(const engine::Problem& problem, std::string_view type) { return engine::to_string(problem).find(type) != std::string::npos; }

/// Whether the kernel of another case tells as much: a test would only take longer.
bool is_told_by_another(const engine::Problem& problem, std::string_view arch) {
  if (is_product(problem)) return mentions(problem, "bf16");  // the text of f16 but for a word
  // What uses no tensor cores has one text for all architectures, which spills on all or none: one type on the older will do.
  return arch == "sm_80" && !problem.as<engine::AttentionProblem>() && !mentions(problem, "f16");
}

class CudaCompile : public ::testing::TestWithParam<const char*> {};

TEST_P(CudaCompile, WithoutSpills) {
  const std::vector<CudaCase> cases = cuda_cases(GetParam());
  for (const std::string_view arch : {"sm_80", "sm_90"}) {
    const engine::DeviceFacts device = *cuda::facts_of(arch);
    tune::CodeStore code;
    for (const CudaCase& one : cases)
      for (const tune::Tactic& tactic : cuda::backend().tactics) {
        if (!tactic.supports(one.problem, device).ok) continue;
        if (is_told_by_another(one.problem, arch)) continue;
        const auto kernel = tactic.build(one.problem, {device, code});
        EXPECT_TRUE(kernel.ok()) << engine::to_string(one.problem) << ": " << kernel.error().message();
      }
    const auto compiled = cuda::compile_kernels(code.rows(), device, Log());
    if (!compiled.ok() && compiled.error().kind() == ErrorKind::not_found) GTEST_SKIP() << compiled.error().message();
    ASSERT_TRUE(compiled.ok()) << compiled.error().message();
    for (size_t i = 0; i < compiled->size(); ++i) {
      EXPECT_EQ((*compiled)[i].local_bytes, 0) << code.rows()[i].entry << ": TENON_LOG=5 prints its text";
      EXPECT_EQ((*compiled)[i].has_wait, engine::has_dependent_launch(arch)) << code.rows()[i].entry;
      EXPECT_FALSE((*compiled)[i].has_constant_loads) << code.rows()[i].entry;
    }
    std::printf("%zu kernels for %s\n", compiled->size(), device.arch.c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CudaCompile, ::testing::ValuesIn(kCudaKinds), [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tenon
