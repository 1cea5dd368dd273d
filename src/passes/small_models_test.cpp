// The pipelines on the small models: every pass leaves a graph that verifies, and the outputs stay what they were. Graphs run node by node
// on the reference; models with loops are only verified.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "ir/substitute.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "onnx/import.h"
#include "onnx/value_file.h"
#include "ops/if.h"
#include "ops/row.h"
#include "passes/pipeline.h"
#include "reference/reference.h"

namespace tenon::passes {
namespace {

namespace fs = std::filesystem;
using ir::Graph;
using ir::Node;
using ir::ValueId;
using HostValues = std::vector<HostValue>;

fs::path models_folder() { return fs::path(TENON_SOURCE_DIR) / "tests/models/small"; }

Result<HostValues> run_graph(const ir::Module& module, const Graph& graph, const HostValues& inputs);

Result<HostValues> run_node(const ir::Module& module, const Node& node, HostValues in) {
  if (node.op.as<ops::If>()) {
    const bool yes = element_as_int(in[0].tensor, 0) != 0;
    return run_graph(module, module[node.regions[yes ? 0 : 1]], HostValues(in.begin() + 1, in.end()));
  }
  if (!node.regions.empty()) return fail(ErrorKind::unsupported, "loops");
  const size_t own = in.size() - node.epilogue_operands();
  HostValues out(node.out.size());
  TENON_OK(reference::run_op(node.op, std::span(in).first(own), out));
  if (node.epilogue.empty()) return out;
  std::vector<Tensor> operands{out[0].tensor};
  for (size_t i = own; i < in.size(); ++i) operands.push_back(in[i].tensor);
  TENON_TRY(result, Tensor::allocate(node.epilogue.type_of(node.epilogue.results[0]), out[0].tensor.dims));
  TENON_OK(evaluate(node.epilogue, operands, std::span(&result, 1)));
  out[0] = HostValue(result);
  return out;
}

Result<HostValues> run_graph(const ir::Module& module, const Graph& graph, const HostValues& inputs) {
  HostValues values(graph.values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const ir::Value& value = graph.values[i];
    if (value.is_constant()) values[i] = HostValue(*value.fact.constant);
    if (const ir::Root* root = value.is_root() ? module.find_root(value.root) : nullptr) values[i] = HostValue(root->data);
  }
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(graph.inputs[i].value)] = inputs[i];
  for (const ir::NodeId id : graph.order) {
    HostValues in;
    for (const ValueId value : graph[id].in) in.push_back(value == ValueId::none ? HostValue() : values[static_cast<size_t>(value)]);
    auto out = run_node(module, graph[id], std::move(in));
    if (!out.ok()) return std::move(out.error()).within(ir::describe(graph, graph[id]));
    for (size_t i = 0; i < graph[id].out.size(); ++i) values[static_cast<size_t>(graph[id].out[i])] = (*out)[i];
  }
  HostValues out;
  for (const ir::Port& port : graph.outputs) out.push_back(values[static_cast<size_t>(port.value)]);
  return out;
}

/// The largest difference, relative to the largest element. 1e9 for what cannot be compared.
double difference(const HostValue& a, const HostValue& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return 1e9;
  double worst = 0;
  for (size_t i = 0; i < a.items.size(); ++i) worst = std::max(worst, difference(a.items[i], b.items[i]));
  if (a.kind != HostValue::Kind::tensor || a.tensor.dtype == DType::str) return worst;
  if (a.tensor.dtype != b.tensor.dtype || a.tensor.dims != b.tensor.dims) return 1e9;
  double largest = 1e-6;
  for (int64_t i = 0; i < a.tensor.elems(); ++i) {
    const double x = element_as_double(a.tensor, i), y = element_as_double(b.tensor, i);
    largest = std::max(largest, std::abs(x));
    if (!(std::isnan(x) && std::isnan(y)) && x != y) worst = std::max(worst, std::abs(x - y));
  }
  return worst / largest;
}

Result<HostValues> inputs_of(const onnx::Model& model, const fs::path& folder, size_t count) {
  HostValues out;
  for (size_t i = 0; i < count; ++i) {
    TENON_TRY(file, MappedFile::open((folder / strf("input_{}.pb", i)).string()));
    TENON_TRY(view, onnx::read_tensor(file->bytes()));
    TENON_TRY(tensor, onnx::import_tensor(model, view));
    TENON_TRY(copy, Tensor::allocate(tensor.dtype, tensor.dims));
    std::copy(tensor.view().begin(), tensor.view().end(), copy.data);
    out.emplace_back(copy);
  }
  return out;
}

/// The symbols of the model's inputs as numbers: attributes may name them.
ir::Substitution sizes_of(const ir::Module& module, const HostValues& inputs) {
  ir::Substitution out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = module.main()[module.main().inputs[i].value].fact.shape();
    for (int64_t d = 0; d < shape.rank(); ++d)
      if (const auto symbol = shape[d].as_symbol()) out.emplace(*symbol, Dim(inputs[i].tensor.dims[static_cast<size_t>(d)]));
  }
  return out;
}

class SmallModel : public testing::TestWithParam<std::string> {};

/// `set` says what the target wants; outputs may differ by `tolerance`, relative to their largest element.
void check_outputs(const std::string& name, void (*set)(PassCtx&), double tolerance) {
  const fs::path folder = models_folder() / name;
  const auto model = onnx::read_model_file((folder / "model.onnx").string());
  ASSERT_TRUE(model.ok()) << model.error().message();
  auto module = onnx::import_model(*model);
  ASSERT_TRUE(module.ok()) << module.error().message();
  const ir::Module before = *module;

  std::vector<std::string> warnings;
  const Log log([&](Severity, std::string_view text) { warnings.emplace_back(text); });
  PassCtx ctx{.log = log};
  set(ctx);
  for (const std::span<const Pass> list : {portable_pipeline(), target_pipeline()}) {
    const auto done = run_pipeline(*module, ctx, list);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  for (const std::string& text : warnings)
    EXPECT_TRUE(ctx.float_type == DType::f16 && text.find("in bodies of control flow") != std::string::npos) << text;
  // The text form keeps the graph, and inference on what it says finds nothing else.
  ir::Blobs blobs;
  const std::string text = ir::to_string(*module, &blobs);
  auto back = ir::parse_module(text, ops::op_table(), &blobs);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(ir::to_string(*back), text);
  const auto verified = ir::verify(*back);
  EXPECT_TRUE(verified.ok()) << verified.error().message();
  testing::Test::RecordProperty("nodes", strf("{} -> {}", before.main().order.size(), module->main().order.size()));

  for (int set = 0; fs::exists(folder / strf("test_data_set_{}", set)); ++set) {
    const auto inputs = inputs_of(*model, folder / strf("test_data_set_{}", set), before.main().inputs.size());
    if (!inputs.ok()) GTEST_SKIP() << inputs.error().message();
    const auto wanted = run_graph(before, before.main(), *inputs);
    if (!wanted.ok() && wanted.error().kind() == ErrorKind::unsupported) GTEST_SKIP() << wanted.error().message();
    ASSERT_TRUE(wanted.ok()) << wanted.error().message();
    ir::Module bound = *module;
    ir::substitute_symbols(bound, sizes_of(*module, *inputs));
    const auto found = run_graph(bound, bound.main(), *inputs);
    ASSERT_TRUE(found.ok()) << found.error().message() << "\n" << text;
    ASSERT_EQ(wanted->size(), found->size());
    for (size_t i = 0; i < wanted->size(); ++i) EXPECT_LT(difference((*wanted)[i], (*found)[i]), tolerance) << "output " << i;
  }
}

TEST_P(SmallModel, KeepsItsOutputs) {
  check_outputs(
      GetParam(), [](PassCtx&) {}, 2e-3);
}
TEST_P(SmallModel, KeepsItsOutputsForADevice) {
  const auto set = [](PassCtx& ctx) {
    ctx.channels_last = ctx.layer_norm = ctx.attention = ctx.squeeze_excite = ctx.recurrence = ctx.wide_products = ctx.normalised_products =
        true;
  };
  check_outputs(GetParam(), set, 2e-3);
}
TEST_P(SmallModel, KeepsItsOutputsInHalfPrecision) {
  if (GetParam() == "detector") GTEST_SKIP() << "boxes of nearly equal scores change places";
  const auto set = [](PassCtx& ctx) {
    ctx.channels_last = ctx.layer_norm = ctx.attention = ctx.squeeze_excite = ctx.recurrence = true;
    ctx.float_type = DType::f16;
  };
  check_outputs(GetParam(), set, 2e-2);
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(models_folder(), ignored))
    if (entry.is_directory()) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, SmallModel, testing::ValuesIn(model_names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tenon::passes
