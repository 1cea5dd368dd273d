// Engines for GPUs, built without one: the PTX for GPUs that nothing was built for, and the stress build. They want NVRTC.
#include <gtest/gtest.h>

#include <regex>

#include "backends/cuda/jit/compile.h"
#include "backends/cuda/tactics/facts.h"
#include "backends/cuda/tactics/tactics.h"
#include "build.h"
#include "engine/check_order.h"
#include "tests/diff/cuda_cases.h"

namespace tenon {
namespace {

class CudaBuild : public testing::TestWithParam<const char*> {
 protected:
  enum class Kind { usual, stress };
  Result<engine::Image> build(std::vector<std::string> targets, Kind kind = Kind::usual) {
    BuildOptions options;
    options.targets = std::move(targets);
    options.stress = kind == Kind::stress;
    options.tune = false;
    // With numbers for sizes launches are dependent.
    if (std::string_view(GetParam()) == "transformer")
      options.input_dims = {{"tokens", {2, 8}}, {"attention_mask", {2, 8}}};
    else
      options.input_dims = {{"image", {1, 3, 32, 32}}};
    const std::string model = strf("{}/tests/models/small/{}/model.onnx", TENON_SOURCE_DIR, GetParam());
    options.log = Log([](Severity, std::string_view) {});
    TENON_TRY(bytes, build_engine_from_file(model, options));
    bytes_ = std::move(bytes);
    return engine::read_engine(bytes_, nullptr);
  }
  Bytes bytes_;
};

/// Of the plan's main body.
std::vector<const engine::Launch*> launches_of(const engine::Plan& plan) {
  std::vector<const engine::Launch*> out;
  for (const engine::Segment& segment : plan.main.segments)
    for (const engine::Step& step : segment.steps)
      for (const engine::Variant& variant : step.variants)
        for (const engine::Launch& launch : variant.kernel.launches)
          if (launch.code.module >= 0) out.push_back(&launch);
  return out;
}

void check_ptx(std::string_view text) {
  EXPECT_NE(text.find(".target sm_80"), std::string_view::npos) << text.substr(0, 400);
  EXPECT_EQ(text.find("griddepcontrol"), std::string_view::npos);
  EXPECT_EQ(text.find("cluster"), std::string_view::npos);
  EXPECT_EQ(text.back(), '\0');
}

TEST_P(CudaBuild, PtxStandsBesideTheCodeForOneGpu) {
  const auto image = build({"sm_90", "compute_80", "cpu"});
  if (!image.ok() && image.error().kind() == ErrorKind::not_found) GTEST_SKIP() << image.error().message();
  ASSERT_TRUE(image.ok()) << image.error().message();
  const engine::Plan *code = image->find_plan("sm_90"), *ptx = image->find_plan("compute_80");
  ASSERT_TRUE(code && ptx && image->find_plan("cpu") && image->find_plan("portable"));
  size_t dependent = 0;
  for (const engine::Launch* launch : launches_of(*code)) {
    EXPECT_TRUE(launch->code.has_wait) << launch->code.name;
    dependent += launch->mode == engine::LaunchMode::dependent;
  }
  EXPECT_GT(dependent, 0U);
  ASSERT_FALSE(launches_of(*ptx).empty());
  for (const engine::Launch* launch : launches_of(*ptx)) {
    EXPECT_EQ(launch->mode, engine::LaunchMode::plain);
    EXPECT_TRUE(launch->cluster.empty());
    EXPECT_FALSE(launch->code.has_wait);
    EXPECT_EQ(launch->code.arch, "compute_80");
  }
  for (const engine::CodeModule& module : ptx->modules) {
    const engine::Blob* blob = image->find_blob(module.blob);
    ASSERT_TRUE(blob);
    check_ptx(text_of(blob->data.view()));
  }
}

std::string without_names(const engine::Plan& plan) {
  return std::regex_replace(engine::to_string(plan), std::regex("kernel=k[0-9a-f]{16}"), "kernel");
}

TEST_P(CudaBuild, AStressBuildHasTheSameKernelsOfOtherCode) {
  const auto usual = build({"sm_90"});
  if (!usual.ok() && usual.error().kind() == ErrorKind::not_found) GTEST_SKIP() << usual.error().message();
  ASSERT_TRUE(usual.ok()) << usual.error().message();
  const engine::Plan plan = *usual->find_plan("sm_90");
  const auto stress = build({"sm_90"}, Kind::stress);
  ASSERT_TRUE(stress.ok()) << stress.error().message();
  const engine::Plan& stressed = *stress->find_plan("sm_90");
  EXPECT_EQ(without_names(plan), without_names(stressed));
  ASSERT_EQ(plan.modules.size(), stressed.modules.size());
  for (size_t i = 0; i < plan.modules.size(); ++i) EXPECT_NE(plan.modules[i].blob, stressed.modules[i].blob);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaBuild, testing::Values("cnn_residual", "transformer"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CudaPtx, HasNothingThatOlderGpusLack) {
  constexpr size_t kMostEach = 3;
  const engine::DeviceFacts device = *cuda::facts_of("compute_80");
  tune::CodeStore code;
  std::map<std::string_view, size_t> count;
  for (const char* kind : kCudaKinds)
    for (const CudaCase& one : cuda_cases(kind))
      for (const tune::Tactic& tactic : cuda::backend().tactics) {
        if (count[tactic.name] == kMostEach || !tactic.supports(one.problem, device).ok) continue;
        ++count[tactic.name];
        const auto kernel = tactic.build(one.problem, {device, code});
        ASSERT_TRUE(kernel.ok()) << kernel.error().message();
        for (const engine::Launch& launch : kernel->launches) {
          EXPECT_EQ(launch.mode, engine::LaunchMode::plain);
          EXPECT_TRUE(launch.cluster.empty());
          EXPECT_LE(launch.shared_bytes.constant().value_or(0), device.shared_bytes) << tactic.name;
        }
      }
  for (const tune::Tactic& tactic : cuda::backend().tactics) EXPECT_GT(count[tactic.name], 0U) << tactic.name;
  const auto compiled = cuda::compile_kernels(code.rows(), device, Log());
  if (!compiled.ok() && compiled.error().kind() == ErrorKind::not_found) GTEST_SKIP() << compiled.error().message();
  ASSERT_TRUE(compiled.ok()) << compiled.error().message();
  for (const tune::CompiledKernel& kernel : *compiled) {
    check_ptx(text_of(kernel.binary));
    EXPECT_FALSE(kernel.has_wait);
  }
}

}  // namespace
}  // namespace tenon
