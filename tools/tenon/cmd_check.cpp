// tenon check: whether a model imports, and all that stands in the way, without building.
#include <map>

#include "base/text.h"
#include "onnx/import.h"
#include "source.h"
#include "values.h"
#include "verb.h"

namespace tenon::cli {
namespace {

struct CheckOptions {
  std::string path;
  std::vector<std::string> shapes;
};

/// What the file says of itself.
struct Inventory {
  int64_t nodes = 0, weight_bytes = 0;
  std::map<std::string, int64_t> ops;  // "Conv", "com.acme.Scale": how many
};

void count(const std::vector<onnx::NodeView>& nodes, Inventory& out);

void count(const onnx::GraphView& graph, Inventory& out) {
  count(graph.nodes, out);
  for (const onnx::TensorView& tensor : graph.initializers) {
    const auto dtype = dtype_of_onnx(tensor.data_type);
    const auto elems = checked_elems(tensor.dims);
    if (dtype && *dtype != DType::none && elems.ok()) out.weight_bytes += bits_of(*dtype) * *elems / 8;
  }
}

void count(const std::vector<onnx::NodeView>& nodes, Inventory& out) {
  for (const onnx::NodeView& node : nodes) {
    ++out.nodes;
    const bool standard = node.domain.empty() || node.domain == "ai.onnx";
    ++out.ops[standard ? std::string(node.op_type) : strf("{}.{}", node.domain, node.op_type)];
    for (const onnx::AttributeView& attribute : node.attributes)
      for (const onnx::GraphView& body : attribute.graphs) count(body, out);
  }
}

Json json_of(const onnx::Issue& issue) {
  Json row = {{"node", issue.node}, {"op", issue.op_type}, {"domain", issue.domain}, {"reason", issue.reason}, {"advice", issue.advice}};
  if (issue.opset) row["opset"] = *issue.opset;
  return row;
}

Json json_of(const ir::Graph& graph, const std::vector<ir::Port>& ports) {
  Json out = Json::array();
  for (const ir::Port& port : ports) out.push_back({{"name", port.name}, {"type", to_string(graph[port.value].fact.type)}});
  return out;
}

Result<int> run_check(const CheckOptions& options, bool json) {
  const double start = seconds_now();
  TENON_TRY(shapes, parse_shapes(options.shapes));
  TENON_TRY(model, onnx::read_model_file(options.path));
  Inventory inventory;
  count(model.graph, inventory);
  for (const onnx::FunctionView& function : model.functions) count(function.nodes, inventory);

  std::vector<std::string> warnings;
  const Log log([&](Severity severity, std::string_view text) {
    if (severity <= Severity::warning) warnings.emplace_back(text);
  });
  std::vector<onnx::Issue> issues;
  onnx::ImportOptions import{.issues = &issues, .log = &log};
  import.dims.insert(shapes.begin(), shapes.end());
  const auto module = onnx::import_model(model, import);
  if (!module.ok() && issues.empty()) return module.error();
  const double seconds = seconds_now() - start;

  if (json) {
    Json opsets = Json::object(), list = Json::array();
    for (const onnx::OpsetView& opset : model.opsets) opsets[opset.domain.empty() ? "ai.onnx" : std::string(opset.domain)] = opset.version;
    for (const onnx::Issue& issue : issues) list.push_back(json_of(issue));
    Json out = {{"ok", module.ok()},           {"ir_version", model.ir_version},
                {"opsets", std::move(opsets)}, {"nodes", inventory.nodes},
                {"operators", inventory.ops},  {"functions", model.functions.size()},
                {"issues", std::move(list)},   {"weight_bytes", inventory.weight_bytes},
                {"warnings", warnings},        {"seconds", seconds}};
    if (module.ok()) out["inputs"] = json_of(module->main(), module->main().inputs);
    if (module.ok()) out["outputs"] = json_of(module->main(), module->main().outputs);
    print_json(out);
    return module.ok() ? kOk : kFailed;
  }
  std::vector<std::string> opsets;
  for (const onnx::OpsetView& opset : model.opsets)
    opsets.push_back(strf("{} {}", opset.domain.empty() ? "ai.onnx" : opset.domain, opset.version));
  say("ONNX IR {}, opsets: {}\n", model.ir_version, opsets.empty() ? "none" : join(opsets, ", "));
  say("{} nodes of {} operators, {} functions, {} of weights\n", inventory.nodes, inventory.ops.size(), model.functions.size(),
      bytes_text(static_cast<uint64_t>(inventory.weight_bytes)));
  if (module.ok()) {
    for (const ir::Port& port : module->main().inputs) say("input  {}: {}\n", port.name, to_string(module->main()[port.value].fact.type));
    for (const ir::Port& port : module->main().outputs) say("output {}: {}\n", port.name, to_string(module->main()[port.value].fact.type));
  }
  for (const std::string& warning : warnings) say("warning: {}\n", warning);
  for (const onnx::Issue& issue : issues) say("problem: {}\n", onnx::to_string(issue));
  if (module.ok()) {
    say("the model can be built ({:.2f} s)\n", seconds);
  } else {
    say("{} problems ({:.2f} s)\n", issues.size(), seconds);
  }
  return module.ok() ? kOk : kFailed;
}

}  // namespace

void add_check(CLI::App& app, Outcome& outcome) {
  auto options = std::make_shared<CheckOptions>();
  Verb verb(app, outcome, "check", "say whether a model can be built, and list all that stands in the way",
            "tenon check model.onnx --shape x=1x3x224x224", [options, &outcome] { return run_check(*options, outcome.json); });
  verb.option("model", &options->path, "an ONNX file", {.required = true});
  verb.option("--shape", &options->shapes, "dims of an input: name=1x3x224x224; may be repeated", {.commas = true});
}

}  // namespace tenon::cli
