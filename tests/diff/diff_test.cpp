// Every tactic of every backend, on each line of bench/problems that it takes, against the reference: fresh random inputs, outputs full of
// NaN bits beforehand, floats retyped. The oracle computes in 64 bits where the kind allows it, on the same inputs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "engine/reference_api.h"
#include "runtime/engine.h"
#include "tests/diff/problems.h"
#include "tools/tenon/problem_io.h"
#include "tools/tenon/values.h"
#include "tune/tactic.h"

namespace tenon {
namespace {

using engine::Problem;

/// The problem with `type` in place of all its floats; nothing where each function of an expression would round once more.
std::optional<Problem> in_type(const Problem& problem, DType type) {
  if (problem.as<engine::PointwiseProblem>() || problem.as<engine::RecurrentProblem>()) return std::nullopt;
  return retyped(problem, type, [](DType at) { return is_float(at); });
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
  if (const auto* cumulative = problem.as<engine::CumulativeProblem>()) times(cumulative->shape[cumulative->axis]);
  // Random indices are small: nearly all updates may meet in one row.
  if (const auto* scatter = problem.as<engine::ScatterProblem>(); scatter && scatter->shape.rank() > 0) times(scatter->shape[0]);
  if (const auto* squeeze = problem.as<engine::SqueezeExciteProblem>()) times(squeeze->m), times(squeeze->c);
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
  const std::optional<Problem> wide = in_type(problem, DType::f64);
  std::vector<HostValue> wide_in;
  for (const HostValue& value : in)
    wide_in.push_back(wide && is_float(value.tensor.dtype) ? HostValue(*convert(value.tensor, DType::f64)) : value);
  const auto done = (*api)->run(wide ? *wide : problem, wide_in, out);
  EXPECT_TRUE(done.ok()) << done.error().message();
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i].tensor.dtype != out_facts[i].dtype()) out[i] = *convert(out[i].tensor, out_facts[i].dtype());
  return out;
}

/// A problem with random inputs, and what should come out; nothing where results are not compared.
struct Case {
  const Problem& problem;
  uint64_t seed = 0;
  cli::ProblemOperands operands;
  std::vector<HostValue> in, wanted;
};

Result<Case> case_of(const Problem& problem, uint64_t seed, bool compares) {
  TENON_TRY(operands, cli::operands_of(problem));
  Case out{problem, seed, std::move(operands), {}, {}};
  for (size_t i = 0; i < out.operands.in.size(); ++i) {
    TENON_TRY(value, cli::random_value(out.operands.in[i].type, *out.operands.in[i].shape().constant(), seed, strf("in{}", i)));
    out.in.push_back(std::move(value));
  }
  cli::settle_random(problem, out.in, seed);
  if (compares) out.wanted = oracle(problem, out.in, out.operands.out);
  return out;
}

/// Runs the problem by the tactic; what is wrong, or nothing.
std::optional<std::string> check(const engine::DeviceApi& api, const tune::Tactic& tactic, const Case& one) {
  tune::CodeStore code;
  auto kernel = tactic.build(one.problem, {engine::DeviceFacts(), code});
  if (!kernel.ok()) return kernel.error().message();
  Device device(api);
  std::vector<HostValue> device_in, device_out;
  for (const HostValue& value : one.in) device_in.push_back(device.upload(value.tensor));
  std::vector<Tensor> got;
  for (const Fact& fact : one.operands.out) {
    got.push_back(*Tensor::allocate(fact.dtype(), *fact.shape().constant()));
    std::memset(got.back().data, 0xff, static_cast<size_t>(got.back().bytes()));
    device_out.push_back(device.upload(got.back()));
  }
  for (const engine::Launch& launch : kernel->launches)
    if (auto done = device.run(launch.code, {.problem = &one.problem, .in = device_in, .out = device_out}); !done.ok())
      return done.error().message();
  for (size_t i = 0; i < one.wanted.size(); ++i) {
    device.download(device_out[i], got[i]);
    if (auto difference = cli::first_difference(got[i], one.wanted[i], tolerance_for(one.problem)))
      return strf("output {}: {}", i, *difference);
  }
  return std::nullopt;
}

// A type changes no path that a small problem does not take too. Sanitizers make all of it twenty times slower: there large problems run
// for what touches memory, and only small ones are compared, as the other builds compare them all.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENON_ASAN 1
#endif
#endif
#ifdef TENON_ASAN
constexpr double kMostRetyped = 1e5, kMostCompared = 1e6;
#else
constexpr double kMostRetyped = 1e8, kMostCompared = 1e300;
#endif

constexpr size_t kParts = 16;  // of the lines: a test each, so that they spread over what runs side by side

class Diff : public ::testing::TestWithParam<size_t> {};

TEST_P(Diff, EveryTacticOnEveryProblem) {
  std::vector<std::string> lines;
  const std::vector<std::string> all = bench_lines();
  for (size_t i = GetParam(); i < all.size(); i += kParts) lines.push_back(all[i]);
  ASSERT_FALSE(lines.empty());
  std::random_device fresh;
  int64_t checked = 0;
  for (const std::string& line : lines) {
    const auto problem = cli::parse_problem(line);
    ASSERT_TRUE(problem.ok()) << line << ": " << problem.error().message();
    const double flops = cli::flops_of(*problem);
    std::vector<Problem> variants = {*problem};
    if (flops < kMostRetyped)
      for (const DType type : {DType::f64, DType::f16, DType::bf16})
        if (auto other = in_type(*problem, type); other && engine::to_string(*other) != line) variants.push_back(*other);
    for (const Problem& variant : variants) {
      const auto one = case_of(variant, fresh(), flops < kMostCompared);
      ASSERT_TRUE(one.ok()) << engine::to_string(variant) << ": " << one.error().message();
      for (const std::string_view name : {"cpu", "mock"}) {
        const tune::Backend* backend = tune::find_backend(name);
        const engine::DeviceApi* api = runtime::find_device_api(name);
        ASSERT_TRUE(backend && api) << name;
        for (const tune::Tactic& tactic : backend->tactics) {
          if (!tactic.supports(variant, {}).ok) continue;
          const auto wrong = check(*api, tactic, *one);
          EXPECT_FALSE(wrong) << *wrong << "\nreproduce with: tenon bench --check --seed " << one->seed << " \""
                              << engine::to_string(variant) << "\" (tactic " << tactic.name << " of " << name << ")";
          ++checked;
        }
      }
    }
  }
  std::printf("%lld cases\n", static_cast<long long>(checked));
  EXPECT_GT(checked, 2 * static_cast<int64_t>(lines.size()) - 1);
}

INSTANTIATE_TEST_SUITE_P(Parts, Diff, ::testing::Range<size_t>(0, kParts));

}  // namespace
}  // namespace tenon
