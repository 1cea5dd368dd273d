// The build side, one call per stage (docs/tour.md walks through it).
#include "build.h"

#include "backends/cuda/tactics/facts.h"
#include "engine/check_order.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/engine.h"
#include "tune/host_steps.h"
#include "tune/tactic.h"
#include "tune/timing_file.h"

namespace tenon {
namespace {

/// What a plan is made for: its devices, and what is known of them.
struct Target {
  lower::Target lower;
  std::vector<engine::DeviceFacts> facts;
};

Result<Target> target_of(std::string_view name) {
  if (name == "cpu" || name == "portable") return Target{{std::string(name), {"cpu"}}, {{}}};
  if (name == "mock" || name == "mock_whole") return Target{{std::string(name), {"cpu", "mock"}}, {{}, {}}};
  if (const engine::DeviceFacts* facts = cuda::facts_of(name)) return Target{{std::string(name), {"cpu", "cuda"}}, {{}, *facts}};
  std::vector<std::string> known = {"cpu", "mock", "portable"};
  for (const engine::DeviceFacts& facts : cuda::known_devices()) known.push_back(facts.arch);
  return fail(ErrorKind::not_found, "there is no target '{}', there are: {}", name, join(known, ", "));
}

struct Precision {
  std::string_view name;
  DType float_type;
  Math math;  // of products that stay in FP32
};
constexpr Precision kPrecisions[] = {{"fp32", DType::f32, {}},
                                     {"strict-fp32", DType::f32, {.transforms = false}},
                                     {"tf32", DType::f32, {.operand_rounding = Rounding::tf32}},
                                     {"fp16", DType::f16, {}},
                                     {"bf16", DType::bf16, {}}};

Result<Precision> precision_of(std::string_view name) {
  std::vector<std::string> known;
  for (const Precision& precision : kPrecisions) {
    if (precision.name == name) return precision;
    known.emplace_back(precision.name);
  }
  return fail(ErrorKind::not_found, "there is no precision '{}', there are: {}", name, join(known, ", "));
}

/// Whether the target's device takes the node. For "mock" it gets every second node of what it can do: the borders show.
bool wants_device(const Target& target, const ir::Graph& graph, const ir::Node& node) {
  const auto known = [&](ir::ValueId id) {
    return id == ir::ValueId::none || (graph[id].fact.has_rank() && graph[id].fact.dtype() != DType::str);
  };
  for (const ir::ValueId id : node.in)
    if (!known(id)) return false;
  for (const ir::ValueId id : node.out)
    if (!known(id)) return false;
  const auto problem = lower::problem_of(graph, node);
  const std::string& device = target.lower.devices.back();
  if (!problem.ok() || !tune::find_backend(device)->caps(*problem, target.facts.back()).ok) return false;
  return target.lower.name != "mock" || static_cast<int64_t>(node.out[0]) % 2 == 0;
}

/// The GPU to measure on, if a target is for it.
const engine::DeviceApi* device_to_measure_on(const std::vector<std::string>& targets) {
  const engine::DeviceApi* api = runtime::find_device_api("cuda");
  const auto is_here = [&](const std::string& name) {
    const engine::DeviceFacts* facts = cuda::facts_of(name);
    return facts && !engine::is_ptx(facts->arch) && api->check(facts->arch, 0).ok();
  };
  return std::any_of(targets.begin(), targets.end(), is_here) ? api : nullptr;
}

Result<engine::Plan> build_plan(const ir::Module& simplified, const std::string& name, const BuildOptions& options,
                                const tune::Tuning& tuning, std::vector<engine::Blob>& blobs) {
  TENON_TRY(target, target_of(name));
  ir::Module module = simplified;
  passes::PassCtx ctx{.log = options.log, .disabled = options.disabled_passes, .stop_after = options.stop_after};
  ctx.target = name;
  ctx.device_count = static_cast<int64_t>(target.lower.devices.size());
  if (ctx.device_count > 1)
    ctx.wants_device = [&](const ir::Node& node, const ir::Graph& graph) { return wants_device(target, graph, node); };
  TENON_TRY(precision, precision_of(options.precision));
  ctx.float_type = precision.float_type, ctx.math = precision.math;
  ctx.channels_last = ctx.layer_norm = ctx.recurrence = ctx.attention = ctx.squeeze_excite = ctx.wide_products = ctx.normalised_products =
      target.lower.devices.back() == "cuda";
  if (name != "portable") TENON_OK(passes::run_pipeline(module, ctx, passes::target_pipeline()));
  TENON_TRY(plan, lower::lower(module, target.lower, blobs));
  if (target.lower.devices.back() == "cuda") TENON_OK(tune::report_host_steps(plan, target.facts, options.strict, options.log));
  TENON_OK(tune::choose(plan, target.facts, blobs, options.log, tuning));
  TENON_OK(engine::validate(plan));
  TENON_OK(engine::check_order(plan, target.facts));
  return plan;
}

/// What the dims say of the symbols of the model's inputs.
Result<DimValues> expected_sizes(const ir::Module& module, const std::map<std::string, Dims, std::less<>>& of_inputs) {
  DimValues sizes;
  const ir::Graph& graph = module.main();
  for (const auto& [name, dims] : of_inputs) {
    const auto named = [&, wanted = std::string_view(name)](const ir::Port& port) { return port.name == wanted; };
    const auto port = std::find_if(graph.inputs.begin(), graph.inputs.end(), named);
    if (port == graph.inputs.end()) return fail(ErrorKind::not_found, "sizes are expected of '{}', which is no input of the model", name);
    const ValueType& type = graph[port->value].fact.type;
    if (!type.is_tensor() || !type.shape.has_rank() || type.shape.rank() != static_cast<int64_t>(dims.size()))
      return fail("input '{}' is {}: {} sizes are expected of it", name, to_string(type), dims.size());
    for (size_t d = 0; d < dims.size(); ++d)
      if (const auto symbol = type.shape[static_cast<int64_t>(d)].as_symbol()) sizes.try_emplace(std::string(*symbol), dims[d]);
    for (size_t d = 0; d < dims.size(); ++d) {
      const Dim& dim = type.shape[static_cast<int64_t>(d)];
      const Interval range = module.symbols.interval(dim);
      const auto size = evaluate(dim, sizes);
      if ((size.ok() && *size != dims[d]) || dims[d] < range.least || dims[d] > range.most)
        return fail("input '{}' is {}: dim {} is expected to be {}", name, to_string(type), d, dims[d]);
    }
  }
  return sizes;
}

}  // namespace

Result<std::string> named_target(std::string_view name) {
  const size_t colon = name.find(':');
  if (name != "cuda" && colon == std::string_view::npos) return std::string(name);
  TENON_TRY(device, runtime::parse_device(name));
  if (device.kind != engine::DeviceKind::cuda) return std::string(name.substr(0, colon));
  const engine::DeviceApi* api = runtime::find_device_api("cuda");
  TENON_OK(api->check("", device.index));
  for (const engine::DeviceFacts& facts : cuda::known_devices())
    if (api->check(facts.arch, device.index).ok()) return facts.arch;
  return fail(ErrorKind::unsupported, "no kernels are made for this machine's GPU {}", device.index);
}

Result<Bytes> build_engine(ir::Module module, const BuildOptions& options) {
  const auto advance = [&](std::string_view stage, double share) -> Result<void> {
    if (options.progress && !options.progress(stage, share))
      return fail(ErrorKind::cancelled, "the build was cancelled during '{}'", stage);
    return {};
  };
  const auto report = [&](std::string_view stage, double share) {
    options.log.detail(1, "", "{} ({:.0f} %)", stage, share * 100);
    return advance(stage, share);
  };
  std::vector<std::string> targets;
  for (const std::string& name : options.targets) {
    TENON_TRY(target, named_target(name));
    targets.push_back(target);
  }
  if (std::find(targets.begin(), targets.end(), "portable") == targets.end()) targets.emplace_back("portable");
  for (const std::string& name : targets) TENON_OK(target_of(name));
  TENON_OK(precision_of(options.precision));

  tune::Tuning tuning{.device = options.tune ? device_to_measure_on(targets) : nullptr, .stress = options.stress};
  TENON_TRY(sizes, expected_sizes(module, options.opt_dims));
  tuning.sizes = std::move(sizes);
  TENON_TRY(timings, tune::open_timings(options.timing_cache, tuning.device != nullptr));
  if (tuning.device || !options.timing_cache.empty()) tuning.timings = &timings.timings;

  TENON_OK(report("simplify", 0.1));
  passes::PassCtx ctx{.log = options.log, .disabled = options.disabled_passes, .stop_after = options.stop_after};
  TENON_OK(passes::run_pipeline(module, ctx, passes::portable_pipeline()));

  engine::Image image;
  for (size_t i = 0; i < targets.size(); ++i) {
    const double start = 0.4 + 0.4 * static_cast<double>(i) / static_cast<double>(targets.size());
    const double end = 0.4 + 0.4 * static_cast<double>(i + 1) / static_cast<double>(targets.size());
    TENON_OK(report("plan for " + targets[i], start));
    tuning.progress = [&](double share) { return advance("kernels for " + targets[i], start + (end - start) * share); };
    TENON_TRY(plan, build_plan(module, targets[i], options, tuning, image.blobs));
    image.plans.push_back(std::move(plan));
  }
  TENON_OK(tune::save_timings(timings));

  TENON_OK(report("write", 0.9));
  image.graph = lower::keep_graph(module, image.blobs);
  TENON_TRY(bytes, engine::write_engine(image));
  TENON_OK(report("done", 1.0));
  return std::move(bytes);
}

Result<Bytes> build_engine(const onnx::Model& model, const BuildOptions& options) {
  TENON_TRY(module, onnx::import_model(model, {.log = &options.log, .dims = options.input_dims}));
  return build_engine(std::move(module), options);
}

Result<Bytes> build_engine_from_file(const std::string& path, const BuildOptions& options) {
  TENON_TRY(model, onnx::read_model_file(path));
  auto out = build_engine(model, options);
  if (!out.ok()) return std::move(out.error()).within(strf("building '{}'", path));
  return out;
}

}  // namespace tenon
