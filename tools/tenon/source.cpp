#include "source.h"

#include <chrono>

#include "base/file.h"
#include "values.h"

namespace tenon::cli {

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void Source::add_options(Verb& verb, bool with_shapes) {
  verb.option(
      "--target", &targets,
      "plans to make, and the one to run: cpu, cuda, sm_90, sm_80, compute_80 (PTX for other GPUs), portable, mock (tests); several "
      "with commas",
      {.commas = true});
  verb.option("--device", &device,
              "where to run: cpu, cuda (the first GPU), cuda:1; a model is built for it unless --target says otherwise");
  if (with_shapes) verb.option("--shape", &shapes, "dims of an input: name=1x3x224x224; may be repeated", {.commas = true});
  verb.option("--opt-shape", &opt_shapes,
              "dims of an input that kernels are chosen and measured for, where the model leaves sizes open; others run too",
              {.commas = true});
  verb.option("--fp16", &fp16, "store and multiply in 16-bit floats, sum in FP32");
  verb.option("--bf16", &bf16, "the same with bfloat16");
  verb.option("--tf32", &tf32, "products and convolutions of FP32 values may round their operands to TF32 (10 bits of mantissa)");
  verb.option("--strict-fp32", &strict_fp32, "FP32 without transforms that change rounding, such as Winograd's");
  verb.option("--timing-cache", &timing_cache, "file of kernel timings to choose by; what this build measures is added");
  verb.option("--no-tune", &no_tune, "measure no kernels on this machine's GPU: choose by the timings, else by a model of the device");
  verb.option("--strict", &strict, "an error, not a warning, where steps of a GPU's plan would run on the host");
  verb.option("--stress", &stress, "for tests: GPU kernels that begin early and sleep at random, which shows a missing wait");
  verb.option("--disable-pass", &disabled_passes, "passes to leave out, with commas", {.commas = true});
  verb.option("--stop-after", &stop_after, "the pass after which the pipeline ends");
}

namespace {

/// The one precision that was asked for.
Result<std::string> precision_of(const Source& source) {
  std::string out = "fp32";
  for (const auto& [flag, name] : {std::pair(source.fp16, "fp16"), std::pair(source.bf16, "bf16"), std::pair(source.tf32, "tf32"),
                                   std::pair(source.strict_fp32, "strict-fp32")}) {
    if (!flag) continue;
    if (out != "fp32") return fail("--{} and --{} exclude each other", out, name);
    out = name;
  }
  return out;
}

}  // namespace

Result<Bytes> build(const Source& source) {
  TENON_TRY(shapes, parse_shapes(source.shapes));
  TENON_TRY(opt_shapes, parse_shapes(source.opt_shapes, "--opt-shape"));
  TENON_TRY(precision, precision_of(source));
  BuildOptions options;
  if (!source.device.empty()) options.targets = {source.device};
  if (!source.targets.empty()) options.targets = source.targets;
  options.precision = precision;
  options.strict = source.strict;
  options.stress = source.stress;
  options.input_dims = std::move(shapes);
  options.opt_dims = std::move(opt_shapes);
  options.tune = !source.no_tune;
  options.timing_cache = source.timing_cache;
  options.disabled_passes = source.disabled_passes;
  options.stop_after = source.stop_after;
  Progress bar(!source.quiet);
  const InterruptGuard interrupt;
  options.progress = [&](std::string_view stage, double share) {
    bar.show(stage, share);
    return !interrupt.seen();
  };
  return build_engine_from_file(source.path, options);
}

Result<std::shared_ptr<runtime::Engine>> open_engine(const Source& source, double* seconds) {
  const double start = seconds_now();
  runtime::LoadOptions options;
  options.device = source.device;
  if (!source.targets.empty()) {
    TENON_TRY(target, named_target(source.targets[0]));
    options.target = std::move(target);
  }
  TENON_TRY(file, MappedFile::open(source.path));
  if (engine::is_engine(file->bytes())) {
    TENON_TRY(engine, runtime::Engine::load_file(source.path, options));
    if (seconds) *seconds = seconds_now() - start;
    return engine;
  }
  TENON_TRY(bytes, build(source));
  const auto kept = std::make_shared<const Bytes>(std::move(bytes));
  TENON_TRY(engine, runtime::Engine::load(*kept, kept, options));
  if (seconds) *seconds = seconds_now() - start;
  return engine;
}

Result<std::vector<std::string>> fill_inputs(runtime::Context& context, const std::vector<bool>& given, const Shapes& shapes,
                                             DimValues symbols, uint64_t seed) {
  const auto& ports = context.engine().plan().main.inputs;
  for (const auto& [name, dims] : shapes) {
    TENON_TRY(index, context.input_index(name));
    bind_symbols(ports[index].type, dims, symbols);
  }
  std::vector<std::string> out;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (given[i]) continue;
    Dims dims;
    if (const auto shape = shapes.find(ports[i].name); shape != shapes.end()) {
      dims = shape->second;
    } else {
      auto known = dims_for(ports[i].type, symbols);
      if (!known.ok()) return std::move(known.error()).within(strf("input '{}'", ports[i].name));
      dims = std::move(*known);
    }
    TENON_TRY(value, random_value(ports[i].type, dims, seed, ports[i].name));
    out.push_back(strf("input '{}': random {}, seed {}", ports[i].name, value_text(value, 0), seed));
    TENON_OK(context.set_input(i, std::move(value)));
  }
  return out;
}

}  // namespace tenon::cli
