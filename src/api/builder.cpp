// OnnxParser and Builder: the public door to the importer and to build_engine.
#include "api/network_impl.h"

namespace tenon {
inline namespace v1 {
namespace {

/// The lines of a collected error: a headline, then one indented line for each node.
std::vector<std::string> lines_of(const std::string& message) {
  std::vector<std::string> lines = split(message, '\n');
  if (lines.size() > 1) lines.erase(lines.begin());
  for (std::string& line : lines) line.erase(0, line.find_first_not_of(' '));
  return lines;
}

std::string name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32: return "fp32";
    case Precision::strict_fp32: return "strict-fp32";
    case Precision::tf32: return "tf32";
    case Precision::fp16: return "fp16";
    case Precision::bf16: return "bf16";
  }
  return strf("number {}", static_cast<int>(precision));
}

}  // namespace

struct OnnxSource {
  core::Result<onnx::Model> model;
};

Status OnnxParser::fill(const OnnxSource& source) {
  const auto refuse = [&](core::Error error) -> Status {
    errors_ = lines_of(error.message());
    return to_public(std::move(error));
  };
  errors_.clear();
  if (!source.model.ok()) return refuse(source.model.error());
  NetworkImpl& network = *network_.impl_;
  if (network.parsed || !network.graph().values.empty()) return refuse(fail("a model is parsed into an empty network only"));
  const Log log = log_of(options_.logger);
  auto module = onnx::import_model(*source.model, {.log = &log, .dims = options_.input_dims});
  if (!module.ok()) return refuse(std::move(module.error()));
  network.module = std::move(*module);
  network.parsed = true;
  return {};
}

Status OnnxParser::parse_file(const std::string& path) {
  return guarded<Status>([&] { return fill({onnx::read_model_file(path)}); });
}

Status OnnxParser::parse(std::span<const std::byte> bytes, const std::string& folder) {
  return guarded<Status>([&] {
    // The module's weights are views of the model's bytes, so they are kept with it.
    const auto copy = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
    return fill({onnx::read_model(*copy, copy, folder)});
  });
}

Result<HostMemory> Builder::build(const Network& network, const BuilderConfig& config) const {
  return guarded<Result<HostMemory>>([&]() -> Result<HostMemory> {
    const ir::Module& module = network.impl_->module;
    if (module.main().outputs.empty()) return to_public(fail("the network has no outputs: mark at least one tensor with mark_output"));
    BuildOptions options;
    options.targets = config.targets;
    options.precision = name_of(config.precision);
    options.strict = config.strict, options.tune = config.tune, options.timing_cache = config.timing_cache;
    options.opt_dims.insert(config.opt_dims.begin(), config.opt_dims.end());
    options.disabled_passes = config.disabled_passes;
    options.log = log_of(logger_);
    options.progress = config.progress;
    auto bytes = build_engine(module, options);
    if (!bytes.ok()) return to_public(std::move(bytes.error()));
    return HostMemory(std::move(*bytes));
  });
}

std::string build_version() { return TENON_VERSION; }

}  // namespace v1
}  // namespace tenon
