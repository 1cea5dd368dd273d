// The build side, one call per stage (docs/tour.md walks through it).
#include "build.h"

#include "backends/cuda/tactics/facts.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "tune/tactic.h"

namespace tenon {
namespace {

/// What a plan is made for: its devices, and what is known of them.
struct Target {
  lower::Target lower;
  std::vector<engine::DeviceFacts> facts;
};

Result<Target> target_of(std::string_view name) {
  if (name == "cpu" || name == "portable") return Target{{std::string(name), {"cpu"}}, {{}}};
  if (name == "mock") return Target{{"mock", {"cpu", "mock"}}, {{}, {}}};
  if (const engine::DeviceFacts* facts = cuda::facts_of(name)) return Target{{std::string(name), {"cpu", "cuda"}}, {{}, *facts}};
  std::vector<std::string> known = {"cpu", "mock", "portable"};
  for (const engine::DeviceFacts& facts : cuda::known_devices()) known.push_back(facts.arch);
  return fail(ErrorKind::not_found, "there is no target '{}', there are: {}", name, join(known, ", "));
}

Result<DType> float_type_of(std::string_view precision) {
  if (precision == "fp32") return DType::f32;
  if (precision == "fp16") return DType::f16;
  if (precision == "bf16") return DType::bf16;
  return fail(ErrorKind::not_found, "there is no precision '{}', there are: fp32, fp16, bf16", precision);
}

/// Whether the target's device takes the node. Of what the mock device can do it gets every second node: the borders show.
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
  return device != "mock" || static_cast<int64_t>(node.out[0]) % 2 == 0;
}

Result<engine::Plan> build_plan(const ir::Module& simplified, const std::string& name, const BuildOptions& options,
                                std::vector<engine::Blob>& blobs) {
  TENON_TRY(target, target_of(name));
  ir::Module module = simplified;
  passes::PassCtx ctx{.log = options.log, .disabled = options.disabled_passes, .stop_after = options.stop_after};
  ctx.device_count = static_cast<int64_t>(target.lower.devices.size());
  if (ctx.device_count > 1)
    ctx.wants_device = [&](const ir::Node& node, const ir::Graph& graph) { return wants_device(target, graph, node); };
  TENON_TRY(float_type, float_type_of(options.precision));
  ctx.float_type = float_type;
  ctx.channels_last = ctx.layer_norm = ctx.recurrence = target.lower.devices.back() == "cuda";
  if (name != "portable") TENON_OK(passes::run_pipeline(module, ctx, passes::target_pipeline()));
  TENON_TRY(plan, lower::lower(module, target.lower, blobs));
  TENON_OK(tune::choose(plan, target.facts, blobs, options.log));
  TENON_OK(engine::validate(plan));
  return plan;
}

}  // namespace

Result<Bytes> build_engine(ir::Module module, const BuildOptions& options) {
  const auto report = [&](std::string_view stage, double share) -> Result<void> {
    options.log.detail(1, "", "{} ({:.0f} %)", stage, share * 100);
    if (options.progress && !options.progress(stage, share))
      return fail(ErrorKind::cancelled, "the build was cancelled during '{}'", stage);
    return {};
  };
  std::vector<std::string> targets = options.targets;
  if (std::find(targets.begin(), targets.end(), "portable") == targets.end()) targets.emplace_back("portable");
  for (const std::string& name : targets) TENON_OK(target_of(name));
  TENON_OK(float_type_of(options.precision));

  TENON_OK(report("simplify", 0.1));
  passes::PassCtx ctx{.log = options.log, .disabled = options.disabled_passes, .stop_after = options.stop_after};
  TENON_OK(passes::run_pipeline(module, ctx, passes::portable_pipeline()));

  engine::Image image;
  for (size_t i = 0; i < targets.size(); ++i) {
    TENON_OK(report("plan for " + targets[i], 0.4 + 0.4 * static_cast<double>(i) / static_cast<double>(targets.size())));
    TENON_TRY(plan, build_plan(module, targets[i], options, image.blobs));
    image.plans.push_back(std::move(plan));
  }

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
