// Kernels of the CUDA tactics on the CPU, against the reference: fresh random inputs, outputs full of NaN bits beforehand.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "backends/cuda/tactics/facts.h"
#include "backends/cuda/tactics/tactics.h"
#include "engine/reference_api.h"
#include "tensor/convert.h"
#include "tests/diff/cuda_cases.h"
#include "tests/emulator/emulate.h"
#include "tools/tenon/problem_io.h"
#include "tools/tenon/values.h"

namespace tenon {
namespace {

// A fiber for each thread: larger problems take seconds.
constexpr int64_t kMostElems = 1 << 20;
constexpr double kMostResident = 2e6;  // operations where every block of the grid is there at once
constexpr double kMostProducts = 1 << 20;
constexpr double kMostFlops = 4e6;  // of attention

struct Built {
  const CudaCase* one = nullptr;
  const tune::Tactic* tactic = nullptr;
  engine::Problem bound;
  cli::ProblemOperands operands;
  engine::Kernel kernel;
  std::string config;
};

/// What the kernel computes: where operands may be rounded to TF32, only tensor cores do so.
engine::Problem computed(const Built& built) {
  engine::Problem out = built.bound;
  if (std::string_view(built.tactic->name).ends_with("_mma")) return out;
  const auto exact = [](auto& problem) {
    if constexpr (requires { problem.math; })
      if (problem.math.operand_rounding == Rounding::tf32) problem.math.operand_rounding = Rounding::f32;
  };
  std::visit(exact, out.kind);
  return out;
}

/// How many products are summed into one element.
double summands(const engine::Problem& problem) {
  double out = 1;
  const auto times = [&](const Dim& dim) { out *= static_cast<double>(dim.constant().value_or(1)); };
  if (const auto* gemm = problem.as<engine::GemmProblem>()) times(gemm->k);
  if (const auto* conv = problem.as<engine::ConvProblem>()) {
    out /= static_cast<double>(conv->groups);
    times(conv->c);
    for (const Dim& tap : conv->kernel) times(tap);
  }
  if (const auto* squeeze = problem.as<engine::SqueezeExciteProblem>()) times(squeeze->m);
  return out;
}

/// Values that arithmetic treats differently: small and large, both signs, now and then what is no number.
void randomize(Tensor& tensor, std::mt19937_64& random, bool wild) {
  const int64_t elems = tensor.elems();
  if (!is_float(tensor.dtype)) {
    for (int64_t i = 0; i < tensor.bytes(); ++i)
      tensor.data[i] = static_cast<std::byte>(random() % (tensor.dtype == DType::boolean ? 2 : 256));
    if (wild && random() % 2) return;  // any bits; else small numbers, which division and powers meet
    for (int64_t i = 0; i < elems && tensor.dtype != DType::boolean; ++i) {
      const auto value = static_cast<int64_t>(random() % 7) - (is_unsigned_int(tensor.dtype) ? 0 : 3);
      const auto size = static_cast<size_t>(bits_of(tensor.dtype) / 8);
      std::memcpy(tensor.data + static_cast<size_t>(i) * size, &value, size);
    }
    return;
  }
  Tensor wide = *Tensor::allocate(DType::f64, tensor.dims);
  double* values = wide.as<double>().data();
  for (int64_t i = 0; i < elems; ++i) {
    values[i] = static_cast<double>(random() % 20001) / 10000 - 1;
    if (!wild) continue;
    if (random() % 3 == 0) values[i] *= 30;
    if (random() % 20 == 0) values[i] = std::array<double, 5>{INFINITY, -INFINITY, NAN, 0.0, 1e30}[random() % 5];
  }
  tensor = *convert(wide, tensor.dtype);
}

/// Sums of n products in another order: each of n roundings moves a sum by 2^-24 of it.
cli::Tolerance tolerance(const engine::Problem& problem) {
  double n = summands(problem);
  if (const auto* p = problem.as<engine::CumulativeProblem>()) n = 4 * static_cast<double>(p->shape[p->axis].constant().value_or(1));
  cli::Tolerance out{.rtol = 2e-5, .atol = 4e-6 + 0x1p-24 * (n > 1 ? n : 0), .f16_rtol = 0x1p-9, .bf16_rtol = 0x1p-6};
  // Each operand that is rounded to TF32 moves a product by 2^-11 of it at most, in any direction.
  const Math* math = engine::math_of(problem);
  if (math && math->operand_rounding == Rounding::tf32) out.atol += 0x1p-11 * std::sqrt(n);
  // Tensor cores take the weights of attention, which sum to 1, rounded to 16 bits, and v lies in [-1, 1].
  const auto* attention = problem.as<engine::AttentionProblem>();
  if (attention && attention->type != DType::f32) out.atol = attention->type == DType::f16 ? 0x1p-11 : 0x1p-8;
  return out;
}

/// Some scores that do not count, in the two ways of models.
void forbid_some(Tensor& mask, std::mt19937_64& random) {
  Tensor wide = *convert(mask, DType::f64);
  for (int64_t i = 0; i < wide.elems(); ++i)
    if (random() % 4 == 0) wide.as<double>()[static_cast<size_t>(i)] = random() % 2 ? -INFINITY : -3.4028234e38;
  mask = *convert(wide, mask.dtype);
}

class Emulated : public ::testing::TestWithParam<const char*> {
 protected:
  void add(const std::vector<CudaCase>& cases) {
    for (const CudaCase& one : cases)
      for (const tune::Tactic& tactic : cuda::backend().tactics) {
        if (!tactic.supports(one.problem, device_).ok) continue;
        Built built{&one, &tactic};
        auto bound = engine::bind(one.problem, one.values);
        ASSERT_TRUE(bound.ok()) << bound.error().message();
        built.bound = std::move(*bound);
        auto operands = cli::operands_of(built.bound);
        ASSERT_TRUE(operands.ok()) << engine::to_string(built.bound) << ": " << operands.error().message();
        built.operands = std::move(*operands);
        add_optional_outputs(built);
        int64_t elems = 0;
        for (const Fact& fact : built.operands.in) elems = std::max(elems, elems_of(*fact.shape().constant()));
        for (const Fact& fact : built.operands.out) elems = std::max(elems, elems_of(*fact.shape().constant()));
        const bool resident = built.bound.as<engine::RecurrentProblem>();  // all threads of the grid at once
        if (resident && cli::flops_of(built.bound) > kMostResident) continue;
        if (built.bound.as<engine::AttentionProblem>() && cli::flops_of(built.bound) > kMostFlops) continue;
        if (elems > kMostElems || static_cast<double>(elems) * summands(built.bound) > kMostProducts) continue;
        for (const std::string& config : some_configs(tactic, one.problem, device_, seed_)) {
          auto kernel = tactic.build(one.problem, {device_, code_, static_cast<int64_t>(built.operands.in.size()),
                                                   static_cast<int64_t>(built.operands.out.size()), config});
          ASSERT_TRUE(kernel.ok()) << kernel.error().message();
          built.kernel = std::move(*kernel), built.config = config;
          built_.push_back(built);
        }
      }
  }

  /// Indices of maxima, moments of a layer.
  static void add_optional_outputs(Built& built) {
    const engine::Epilogue* epilogue = engine::epilogue_of(built.bound);
    if (!epilogue || !epilogue->expr.empty()) return;
    if (const auto* pool = built.bound.as<engine::PoolProblem>(); pool && pool->kind == engine::PoolKind::max && !pool->channels_last)
      built.operands.out.emplace_back(DType::i64, built.operands.out[0].shape());
    const auto* norm = built.bound.as<engine::NormProblem>();
    if (!norm || (norm->kind != engine::NormKind::layer && norm->kind != engine::NormKind::rms)) return;
    Shape reduced = norm->shape;
    for (int64_t d = norm->axis; d < norm->axis + norm->axes; ++d) reduced[d] = 1;
    for (int i = 0; i < 2; ++i) built.operands.out.emplace_back(norm->type == DType::f64 ? DType::f64 : DType::f32, reduced);
  }

  void check_all() {
    const auto emulator = Emulator::compile(code_.rows());
    if (!emulator.ok() && emulator.error().kind() == ErrorKind::not_found) GTEST_SKIP() << emulator.error().message();
    ASSERT_TRUE(emulator.ok()) << emulator.error().message();
    std::mt19937_64 random(seed_);
    for (const Built& built : built_) {
      const auto wrong = check(*emulator, built, random);
      EXPECT_FALSE(wrong) << built.tactic->name << " " << built.config << " on " << engine::to_string(built.one->problem) << ": " << *wrong
                          << " (seed " << seed_ << ")";
    }
    std::printf("%zu cases, %zu kernels\n", built_.size(), code_.rows().size());
  }

  static std::optional<std::string> check(const Emulator& emulator, const Built& built, std::mt19937_64& random) {
    const bool wild = built.bound.as<engine::PointwiseProblem>() || built.bound.as<engine::TopKProblem>();
    std::vector<HostValue> in, wanted(built.operands.out.size());
    std::vector<Tensor> got;
    std::vector<EmulatedOperand> operands;
    for (const Fact& fact : built.operands.in) {
      Tensor tensor = *Tensor::allocate(fact.dtype(), *fact.shape().constant());
      if (is_real(fact.dtype())) randomize(tensor, random, wild);
      if (const auto* attention = built.bound.as<engine::AttentionProblem>(); attention && attention->has_mask && in.size() == 3)
        forbid_some(tensor, random);
      operands.push_back({tensor.data, tensor.bytes(), is_constant_input(built.bound, in.size())});
      in.push_back(HostValue(std::move(tensor)));
    }
    cli::settle_random(built.bound, in, random());
    for (const Fact& fact : built.operands.out) {
      got.push_back(*Tensor::allocate(fact.dtype(), *fact.shape().constant()));
      std::memset(got.back().data, 0xff, static_cast<size_t>(got.back().bytes()));
      operands.push_back({got.back().data, got.back().bytes()});
    }
    if (auto done = emulator.run(built.kernel, operands, built.one->values); !done.ok()) return done.error().message();
    const auto api = engine::load_reference();
    if (!api.ok()) return api.error().message();
    const engine::Problem problem = computed(built);
    if (auto done = (*api)->run(problem, in, wanted); !done.ok()) return "reference: " + done.error().message();
    for (size_t i = 0; i < got.size(); ++i)
      if (auto difference = cli::first_difference(HostValue(got[i]), wanted[i], tolerance(problem)))
        return strf("output {}: {}", i, *difference);
    return std::nullopt;
  }

  engine::DeviceFacts device_ = *cuda::facts_of("sm_90");
  uint64_t seed_ = std::random_device()();
  tune::CodeStore code_;
  std::vector<Built> built_;
};

TEST_P(Emulated, AgreesWithTheReference) {
  const std::vector<CudaCase> cases = cuda_cases(GetParam());
  add(cases);
  check_all();
}

/// Rows of R that registers do not hold lie in shared memory, and in L2 where that is too small.
class EmulatedSmallDevice : public Emulated {};
TEST_P(EmulatedSmallDevice, AgreesWithTheReference) {
  const std::vector<CudaCase> cases = cuda_cases(GetParam());
  device_.unit_registers = 14336;  // for eight batch rows at a time
  add(cases);
  device_.unit_registers = 8192, device_.shared_bytes = 4096;
  add(cases);
  check_all();
}
INSTANTIATE_TEST_SUITE_P(Kinds, EmulatedSmallDevice, ::testing::Values("recurrent"));

INSTANTIATE_TEST_SUITE_P(Kinds, Emulated, ::testing::ValuesIn(kCudaKinds), [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tenon
