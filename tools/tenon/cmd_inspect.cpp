// tenon inspect: what is in an ONNX file or an engine.
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "onnx/import.h"
#include "precision.h"
#include "source.h"
#include "values.h"

namespace tenon::cli {
namespace {

struct InspectOptions {
  std::string path, target;
  std::vector<std::string> shapes;
  bool plan = false, graph = false, memory = false, verify = false, precision = false;
};

std::string type_text(const onnx::TypeView& type) {
  using Kind = onnx::TypeView::Kind;
  const auto inner = [&] { return type.element ? type_text(*type.element) : std::string("?"); };
  switch (type.kind) {
    case Kind::none: return "?";
    case Kind::sequence: return strf("seq({})", inner());
    case Kind::optional: return strf("opt({})", inner());
    case Kind::map: return strf("map({}, {})", onnx::data_type_name(type.key_type), inner());
    case Kind::tensor:
    case Kind::sparse_tensor: break;
  }
  const auto dtype = dtype_of_onnx(type.elem_type);
  std::string out = std::string(dtype ? to_string(*dtype) : "?") + "[";
  if (!type.has_shape) out += "...";
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const onnx::DimView& dim = type.dims[i];
    out += (i ? ", " : "") + (dim.value ? strf("{}", *dim.value) : dim.param.empty() ? "?" : std::string(dim.param));
  }
  return out + "]" + (type.kind == Kind::sparse_tensor ? " (sparse)" : "");
}

std::string shown_domain(std::string_view domain) { return domain.empty() ? "ai.onnx" : std::string(domain); }

/// Operators by name and domain, bodies and functions included.
struct Census {
  std::map<std::string, int64_t> counts;
  std::map<std::string, int64_t> unknown;

  void add(const onnx::Model& model, const std::vector<onnx::NodeView>& nodes, const std::vector<onnx::OpsetView>& opsets) {
    for (const onnx::NodeView& node : nodes) {
      const std::string domain = shown_domain(node.domain);
      const std::string name = domain == "ai.onnx" ? std::string(node.op_type) : domain + "." + std::string(node.op_type);
      ++counts[name];
      if (!known(model, node, opsets)) ++unknown[name];
      for (const onnx::AttributeView& attribute : node.attributes)
        for (const onnx::GraphView& body : attribute.graphs) add(model, body.nodes, opsets);
    }
  }

 private:
  static bool known(const onnx::Model& model, const onnx::NodeView& node, const std::vector<onnx::OpsetView>& opsets) {
    for (const onnx::FunctionView& function : model.functions)
      if (function.name == node.op_type && shown_domain(function.domain) == shown_domain(node.domain)) return true;
    for (const onnx::OpsetView& opset : opsets)
      if (shown_domain(opset.domain) == shown_domain(node.domain)) return onnx::can_import(node.domain, node.op_type, opset.version);
    return false;
  }
};

Result<int> inspect_model(const InspectOptions& options, bool json) {
  TENON_TRY(model, onnx::read_model_file(options.path));
  Census census;
  census.add(model, model.graph.nodes, model.opsets);
  for (const onnx::FunctionView& function : model.functions)
    census.add(model, function.nodes, function.opset_imports.empty() ? model.opsets : function.opset_imports);
  int64_t nodes = 0;
  for (const auto& [name, count] : census.counts) nodes += count;
  std::vector<const onnx::ValueView*> inputs;
  for (const onnx::ValueView& input : model.graph.inputs) {
    bool constant = false;
    for (const onnx::TensorView& tensor : model.graph.initializers) constant = constant || tensor.name == input.name;
    if (!constant) inputs.push_back(&input);
  }
  if (json) {
    Json out = {{"kind", "onnx"},
                {"ir_version", model.ir_version},
                {"producer", model.producer_name},
                {"opsets", Json::object()},
                {"inputs", Json::array()},
                {"outputs", Json::array()},
                {"nodes", nodes},
                {"operators", census.counts},
                {"unknown_operators", census.unknown},
                {"functions", model.functions.size()},
                {"initializers", model.graph.initializers.size()}};
    for (const onnx::OpsetView& opset : model.opsets) out["opsets"][shown_domain(opset.domain)] = opset.version;
    for (const onnx::ValueView* input : inputs) out["inputs"].push_back({{"name", input->name}, {"type", type_text(input->type)}});
    for (const onnx::ValueView& output : model.graph.outputs)
      out["outputs"].push_back({{"name", output.name}, {"type", type_text(output.type)}});
    print_json(out);
    return kOk;
  }
  std::string opsets;
  for (const onnx::OpsetView& opset : model.opsets)
    opsets += strf("{}{} {}", opsets.empty() ? "" : ", ", shown_domain(opset.domain), opset.version);
  say("ONNX model, IR version {}, opset {}, by '{}' {}\n", model.ir_version, opsets, model.producer_name, model.producer_version);
  for (const onnx::ValueView* input : inputs) say("input  {}: {}\n", input->name, type_text(input->type));
  for (const onnx::ValueView& output : model.graph.outputs) say("output {}: {}\n", output.name, type_text(output.type));
  say("{} initializers, {} functions, {} nodes:\n", model.graph.initializers.size(), model.functions.size(), nodes);
  for (const auto& [name, count] : census.counts) say("{:>6}  {}\n", count, name);
  for (const auto& [name, count] : census.unknown) say("not known to this Tenon: {} ({} nodes)\n", name, count);
  return kOk;
}

struct Memory {
  Shapes shapes;
  runtime::MemoryUse use;
};

Result<Memory> predict_memory(const InspectOptions& options) {
  runtime::LoadOptions load;
  load.target = options.target;
  TENON_TRY(engine, runtime::Engine::load_file(options.path, load));
  TENON_TRY(shapes, parse_shapes(options.shapes));
  Memory out;
  DimValues symbols;
  const auto& ports = engine->plan().main.inputs;
  for (const auto& [name, dims] : shapes) {
    const engine::Port* found = nullptr;
    for (const engine::Port& port : ports)
      if (port.name == name) found = &port;
    if (!found) return fail(ErrorKind::not_found, "the engine has no input '{}'", name);
    bind_symbols(found->type, dims, symbols);
  }
  for (const engine::Port& port : ports) {
    if (!port.type.is_tensor()) continue;
    Dims dims;
    if (const auto given = shapes.find(port.name); given != shapes.end()) {
      dims = given->second;
    } else {
      auto known = dims_for(port.type, symbols);
      if (!known.ok()) return std::move(known.error()).within(strf("input '{}'", port.name));
      dims = std::move(*known);
    }
    bind_symbols(port.type, dims, symbols);
    out.shapes[port.name] = std::move(dims);
  }
  TENON_TRY(use, runtime::memory_for(engine, symbols));
  out.use = use;
  return out;
}

Json ports_json(const std::vector<engine::Port>& ports) {
  Json out = Json::array();
  for (const engine::Port& port : ports) out.push_back({{"name", port.name}, {"type", to_string(port.type)}});
  return out;
}

struct Weights {
  int64_t roots = 0, constants = 0, root_bytes = 0, constant_bytes = 0;
  explicit Weights(const engine::Image& image) {
    for (const engine::Blob& blob : image.blobs) {
      ++(blob.root ? roots : constants);
      (blob.root ? root_bytes : constant_bytes) += blob.data.bytes();
    }
  }
};

Result<int> inspect_engine(const InspectOptions& options, ByteView bytes, const std::shared_ptr<const void>& file, bool json) {
  TENON_TRY(sections, engine::list_sections(bytes));
  std::vector<engine::StalePlan> stale;
  TENON_TRY(image, engine::read_engine(bytes, file, {.verify_weights = options.verify}, &stale));
  const engine::Plan* plan = options.target.empty() ? &image.plans.front() : image.find_plan(options.target);
  if (!plan) return fail(ErrorKind::not_found, "the engine has no plan for '{}'", options.target);
  std::optional<Memory> memory;
  if (options.memory) {
    TENON_TRY(predicted, predict_memory(options));
    memory = std::move(predicted);
  }
  const Weights weights(image);
  std::vector<std::string> targets;
  for (const engine::Plan& row : image.plans) targets.push_back(row.target);
  if (json) {
    Json out = {{"kind", "engine"}, {"format", engine::kFormatVersion}, {"bytes", bytes.size()}, {"targets", targets}};
    for (const engine::SectionInfo& row : sections)
      out["sections"].push_back(
          {{"name", row.name}, {"offset", row.offset}, {"bytes", row.bytes}, {"checksum", strf("{:016x}", row.checksum)}});
    for (const engine::StalePlan& row : stale) out["stale"].push_back({{"target", row.target}, {"why", row.why}});
    out["inputs"] = ports_json(plan->main.inputs);
    out["outputs"] = ports_json(plan->main.outputs);
    out["weights"] = {{"roots", weights.roots},
                      {"root_bytes", weights.root_bytes},
                      {"constants", weights.constants},
                      {"constant_bytes", weights.constant_bytes}};
    if (options.plan) out["plan"] = engine::to_string(*plan);
    if (options.graph) out["graph"] = image.graph;
    if (options.precision)
      for (const StepPrecision& row : precision_of(*plan, image.find_plan("portable")))
        out["precision"].push_back({{"step", row.step},
                                    {"kind", row.kind},
                                    {"device", row.device},
                                    {"operands", row.operands},
                                    {"sums", row.sums},
                                    {"results", row.results},
                                    {"why", row.why}});
    if (memory) {
      out["memory"] = {{"activation_bytes", memory->use.bytes}, {"lower_bound_bytes", memory->use.lower_bound}, {"shapes", Json::object()}};
      for (const auto& [name, dims] : memory->shapes) out["memory"]["shapes"][name] = dims_json(dims);
    }
    print_json(out);
    return kOk;
  }
  if (options.plan) say("{}", engine::to_string(*plan));
  if (options.graph) say("{}", image.graph);
  if (options.precision) say("{}", precision_text(precision_of(*plan, image.find_plan("portable"))));
  if (memory) {
    for (const auto& [name, dims] : memory->shapes) say("input {}: {}\n", name, to_string(dims));
    say("activations on '{}': {} ({} bytes), no placement needs less than {} bytes\n", plan->target,
        bytes_text(static_cast<uint64_t>(memory->use.bytes)), memory->use.bytes, memory->use.lower_bound);
  }
  if (options.plan || options.graph || options.memory || options.precision) return kOk;
  say("Tenon engine, format {}, {}\n", engine::kFormatVersion, bytes_text(bytes.size()));
  for (const engine::Port& port : plan->main.inputs) say("input  {}: {}\n", port.name, to_string(port.type));
  for (const engine::Port& port : plan->main.outputs) say("output {}: {}\n", port.name, to_string(port.type));
  say("targets: {}\n", join(targets, ", "));
  for (const engine::StalePlan& row : stale) say("not usable: the plan for '{}': {}\n", row.target, row.why);
  say("weights: {} named ({}), {} constants ({}){}\n", weights.roots, bytes_text(static_cast<uint64_t>(weights.root_bytes)),
      weights.constants, bytes_text(static_cast<uint64_t>(weights.constant_bytes)), options.verify ? ", checksums are right" : "");
  say("{:<24} {:>12} {:>12}  checksum\n", "section", "offset", "bytes");
  for (const engine::SectionInfo& row : sections)
    say("{:<24} {:>12} {:>12}  {}\n", row.name, row.offset, row.bytes, row.checksum ? strf("{:016x}", row.checksum) : "one per weight");
  return kOk;
}

Result<int> run_inspect(const InspectOptions& options, bool json) {
  TENON_TRY(file, MappedFile::open(options.path));
  if (engine::is_engine(file->bytes())) {
    auto out = inspect_engine(options, file->bytes(), file, json);
    if (!out.ok()) return std::move(out.error()).within(options.path);
    return out;
  }
  if (options.plan || options.graph || options.memory || options.verify || options.precision)
    return fail("'{}' is no engine: --plan, --graph, --memory, --precision and --verify are for engines, build it first", options.path);
  return inspect_model(options, json);
}

}  // namespace

void add_inspect(CLI::App& app, Outcome& outcome) {
  const auto options = std::make_shared<InspectOptions>();
  Verb verb(app, outcome, "inspect", "show what is in an ONNX file or an engine",
            "tenon inspect model.engine --memory --shape input=8x3x224x224",
            [options, &outcome] { return run_inspect(*options, outcome.json); });
  verb.option("file", &options->path, "an engine or an ONNX file", {.required = true});
  verb.option("--plan", &options->plan, "the plan: buffers, steps, kernels");
  verb.option("--graph", &options->graph, "the graph that the engine keeps");
  verb.option("--memory", &options->memory, "bytes of activations for the shapes given, and the least possible");
  verb.option("--precision", &options->precision, "what each step computes in, and why");
  verb.option("--verify", &options->verify, "check every weight's checksum");
  verb.option("--target", &options->target, "whose plan (default: the first of the file)");
  verb.option("--shape", &options->shapes, "dims of an input: name=1x3x224x224; may be repeated", {.commas = true});
}

}  // namespace tenon::cli
