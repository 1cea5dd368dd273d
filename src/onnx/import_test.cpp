#include "onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/verify.h"
#include "ops/ops.h"

namespace tenon::onnx {
namespace {

using ir::Graph;
using ir::Module;
using ir::Node;
using ir::ValueId;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

NodeView node(std::string_view op, std::vector<std::string_view> in, std::vector<std::string_view> out,
              std::vector<AttributeView> attributes = {}) {
  NodeView view;
  view.op_type = op;
  view.inputs = std::move(in);
  view.outputs = std::move(out);
  view.attributes = std::move(attributes);
  return view;
}
AttributeView body_attr(std::string_view name, GraphView body) {
  AttributeView attribute;
  attribute.name = name;
  attribute.type = AttributeType::graph;
  attribute.graphs = {std::move(body)};
  return attribute;
}
AttributeView int_attr(std::string_view name, int64_t value) {
  AttributeView attribute;
  attribute.name = name;
  attribute.type = AttributeType::i;
  attribute.i = value;
  return attribute;
}
AttributeView ref_attr(std::string_view name, std::string_view ref) {
  AttributeView attribute;
  attribute.name = name;
  attribute.type = AttributeType::i;
  attribute.ref_attr_name = ref;
  return attribute;
}

/// A dim of -1 is unknown, and text is a dim_param.
ValueView value(std::string_view name, std::vector<std::variant<int64_t, std::string_view>> dims, int32_t type = kFloat) {
  ValueView view;
  view.name = name;
  view.type.kind = TypeView::Kind::tensor;
  view.type.elem_type = type;
  view.type.has_shape = true;
  for (const auto& dim : dims) {
    DimView one;
    if (const auto* number = std::get_if<int64_t>(&dim)) {
      if (*number >= 0) one.value = *number;
    } else {
      one.param = std::get<std::string_view>(dim);
    }
    view.type.dims.push_back(one);
  }
  return view;
}
ValueView untyped(std::string_view name) {
  ValueView view;
  view.name = name;
  return view;
}
template <class T>
TensorView tensor(std::string_view name, int32_t type, std::vector<int64_t> dims, const std::vector<T>& values) {
  TensorView view;
  view.name = name;
  view.data_type = type;
  view.dims = std::move(dims);
  view.storage = Storage::raw;
  view.raw = std::as_bytes(std::span(values));
  return view;
}

Model model_of(GraphView graph) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  model.graph = std::move(graph);
  return model;
}
Module import_ok(const Model& model, const ImportOptions& options = {}) {
  auto module = import_model(model, options);
  EXPECT_TRUE(module.ok()) << module.error().message();
  return module.ok() ? std::move(*module) : Module();
}
std::string error_of(const Model& model) {
  const auto module = import_model(model);
  return module.ok() ? "imported" : module.error().message();
}
std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const ir::NodeId id : graph.order) names.emplace_back(graph[id].op.name());
  return names;
}
const Fact& output_fact(const Module& module, size_t i = 0) { return module.main()[module.main().outputs[i].value].fact; }

TEST(Import, CollectsAllErrorsButNotThoseThatFollow) {
  const Model model = model_of(
      {.nodes = {node("Frob", {"x"}, {"a"}), node("Relu", {"a"}, {"b"}), node("Reshape", {"x"}, {"c"}), node("Relu", {"nowhere"}, {"d"})},
       .inputs = {value("x", {2})},
       .outputs = {untyped("b"), untyped("c"), untyped("d")}});
  const std::string text = error_of(model);
  EXPECT_THAT(text, HasSubstr("3 of the model's nodes"));
  EXPECT_THAT(text, HasSubstr("node 'Frob_0' (Frob, ai.onnx opset 17): Tenon has no such operator"));
  EXPECT_THAT(text, HasSubstr("node 'Reshape_2' (Reshape, ai.onnx opset 17): the shape is missing"));
  EXPECT_THAT(text, HasSubstr("its input 'nowhere' is defined nowhere"));
  EXPECT_THAT(text, Not(HasSubstr("Relu_1")));
}

TEST(Import, SortsNodesAndNamesCycles) {
  Model model =
      model_of({.nodes = {node("Exp", {"a"}, {"b"}), node("Relu", {"x"}, {"a"})}, .inputs = {value("x", {2})}, .outputs = {untyped("b")}});
  const Module module = import_ok(model);
  ASSERT_EQ(module.main().order.size(), 2u);
  EXPECT_EQ(module.main()[module.main().order[0]].origins[0].op, "Relu");
  model.graph.nodes[1].inputs = {"b"};
  EXPECT_THAT(error_of(model), HasSubstr("the graph has a cycle"));
}

TEST(Import, FloatTensorsAreRootsTheRestIsFrozen) {
  const std::vector<float> w{1, 2}, one{1};
  const std::vector<int64_t> shape{2, 1};
  const Model model =
      model_of({.nodes = {node("Mul", {"x", "w"}, {"a"}), node("Mul", {"a", "one"}, {"b"}), node("Reshape", {"b", "shape"}, {"y"})},
                .initializers = {tensor("w", kFloat, {2}, w), tensor("one", kFloat, {1}, one), tensor("unused", kFloat, {2}, w),
                                 tensor("shape", kInt64, {2}, shape)},
                .inputs = {value("x", {2}), value("w", {2})},
                .outputs = {untyped("y")}});
  const Module module = import_ok(model);
  ASSERT_EQ(module.roots.size(), 1u);
  EXPECT_EQ(module.roots[0].name, "w");
  EXPECT_EQ(module.roots[0].data.data, reinterpret_cast<const std::byte*>(w.data())) << "a view, no copy";
  EXPECT_EQ(module.main().inputs.size(), 1u) << "an initializer that is also listed as an input is none";
  EXPECT_EQ(to_string(output_fact(module).type), "f32[2, 1]");
}

TEST(Import, DimsOfInputs) {
  const Model model =
      model_of({.nodes = {node("Relu", {"x"}, {"y"})}, .inputs = {value("x", {"batch", -1, 3})}, .outputs = {untyped("y")}});
  const Shape shape = output_fact(import_ok(model)).shape();
  EXPECT_EQ(shape[0], Dim::symbol("batch"));
  EXPECT_TRUE(shape[1].as_symbol()->starts_with("x_d1")) << to_string(shape);
  EXPECT_EQ(shape[2], Dim(3));
  EXPECT_EQ(to_string(output_fact(import_ok(model, {.dims = {{"x", {1, 2, 3}}}})).shape()), "[1, 2, 3]");
}

TEST(Import, ShapeArithmeticFolds) {
  const std::vector<int64_t> zero{0}, rest{-1};
  const Model model = model_of({.nodes = {node("Shape", {"x"}, {"s"}), node("Gather", {"s", "zero"}, {"n"}),
                                          node("Concat", {"n", "rest"}, {"t"}, {int_attr("axis", 0)}), node("Reshape", {"x", "t"}, {"y"})},
                                .initializers = {tensor("zero", kInt64, {1}, zero), tensor("rest", kInt64, {1}, rest)},
                                .inputs = {value("x", {"n", 4, "k"})},
                                .outputs = {untyped("y")}});
  EXPECT_EQ(output_fact(import_ok(model)).shape(), (Shape{Dim::symbol("n"), Dim(4) * Dim::symbol("k")}));
}

TEST(Import, BodiesAreIsolated) {
  const std::vector<float> w{1, 2};
  GraphView then{.nodes = {node("Add", {"a", "w"}, {"t"})}, .outputs = {untyped("t")}};
  GraphView otherwise{.nodes = {node("Mul", {"a", "x"}, {"e"})}, .outputs = {untyped("e")}};
  const Model model = model_of({.nodes = {node("Relu", {"x"}, {"a"}),
                                          node("If", {"c"}, {"y"}, {body_attr("then_branch", then), body_attr("else_branch", otherwise)})},
                                .initializers = {tensor("w", kFloat, {2}, w)},
                                .inputs = {value("x", {2}), value("c", {}, kBool)},
                                .outputs = {untyped("y")}});
  const Module module = import_ok(model);
  const Node& branch = module.main()[module.main().order.back()];
  ASSERT_EQ(branch.regions.size(), 2u);
  EXPECT_EQ(branch.in.size(), 3u) << "the condition, a and x; w is made anew inside";
  EXPECT_EQ(branch.op.as<ops::If>()->captures, 2);
  for (const ir::GraphId id : branch.regions) EXPECT_EQ(module[id].inputs.size(), 2u);
  EXPECT_EQ(to_string(output_fact(module).type), "f32[2]");
}

TEST(Import, ALoopThatGrowsItsValueLosesThatDim) {
  GraphView body{.nodes = {node("Concat", {"v", "x"}, {"longer"}, {int_attr("axis", 0)})},
                 .inputs = {untyped("i"), untyped("c"), untyped("v")},
                 .outputs = {untyped("c"), untyped("longer"), untyped("v")}};
  const std::vector<int64_t> trips{5};
  const Model model = model_of({.nodes = {node("Loop", {"trips", "", "x"}, {"y", "all"}, {body_attr("body", body)})},
                                .initializers = {tensor("trips", kInt64, {}, trips)},
                                .inputs = {value("x", {2, 3})},
                                .outputs = {untyped("y"), untyped("all")}});
  const Module module = import_ok(model);
  EXPECT_FALSE(output_fact(module, 0).shape()[0].is_constant());
  EXPECT_EQ(output_fact(module, 0).shape()[1], Dim(3));
  EXPECT_EQ(output_fact(module, 1).shape()[0], Dim(5)) << "the condition never changes: as many steps as trips";
}

TEST(Import, ARankThatOnlyARunTellsHasABranchForEach) {
  ValueView x = value("x", {});
  x.type.has_shape = false;
  // Any rank from 1 on; one rank alone; a size of the branch in an attribute.
  for (const std::string_view op : {"Flatten", "Hardmax", "DepthToSpace", "GlobalAveragePool"}) {
    Model model = model_of({.nodes = {node(op, {"x"}, {"y"}), node("Relu", {"y"}, {"z"})}, .inputs = {x}, .outputs = {untyped("z")}});
    if (op == "DepthToSpace") model.graph.nodes[0].attributes = {int_attr("blocksize", 2)};
    const Module module = import_ok(model);
    EXPECT_EQ(output_fact(module).dtype(), DType::f32) << op;
    const auto verified = ir::verify(module);
    EXPECT_TRUE(verified.ok()) << op << ": " << verified.error().message();
  }
}

TEST(Import, RanksThatAnOperatorCannotHaveHaveNoBranch) {
  ValueView x = value("x", {});
  x.type.has_shape = false;
  const Module module = import_ok(model_of({.nodes = {node("InstanceNormalization", {"x", "scale", "bias"}, {"y"})},
                                            .inputs = {x, value("scale", {2}), value("bias", {2})},
                                            .outputs = {untyped("y")}}));
  size_t branches = 0;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    const std::string& name = module[id].name;
    branches += name.starts_with("rank_") ? 1 : 0;
    for (const std::string_view refused : {"rank_0", "rank_1", "rank_2"}) EXPECT_NE(name, refused);
  }
  EXPECT_GE(branches, 4U);
}

TEST(Import, WhatNoModelSaysIsAnError) {
  const auto refused = [](NodeView node, std::vector<ValueView> inputs, int64_t opset = 24, std::string_view domain = "") {
    node.domain = domain;
    Model model = model_of({.nodes = {std::move(node)}, .inputs = std::move(inputs), .outputs = {untyped("y")}});
    model.opsets = {{"", opset}, {"ai.onnx.ml", 5}, {"com.microsoft", 1}};
    return error_of(model);
  };
  const auto image = [] { return value("x", {1, 4, 2, 2}); };
  for (const std::string_view op : {"DepthToSpace", "SpaceToDepth"})
    EXPECT_THAT(refused(node(op, {"x"}, {"y"}, {int_attr("blocksize", int64_t{1} << 62)}), {image()}),
                HasSubstr("attribute 'blocksize' is 4611686018427387904"));
  EXPECT_THAT(refused(node("RotaryEmbedding", {"x", "cos", "sin"}, {"y"}), {value("x", {1, 2, 8}), value("cos", {}), value("sin", {})}),
              HasSubstr("num_heads"));
  for (const std::string_view op : {"RNN", "GRU", "LSTM"})
    EXPECT_THAT(refused(node(op, {"", "", "", "", "", ""}, {"y"}), {image()}), HasSubstr("X")) << op;
  const ValueView places = value("at", {int64_t{1} << 40}, 7);  // int64
  EXPECT_THAT(refused(node("Slice", {"x", "at", "at"}, {"y"}), {image(), places}), HasSubstr("1099511627776 starts for [1, 4, 2, 2]"));
  const std::vector<int64_t> zero = {0}, least = {INT64_MIN}, back = {-1};
  Model far =
      model_of({.nodes = {node("Range", {"zero", "least", "back"}, {"y"})},
                .initializers = {tensor("zero", kInt64, {}, zero), tensor("least", kInt64, {}, least), tensor("back", kInt64, {}, back)},
                .outputs = {untyped("y")}});
  far.opsets = {{"", 24}};
  EXPECT_THAT(error_of(far), HasSubstr("the range is too long"));
  AttributeView modes;
  const std::vector<uint8_t> bytes = {0, 160};
  modes.name = "nodes_modes";
  modes.type = AttributeType::tensor;
  modes.tensors = {tensor("modes", 3, {2}, bytes)};  // int8
  EXPECT_THAT(refused(node("TreeEnsemble", {"x"}, {"y"}, {modes}), {value("x", {1, 4})}, 24, "ai.onnx.ml"),
              HasSubstr("mode of a node is -96"));
}

TEST(Import, FunctionsAreInlinedWithTheirAttributes) {
  FunctionView function;
  function.name = "Last";
  function.domain = "mine";
  function.inputs = {"v"};
  function.outputs = {"r"};
  function.attributes = {"where"};
  function.opset_imports = {{"", 17}};
  function.nodes = {node("Softmax", {"v"}, {"r"}, {ref_attr("axis", "where")})};
  NodeView call = node("Last", {"x"}, {"y"}, {int_attr("where", 1)});
  call.domain = "mine";
  call.name = "call";
  Model model = model_of({.nodes = {call}, .inputs = {value("x", {2, 3, 4})}, .outputs = {untyped("y")}});
  model.functions = {function};
  const Module module = import_ok(model);
  EXPECT_THAT(ops_of(module.main()), ElementsAre("Softmax"));
  const Node& softmax = module.main()[module.main().order[0]];
  EXPECT_EQ(softmax.op.as<ops::Softmax>()->axis, 1);
  EXPECT_EQ(softmax.origins[0].name, "call/Softmax_0");

  call.inputs = {"v"};
  call.outputs = {"r"};
  model.functions[0].nodes = {call};  // calls itself
  EXPECT_THAT(error_of(model), HasSubstr("nest deeper"));
}

TEST(Import, HintsFillButNeverOverride) {
  std::vector<std::string> warnings;
  const Log log([&](Severity, std::string_view text) { warnings.emplace_back(text); });
  const Model model = model_of({.nodes = {node("NonZero", {"x"}, {"n"}), node("Relu", {"x"}, {"r"})},
                                .inputs = {value("x", {2, 3})},
                                .outputs = {value("n", {2, 4}, kInt64), value("r", {2, 5})}});
  const Module module = import_ok(model, {.log = &log});
  EXPECT_EQ(to_string(output_fact(module, 0).shape()), "[2, 4]") << "a size that only the data decides";
  EXPECT_EQ(to_string(output_fact(module, 1).shape()), "[2, 3]");
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("value 'r': the file says shape [2, 5], it is [2, 3]")));
}

}  // namespace
}  // namespace tenon::onnx
