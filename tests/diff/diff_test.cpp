// Every tactic of every backend, on each line of bench/problems that it takes, against the reference: fresh random inputs, outputs full of
// NaN bits beforehand, floats retyped. The oracle computes in 64 bits where the kind allows it, on the same inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "base/text.h"
#include "engine/reference_api.h"
#include "runtime/engine.h"
#include "tools/tenon/problem_io.h"
#include "tools/tenon/values.h"
#include "tune/tactic.h"

namespace tenon {
namespace {

using engine::Problem;

std::vector<std::string> problem_lines() {
  std::vector<std::string> out;
  for (const auto& file : std::filesystem::directory_iterator(std::string(TENON_SOURCE_DIR) + "/bench/problems")) {
    const auto text = read_text(file.path().string());
    EXPECT_TRUE(text.ok()) << file.path();
    for (const std::string& line : split(*text, '\n'))
      if (!line.empty() && line[0] != '#') out.push_back(line);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The problem with `type` in place of 32-bit floats; nothing where the type is part of an expression.
std::optional<Problem> retyped(const Problem& problem, DType type) {
  if (const Expr* expr = engine::epilogue_of(problem) ? &engine::epilogue_of(problem)->expr : nullptr; expr && !expr->empty()) return {};
  const auto change = [&](DType& at) { at = is_float(at) ? type : at; };
  Problem out = problem;
  if (auto* gemm = std::get_if<engine::GemmProblem>(&out.kind)) {
    change(gemm->a), change(gemm->b), change(gemm->out);
  } else if (auto* conv = std::get_if<engine::ConvProblem>(&out.kind)) {
    change(conv->x), change(conv->w), change(conv->out);
  } else if (auto* reduce = std::get_if<engine::ReduceProblem>(&out.kind)) {
    change(reduce->in), change(reduce->out);
  } else if (auto* norm = std::get_if<engine::NormProblem>(&out.kind)) {
    change(norm->type);
  } else if (auto* pool = std::get_if<engine::PoolProblem>(&out.kind)) {
    change(pool->type);
  } else if (auto* attention = std::get_if<engine::AttentionProblem>(&out.kind)) {
    change(attention->type), change(attention->mask_type);
  } else if (auto* copy = std::get_if<engine::CopyProblem>(&out.kind)) {
    change(copy->type);
  } else if (auto* index = std::get_if<engine::IndexProblem>(&out.kind)) {
    change(index->type);
  } else if (auto* resize = std::get_if<engine::ResizeProblem>(&out.kind)) {
    change(resize->type);
  } else {
    return {};
  }
  return out;
}

/// How many products or values are summed into one element.
double summands(const Problem& problem) {
  double out = 1;
  const auto times = [&](const Dim& dim) { out *= static_cast<double>(dim.constant().value_or(1)); };
  if (const auto* gemm = problem.as<engine::GemmProblem>()) times(gemm->k);
  if (const auto* conv = problem.as<engine::ConvProblem>()) {
    times(conv->c);
    for (const Dim& tap : conv->kernel) times(tap);
  }
  if (const auto* reduce = problem.as<engine::ReduceProblem>())
    for (const int64_t axis : reduce->axes) times(reduce->shape[axis]);
  if (const auto* norm = problem.as<engine::NormProblem>()) times(norm->shape[norm->axis]);
  if (const auto* pool = problem.as<engine::PoolProblem>())
    for (const int64_t tap : pool->kernel) out *= static_cast<double>(tap);
  return out;
}

/// Terms lie in [-1, 1): in 32 bits each of n roundings moves a sum of size √n by 2^-24 of it; 16 for what follows. 16-bit results are
/// rounded once more.
cli::Tolerance tolerance_for(const Problem& problem) {
  const double n = summands(problem);
  const double accumulation = 16 * 0x1p-24 * n;
  return {.rtol = 1e-5 + accumulation, .atol = accumulation, .f16_rtol = 0x1p-10 + accumulation, .bf16_rtol = 0x1p-7 + accumulation};
}

class Device {
 public:
  explicit Device(const engine::DeviceApi& api) : api_(api) {
    auto opened = api.open(0);
    EXPECT_TRUE(opened.ok());
    queue_ = *opened;
  }
  ~Device() {
    for (std::byte* memory : memory_) api_.release(queue_, memory);
    api_.close(queue_);
  }
  /// A copy of the host's tensor in the device's memory.
  HostValue upload(const Tensor& host) {
    auto memory = api_.allocate(queue_, host.bytes());
    EXPECT_TRUE(memory.ok());
    memory_.push_back(*memory);
    EXPECT_TRUE(api_.copy(queue_, *memory, host.data, host.bytes(), engine::CopyKind::to_device).ok());
    return Tensor::wrap(host.dtype, host.dims, *memory);
  }
  Result<void> run(const engine::CodeRef& code, const engine::KernelCall& call) {
    TENON_TRY(kernel, api_.resolve(code));
    TENON_OK(api_.launch(queue_, kernel, call));
    return api_.synchronize(queue_);
  }
  void download(const HostValue& from, Tensor& to) {
    EXPECT_TRUE(api_.copy(queue_, to.data, from.tensor.data, to.bytes(), engine::CopyKind::to_host).ok());
    EXPECT_TRUE(api_.synchronize(queue_).ok());
  }

 private:
  const engine::DeviceApi& api_;
  void* queue_ = nullptr;
  std::vector<std::byte*> memory_;
};

/// What the outputs should be: computed in 64 bits and rounded once, where the problem can be retyped.
std::vector<HostValue> oracle(const Problem& problem, const std::vector<HostValue>& in, const std::vector<Fact>& out_facts) {
  const auto api = engine::load_reference();
  EXPECT_TRUE(api.ok());
  std::vector<HostValue> out(out_facts.size());
  const std::optional<Problem> wide = retyped(problem, DType::f64);
  std::vector<HostValue> wide_in;
  for (const HostValue& value : in)
    wide_in.push_back(wide && is_float(value.tensor.dtype) ? HostValue(*convert(value.tensor, DType::f64)) : value);
  const auto done = (*api)->run(wide ? *wide : problem, wide_in, out);
  EXPECT_TRUE(done.ok()) << done.error().message;
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i].tensor.dtype != out_facts[i].dtype()) out[i] = *convert(out[i].tensor, out_facts[i].dtype());
  return out;
}

/// Runs the problem by the tactic; what is wrong, or nothing.
std::optional<std::string> check(const engine::DeviceApi& api, const tune::Tactic& tactic, const Problem& problem, uint64_t seed) {
  auto operands = cli::operands_of(problem);
  if (!operands.ok()) return operands.error().message;
  tune::CodeStore code;
  auto kernel = tactic.build(problem, {engine::DeviceFacts(), code});
  if (!kernel.ok()) return kernel.error().message;
  Device device(api);
  std::vector<HostValue> in, device_in, device_out;
  for (size_t i = 0; i < operands->in.size(); ++i) {
    auto value = cli::random_value(operands->in[i].type, *operands->in[i].shape().constant(), seed, strf("in{}", i));
    if (!value.ok()) return value.error().message;
    in.push_back(*value);
  }
  cli::keep_indices_inside(problem, in);
  for (const HostValue& value : in) device_in.push_back(device.upload(value.tensor));
  std::vector<Tensor> got;
  for (const Fact& fact : operands->out) {
    got.push_back(*Tensor::allocate(fact.dtype(), *fact.shape().constant()));
    std::memset(got.back().data, 0xff, static_cast<size_t>(got.back().bytes()));
    device_out.push_back(device.upload(got.back()));
  }
  for (const engine::Launch& launch : kernel->launches)
    if (auto done = device.run(launch.code, {.problem = &problem, .in = device_in, .out = device_out}); !done.ok())
      return done.error().message;
  const std::vector<HostValue> wanted = oracle(problem, in, operands->out);
  for (size_t i = 0; i < got.size(); ++i) {
    device.download(device_out[i], got[i]);
    if (auto difference = cli::first_difference(got[i], wanted[i], tolerance_for(problem))) return strf("output {}: {}", i, *difference);
  }
  return std::nullopt;
}

TEST(Diff, EveryTacticOnEveryProblem) {
  const std::vector<std::string> lines = problem_lines();
  ASSERT_FALSE(lines.empty());
  std::random_device fresh;
  int64_t checked = 0;
  for (const std::string_view name : {"cpu", "mock"}) {
    const tune::Backend* backend = tune::find_backend(name);
    const engine::DeviceApi* api = runtime::find_device_api(name);
    ASSERT_TRUE(backend && api) << name;
    for (const tune::Tactic& tactic : backend->tactics)
      for (const std::string& line : lines) {
        const auto problem = cli::parse_problem(line);
        ASSERT_TRUE(problem.ok()) << line << ": " << problem.error().message;
        std::vector<Problem> variants = {*problem};
        if (cli::flops_of(*problem) < 1e8)  // a type changes no path that a small problem does not take too
          for (const DType type : {DType::f64, DType::f16, DType::bf16})
            if (auto other = retyped(*problem, type); other && engine::to_string(*other) != line) variants.push_back(*other);
        for (const Problem& variant : variants) {
          if (!tactic.supports(variant, {}).ok) continue;
          const uint64_t seed = fresh();
          const auto wrong = check(*api, tactic, variant, seed);
          EXPECT_FALSE(wrong) << *wrong << "\nreproduce with: tenon bench --check --seed " << seed << " \"" << engine::to_string(variant)
                              << "\" (tactic " << tactic.name << " of " << name << ")";
          ++checked;
        }
      }
  }
  std::printf("%lld cases\n", static_cast<long long>(checked));
  EXPECT_GT(checked, 2 * static_cast<int64_t>(lines.size()) - 1);
}

}  // namespace
}  // namespace tenon
