// tenon bench: latency of a whole engine, or of the kernel of one problem.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "device_problem.h"
#include "engine/device.h"
#include "engine/reference_api.h"
#include "problem_io.h"
#include "source.h"
#include "tune/tactic.h"
#include "values.h"

namespace tenon::cli {
namespace {

struct BenchOptions {
  Source source;
  double seconds = 3, warmup = 0.3;
  int64_t iterations = 0;
  uint64_t seed = 0;
  bool check = false, resident = false, profile = false;
};

struct Timing {
  std::vector<double> us;  // sorted
  double wall_seconds = 0;

  double percentile(double share) const {
    const auto at = static_cast<size_t>(std::ceil(share * static_cast<double>(us.size())));
    return us[std::clamp<size_t>(at, 1, us.size()) - 1];
  }
  double mean() const {
    double sum = 0;
    for (const double x : us) sum += x;
    return sum / static_cast<double>(us.size());
  }
  double per_second() const { return static_cast<double>(us.size()) / wall_seconds; }
  /// Each measurement was of `count` runs.
  void divide(int count) {
    for (double& x : us) x /= count;
    wall_seconds /= count;
  }
};

/// Inputs and outputs in the device's memory: what remains is the device's own work.
Result<void> make_resident(runtime::Context& context) {
  TENON_OK(context.run());
  const auto memory_like = [&](const Tensor& host) -> Result<Tensor> {
    TENON_TRY(memory, context.device_memory(host.bytes()));
    Tensor out = Tensor::wrap(host.dtype, host.dims, memory);
    out.on_device = true;
    return out;
  };
  for (size_t i = 0; i < context.engine().plan().main.inputs.size(); ++i) {
    const Tensor host = context.input(i).tensor;
    TENON_TRY(tensor, memory_like(host));
    TENON_OK(context.copy(tensor.data, host.data, host.bytes(), engine::CopyKind::to_device));
    TENON_OK(context.set_input(i, std::move(tensor)));
  }
  for (size_t i = 0; i < context.engine().plan().main.outputs.size(); ++i) {
    TENON_TRY(tensor, memory_like(context.output(i).tensor));
    TENON_OK(context.set_output(i, std::move(tensor)));
  }
  return {};
}

/// Runs `job` for the warm-up, then for `seconds` or exactly `iterations` times. The warm-up does at least one run.
template <class Job>
Result<Timing> measure(const BenchOptions& options, Job job) {
  const double warm_until = seconds_now() + options.warmup;
  do {
    TENON_OK(job());
  } while (seconds_now() < warm_until);
  Timing out;
  const double start = seconds_now();
  double now = start;
  while (out.us.empty() ||
         (options.iterations > 0 ? static_cast<int64_t>(out.us.size()) < options.iterations : now - start < options.seconds)) {
    TENON_OK(job());
    const double after = seconds_now();
    out.us.push_back((after - now) * 1e6);
    now = after;
  }
  out.wall_seconds = now - start;
  std::sort(out.us.begin(), out.us.end());
  return out;
}

Json timing_json(const Timing& t) {
  return {{"runs", t.us.size()},          {"mean_us", t.mean()},    {"p50_us", t.percentile(0.5)}, {"p90_us", t.percentile(0.9)},
          {"p99_us", t.percentile(0.99)}, {"min_us", t.us.front()}, {"max_us", t.us.back()},       {"runs_per_second", t.per_second()}};
}

void print_timing(const Timing& t) {
  say("latency: p50 {:.1f} us, p90 {:.1f} us, p99 {:.1f} us, mean {:.1f} us, min {:.1f} us, max {:.1f} us\n", t.percentile(0.5),
      t.percentile(0.9), t.percentile(0.99), t.mean(), t.us.front(), t.us.back());
  say("throughput: {:.2f} runs/s ({} runs in {:.2f} s)\n", t.per_second(), t.us.size(), t.wall_seconds);
}

struct StepTime {
  std::string name;
  double us = 0;
};

/// What each step adds to a run, in the engine's own graphs: the median of runs that end after it, less that of runs that end before it.
Result<std::vector<StepTime>> profile(runtime::Context& context) {
  constexpr int kRounds = 7, kRuns = 20;
  std::vector<StepTime> out;
  for (const engine::Segment& segment : context.engine().plan().main.segments) {
    for (const engine::Step& step : segment.steps) out.push_back({step.name});
    for (const engine::Region& region : segment.region) out.push_back({region.name});
  }
  double before = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    TENON_OK(context.stop_after(static_cast<int64_t>(i) + 1));
    for (int warm = 0; warm < 3; ++warm) TENON_OK(context.run({.wait = false}));
    TENON_OK(context.wait());
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
      const double start = seconds_now();
      for (int run = 0; run < kRuns; ++run) TENON_OK(context.run({.wait = false}));
      TENON_OK(context.wait());
      rounds.push_back((seconds_now() - start) * 1e6 / kRuns);
    }
    std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
    out[i].us = rounds[kRounds / 2] - before;
    before = rounds[kRounds / 2];
  }
  TENON_OK(context.stop_after(-1));
  return out;
}

Result<int> bench_engine(const BenchOptions& options, bool json) {
  TENON_TRY(shapes, parse_shapes(options.source.shapes));
  double load_seconds = 0;
  TENON_TRY(engine, open_engine(options.source, &load_seconds));
  TENON_TRY(context, runtime::Context::create(engine));
  const std::vector<bool> given(engine->plan().main.inputs.size());
  TENON_TRY(made, fill_inputs(*context, given, shapes, {}, options.seed));
  if (options.resident) TENON_OK(make_resident(*context));
  constexpr int kBetweenWaits = 50;
  if (options.profile && !options.resident) return fail("--profile wants --resident");
  const auto job = [&]() -> Result<void> {
    if (!options.resident) return context->run();
    for (int i = 0; i < kBetweenWaits; ++i) TENON_OK(context->run({.wait = false}));
    return context->wait();
  };
  TENON_TRY(timing, measure(options, job));
  if (options.resident) timing.divide(kBetweenWaits);
  std::vector<StepTime> steps;
  if (options.profile) {
    TENON_TRY(times, profile(*context));
    steps = std::move(times);
  }
  if (json) {
    Json out = {{"file", options.source.path}, {"target", engine->plan().target}, {"inputs", made}, {"load_seconds", load_seconds}};
    out.update(timing_json(timing));
    for (const StepTime& step : steps) out["steps"].push_back({{"name", step.name}, {"us", step.us}});
    print_json(out);
    return kOk;
  }
  for (const StepTime& step : steps) say("{:9.2f} us  {}\n", step.us, step.name);
  for (const std::string& line : made) say("{}\n", line);
  say("target {}, ready in {:.2f} s, warm-up {:.1f} s\n", engine->plan().target, load_seconds, options.warmup);
  print_timing(timing);
  return kOk;
}

struct Chosen {
  std::string_view name;
  engine::KernelFn kernel = nullptr;
};

Result<Chosen> choose_kernel(const engine::Problem& problem) {
  std::string refusals;
  for (const tune::Tactic& tactic : tune::find_backend("cpu")->tactics) {
    const engine::Verdict verdict = tactic.supports(problem, {});
    if (!verdict.ok) {
      refusals += strf("\n  {}: {}", tactic.name, verdict.why);
      continue;
    }
    tune::CodeStore code;
    TENON_TRY(built, tactic.build(problem, {engine::DeviceFacts(), code}));
    if (built.launches.empty()) return fail("tactic {} launches nothing", tactic.name);
    TENON_TRY(kernel, runtime::find_device_api("cpu")->resolve(built.launches[0].code));
    return Chosen{tactic.name, kernel};
  }
  return fail(ErrorKind::unsupported, "no tactic of 'cpu' takes {}{}", engine::to_string(problem), refusals);
}

Result<void> check(const engine::Problem& problem, std::span<const HostValue> in, std::span<const HostValue> out, std::string_view by) {
  TENON_TRY(reference, engine::load_reference());
  std::vector<HostValue> wanted(out.size());
  TENON_OK(reference->run(problem, in, wanted));
  for (size_t i = 0; i < out.size(); ++i)
    if (const auto difference = first_difference(out[i], wanted[i], {}))
      return fail("{} by {} differs from the reference: output {}, {}", engine::to_string(problem), by, i, *difference);
  return {};
}

Result<int> bench_on_device(const BenchOptions& options, const engine::Problem& problem, std::span<const HostValue> in,
                            std::span<HostValue> out, bool json) {
  TENON_TRY(run, run_on_device(problem, in, out, options.source));
  double error = 0;
  if (options.check) {
    TENON_TRY(found, error_on_device(problem, in, out));
    error = found;
  }
  const double flops = flops_of(problem);
  if (json) {
    Json row = {{"problem", engine::to_string(problem)}, {"card", run.card}, {"tactic", run.tactic}, {"config", run.config}};
    row.update({{"us", run.us}, {"bound_us", run.bound_us}, {"share", run.bound_us / run.us}});
    if (flops > 0) row["tflops_per_second"] = flops / run.us * 1e-6;
    if (options.check) row["max_rel_err"] = error;
    print_json(row);
    return kOk;
  }
  if (options.check) say("differs from the reference by {:.1e} of the largest value at most\n", error);
  say("{} by {} {} on {}\n", engine::to_string(problem), run.tactic, run.config, run.card);
  say("{:.2f} us a launch in a chain of them; the device's peaks would allow {:.2f} us\n", run.us, run.bound_us);
  return kOk;
}

Result<int> bench_problem(const BenchOptions& options, bool json) {
  TENON_TRY(problem, parse_problem(options.source.path));
  TENON_TRY(operands, operands_of(problem));
  std::vector<HostValue> in, out;
  for (size_t i = 0; i < operands.in.size(); ++i) {
    TENON_TRY(value, random_value(operands.in[i].type, *operands.in[i].shape().constant(), options.seed, strf("in{}", i)));
    in.push_back(std::move(value));
  }
  settle_random(problem, in, options.seed);
  for (const Fact& fact : operands.out) {
    TENON_TRY(tensor, Tensor::allocate(fact.dtype(), *fact.shape().constant()));
    out.emplace_back(std::move(tensor));
  }
  const std::string& device = options.source.device;
  if (device.starts_with("cuda:") && device != "cuda:0") return fail("a problem is measured on the first GPU: --device cuda");
  if (device.starts_with("cuda") || options.source.targets == std::vector<std::string>{"cuda"})
    return bench_on_device(options, problem, in, out, json);
  TENON_TRY(chosen, choose_kernel(problem));
  const engine::KernelCall call{.problem = &problem, .in = in, .out = out};
  TENON_TRY(timing, measure(options, [&] { return chosen.kernel(call); }));
  if (options.check) TENON_OK(check(problem, in, out, chosen.name));
  const double flops = flops_of(problem);
  if (json) {
    Json row = {{"problem", engine::to_string(problem)}, {"tactic", chosen.name}};
    row.update(timing_json(timing));
    if (flops > 0) row["gflops_per_second"] = flops / timing.percentile(0.5) * 1e-3;
    print_json(row);
    return kOk;
  }
  say("{} by {}\n", engine::to_string(problem), chosen.name);
  print_timing(timing);
  if (flops > 0) say("arithmetic: {:.2f} GFLOP/s at p50\n", flops / timing.percentile(0.5) * 1e-3);
  return kOk;
}

}  // namespace

void add_bench(CLI::App& app, Outcome& outcome) {
  const auto options = std::make_shared<BenchOptions>();
  Verb verb(app, outcome, "bench", "measure an engine, a model, or the kernel of one problem",
            "tenon bench model.engine --seconds 5\n  tenon bench \"gemm m=128 n=768 k=768\" --device cuda", [options, &outcome] {
              return looks_like_problem(options->source.path) ? bench_problem(*options, outcome.json)
                                                              : bench_engine(*options, outcome.json);
            });
  verb.option("file", &options->source.path, "an engine, an ONNX file, or a problem's text as logs print it", {.required = true});
  verb.option("--seconds", &options->seconds, "how long to measure", {.most = 1e6});
  verb.option("--warmup", &options->warmup, "seconds of runs that do not count", {.most = 1e6});
  verb.option("--iterations", &options->iterations, "measure exactly so many runs instead; 0: --seconds decides", {.most = 1e12});
  verb.option("--seed", &options->seed, "of the random inputs");
  verb.option("--resident", &options->resident,
              "inputs and outputs stay on the device and 50 runs follow each other: what a GPU does alone");
  verb.option("--profile", &options->profile, "with --resident: what each step adds to a run");
  verb.option("--check", &options->check, "of a problem: compare with the reference");
  options->source.add_options(verb);
}

}  // namespace tenon::cli
