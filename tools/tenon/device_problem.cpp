#include "device_problem.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cuda/tactics/facts.h"
#include "engine/device.h"
#include "engine/reference_api.h"
#include "runtime/engine.h"
#include "tensor/convert.h"
#include "tune/candidates.h"
#include "tune/timing_file.h"

namespace tenon::cli {
namespace {

/// A body with the problem as its only step.
struct OneStep {
  engine::Body body;
  engine::Step step;
};
OneStep one_step(const engine::Problem& problem, std::span<const HostValue> in, std::span<const HostValue> out) {
  OneStep made;
  const engine::Weights weights = engine::weights_of(problem);
  made.step.problem = problem;
  const auto add = [&](const HostValue& value, engine::BufferKind kind) {
    made.body.buffers.push_back({.kind = kind, .space = 1});
    const Tensor& tensor = value.tensor;
    return engine::Operand{.buffer = static_cast<int64_t>(made.body.buffers.size()) - 1,
                           .type = ValueType::tensor(tensor.dtype, Shape::of(tensor.dims))};
  };
  for (size_t i = 0; i < in.size(); ++i)
    made.step.in.push_back(add(in[i], weights.has(i) ? engine::BufferKind::weight : engine::BufferKind::input));
  for (const HostValue& value : out) made.step.out.push_back(add(value, engine::BufferKind::output));
  return made;
}

double bound_us(const engine::Problem& problem, std::span<const tune::TimedOperand> operands, const engine::DeviceFacts& facts) {
  double bytes = 0;
  for (const tune::TimedOperand& operand : operands) bytes += static_cast<double>(operand.bytes);
  const auto* gemm = problem.as<engine::GemmProblem>();
  const auto* conv = problem.as<engine::ConvProblem>();
  const auto* attention = problem.as<engine::AttentionProblem>();
  const auto* squeeze = problem.as<engine::SqueezeExciteProblem>();
  const DType type = gemm ? gemm->a : conv ? conv->x : attention ? attention->type : squeeze ? squeeze->type : DType::f32;
  const Math* math = engine::math_of(problem);
  double peak = type == DType::f16 || type == DType::bf16 ? facts.f16_flops_per_us : facts.f32_flops_per_us;
  if (type == DType::f32 && math && math->operand_rounding == Rounding::tf32) peak = facts.f16_flops_per_us / 2;
  return std::max(bytes / facts.memory_bytes_per_us, flops_of(problem) / peak);
}

/// What sums in another order and one rounding leave.
double most_error(DType type, const engine::Problem& problem) {
  const Math* math = engine::math_of(problem);
  if (type == DType::f16) return 0x1p-9;
  if (type == DType::bf16) return 0x1p-6;
  return math && math->operand_rounding == Rounding::tf32 ? 2e-3 : 1e-4;
}

double worst_difference(const Tensor& got, const Tensor& wanted) {
  double worst = 0, largest = 1e-30;
  for (int64_t i = 0; i < wanted.elems(); ++i) {
    const double a = element_as_double(got, i), b = element_as_double(wanted, i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a != b) worst = std::isfinite(a - b) ? std::max(worst, std::fabs(a - b)) : HUGE_VAL;
    if (std::isfinite(b)) largest = std::max(largest, std::fabs(b));
  }
  return worst / largest;
}

}  // namespace

Result<double> error_on_device(const engine::Problem& problem, std::span<const HostValue> in, std::span<const HostValue> out) {
  TENON_TRY(reference, engine::load_reference());
  std::vector<HostValue> wanted(out.size());
  TENON_OK(reference->run(problem, in, wanted));
  double worst = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const DType type = wanted[i].tensor.dtype;
    const double error = worst_difference(out[i].tensor, wanted[i].tensor);
    if (error > (is_float(type) ? most_error(type, problem) : 0))
      return fail("{} differs from the reference by {:.1e} of the largest value in output {}", engine::to_string(problem), error, i);
    worst = std::max(worst, error);
  }
  return worst;
}

Result<DeviceRun> run_on_device(const engine::Problem& problem, std::span<const HostValue> in, std::span<HostValue> out,
                                const Source& source) {
  const engine::DeviceApi& api = *runtime::find_device_api("cuda");
  TENON_OK(api.check("", 0));
  const auto& known = cuda::known_devices();
  const auto facts = std::find_if(known.begin(), known.end(), [&](const engine::DeviceFacts& one) { return api.check(one.arch, 0).ok(); });
  if (facts == known.end()) return fail(ErrorKind::unsupported, "no kernels are made for this machine's GPU");

  const OneStep one = one_step(problem, in, out);
  const tune::Backend& backend = *tune::find_backend("cuda");
  TENON_TRY(file, tune::open_timings(source.timing_cache, !source.no_tune));
  const tune::Tuning tuning{.timings = &file.timings, .device = source.no_tune ? nullptr : &api};
  TENON_TRY(candidates, tune::candidates_for(one.body, one.step, backend, *facts, tuning));
  const std::vector<tune::KernelText> fresh = tune::recall(candidates, *facts, tuning);
  tune::CompiledKernels compiled;
  TENON_TRY(binaries, backend.compile(fresh, *facts, Log()));
  for (size_t i = 0; i < fresh.size(); ++i) compiled.try_emplace(fresh[i].entry, std::move(binaries[i]));
  TENON_OK(tune::measure(candidates, compiled, *facts, tuning, Log()));
  TENON_OK(tune::save_timings(file));

  const tune::Candidate& best = tune::best_of(candidates);
  tune::CodeStore store;
  TENON_TRY(kernel,
            best.tactic->build(problem, {*facts, store, static_cast<int64_t>(in.size()), static_cast<int64_t>(out.size()), best.config}));
  TENON_TRY(code, backend.compile(store.rows(), *facts, Log()));
  tune::TimedKernel timed{.kernel = &kernel};
  for (const engine::Launch& launch : kernel.launches) timed.code.push_back(&code[static_cast<size_t>(launch.code.module)]);
  std::vector<tune::TimedOperand> operands;
  for (size_t i = 0; i < in.size(); ++i)
    operands.push_back({in[i].tensor.bytes(), one.body.buffers[i].kind == engine::BufferKind::weight, in[i].tensor.data});
  std::vector<std::span<std::byte>> results;
  for (HostValue& value : out) {
    std::memset(value.tensor.data, 0xff, static_cast<size_t>(value.tensor.bytes()));  // NaN, or no likely number
    operands.push_back({value.tensor.bytes(), false, value.tensor.data});
    results.emplace_back(value.tensor.data, static_cast<size_t>(value.tensor.bytes()));
  }
  TENON_TRY(us, tune::time_kernel(api, timed, operands, {}, results));
  return DeviceRun{api.code->card(), std::string(best.tactic->name), best.config, us, bound_us(problem, operands, *facts)};
}

}  // namespace tenon::cli
