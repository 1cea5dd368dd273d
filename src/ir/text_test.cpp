#include "ir/text.h"

#include <gtest/gtest.h>

#include <random>

#include "ir/contents.h"
#include "ir/test_ops.h"
#include "ir/verify.h"

namespace tenon::ir {
namespace {

std::string parsed(std::string_view text, const Blobs* blobs = nullptr) {
  auto module = parse_module(text, test_ops::table(), blobs);
  if (!module.ok()) return module.error().message();
  const auto verified = verify(*module);
  return verified.ok() ? to_string(*module) : verified.error().message();
}

TEST(Text, ReadsBackWhatItPrints) {
  const std::string text =
      R"(symbols h, n in [1, 64]
root "conv1.weight": f32[2] = [0.5, -inf]
root "big": f32[64, 3]
graph main(%x as "the input": f32[n, 3, h], %"odd name": i64[]) -> (%y as "logits", %"odd name.1") {
  %conv1.weight: f32[2] = root "conv1.weight"
  %0: f32[2] = Unary(%conv1.weight) alpha=3 mode="a b" axes=[1, 2] origins=["conv1:Conv", "a:b:Relu"]
  %1: f32[2] = constant [1, nan]
  %y: f32[2] layout={order=[0] pad_axis=0 pad_multiple=8}, %2: f32[2] = Join(%0, _, %1) device=1
  %c: bool[] = constant [true]
  %3: f32[n, 3, h] = Branch(%c, %x) regions=[then, "else 1"]
  %"odd name.1": i64[] = Join(%"odd name")
}
graph then(%x: f32[n, 3, h]) -> (%y) {
  %y: f32[n, 3, h] = Unary(%x) math={operand_rounding=bf16}
}
graph "else 1"(%x: f32[n, 3, h]) -> (%x) {
}
)";
  EXPECT_EQ(parsed(text), text);
}

TEST(Text, InfersTypesLeftOut) {
  EXPECT_EQ(parsed("graph g(%x: f32[n, 2]) -> (%y) { %y = Unary(%x) %z = Find(%y) }"),
            "symbols found.0, n\ngraph g(%x: f32[n, 2]) -> (%y) {\n  %y: f32[n, 2] = Unary(%x)\n  %z: i64[found.0] = Find(%y)\n}\n");
}

TEST(Text, ForgetsWhatInferenceMintsWhereTypesStand) {
  const std::string text = "symbols k, n\ngraph g(%x: f32[n]) -> (%y) {\n  %y: i64[k] = Find(%x)\n}\n";
  auto module = parse_module(text, test_ops::table());
  ASSERT_TRUE(module.ok());
  EXPECT_EQ(module->symbols.rows.size(), 2u);
  EXPECT_EQ(to_string(*module), text);
}

TEST(Text, LargeContentsGoBeside) {
  Module module;
  Graph& graph = module[module.add_graph("main")];
  std::vector<float> values(100, 1.5f);
  const ValueId c = graph.add_constant(make_tensor<float>(DType::f32, {100}, std::span<const float>(values)), "c");
  graph.add_output("c", c);
  values[0] = 2;
  module.roots.push_back({"w", make_tensor<float>(DType::f32, {100}, std::span<const float>(values))});
  Blobs blobs;
  const std::string text = to_string(module, &blobs);
  EXPECT_EQ(blobs.constants.size(), 1u);
  EXPECT_EQ(blobs.roots.size(), 1u);
  EXPECT_EQ(parsed(text, &blobs), text);
  EXPECT_NE(parsed(text).find("are missing"), std::string::npos);
  auto back = parse_module(to_reproducer(module), test_ops::table());
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->main().values[0].fact.constant->as<float>()[99], 1.5f);
  EXPECT_EQ(back->roots[0].data.data, nullptr);
}

TEST(Text, EveryElementTypeReadsBack) {
  for (int t = 1; t < static_cast<int>(enum_names(DType{}).size()); ++t) {
    const auto type = static_cast<DType>(t);
    Tensor tensor = *Tensor::allocate(type, {8});
    if (type == DType::str) {
      tensor.as<std::string>()[3] = "a \"quoted\" \x01 one\n";
    } else {
      for (int64_t i = 0; i < tensor.bytes(); ++i) tensor.data[i] = static_cast<std::byte>(type == DType::boolean ? i % 2 : 37 * i + 201);
    }
    Module module;
    Graph& graph = module[module.add_graph("main")];
    graph.add_output("c", graph.add_constant(tensor));
    const std::string text = to_reproducer(module);
    auto back = parse_module(text, test_ops::table());
    ASSERT_TRUE(back.ok()) << back.error().message() << "\n" << text;
    EXPECT_TRUE(same_tensor(*back->main().values[0].fact.constant, tensor)) << text;
  }
}

TEST(Text, WrongTextIsAnErrorThatNamesThePlace) {
  const auto says = [](std::string_view text, std::string_view what) {
    EXPECT_NE(parsed(text).find(what), std::string::npos) << text << "\n" << parsed(text);
  };
  says("", "wanted a graph");
  says("graph g() -> (%y) {}", "output '%y' of 'g' is not defined");
  says("graph g(%x: f32[]) -> () { %y = Nothing(%x) }", "no operator 'Nothing'");
  says("graph g(%x: f32[]) -> () { %y = Unary(%z) }", "line 1, column 41: '%z' is not defined before");
  says("graph g(%x: f32[]) -> () { %y = Unary(%x) gamma=1 }", "Unary has no field 'gamma'");
  says("graph g(%x: f32[]) -> () { %x = Unary(%x) }", "defined twice");
  says("graph g(%x: f32[]) -> () { %y = Branch(%x) regions=[g] }", "region of two nodes");
  says("graph g(%x: f32[]) -> () { %y = Branch(%x) }", "wants a body");
  says("graph g(%x: f32[]) -> () { %y = Branch(%x) regions=[h] }", "no graph 'h'");
  says("graph g() -> () { %y: f32[2] = constant [1] }", "wanted ','");
  says("graph g() -> () { %y: f32[2] = constant hash 0x12 }", "are missing");
  says("graph g() -> () { %y = root \"w\" }", "no root 'w'");
  says("graph g(%x: f32[]) -> () { %y = Unary(%x) epilogue={add(x0:f32, x5:f32)} }", "more operands");
  std::string deep = "graph g0(%x: f32[]) -> (%x) { %y = Branch(%x) regions=[g1, e1] }";
  for (int i = 1; i < 200; ++i)
    deep += strf("graph g{}() -> () {{ %x: bool[] = constant [true] = Branch(%x) regions=[g{}, e{}] }} graph e{}() -> () {{}}", i, i + 1,
                 i + 1, i);
  deep += "graph g200() -> () {} graph e200() -> () {}";
  says(deep, "nested more than");
}

// A byte flipped or cut away gives another graph or an error, never a crash.
TEST(Text, DamagedTextIsHarmless) {
  const std::string text =
      "symbols n in [1, 64]\nroot \"w\": f32[2] = [0.5, 1]\ngraph main(%x as \"a\": f32[n, 3]) -> (%y) {\n"
      "  %w: f32[2] = root \"w\"\n  %c: i64[2] = constant [1, -1]\n  %y = Unary(%x) alpha=3 mode=\"m\" axes=[1] device=0 "
      "origins=[\"a:B\"]\n"
      "  %b = Branch(%c, %x) regions=[t, e]\n}\ngraph t(%x: f32[n, 3]) -> (%x) {}\ngraph e(%x: f32[n, 3]) -> (%x) {}\nblob 0x12 \"00ff\"\n";
  ASSERT_TRUE(parse_module(text, test_ops::table()).ok());
  std::mt19937 random(1);
  for (size_t cut = 0; cut < text.size(); ++cut) (void)parsed(text.substr(0, cut));
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    damaged[random() % damaged.size()] = static_cast<char>(32 + random() % 96);
    (void)parsed(damaged);
  }
}

Module random_module(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t n) { return random() % n; };
  const auto name = [&] {
    static const std::string names[] = {"", "", "x", "y", "conv/1", "x.1", "0", "a\"b", "1x", "_", "x"};
    return names[below(11)];
  };
  const auto type = [&]() -> ValueType {
    const auto dim = [&] {
      return below(2) ? Dim(static_cast<int64_t>(below(5))) : Dim::symbol(below(2) ? "n" : "batch size") * Dim(2) + Dim(1);
    };
    if (below(8) == 0) return ValueType::sequence(ValueType::tensor(DType::f16, Shape::unknown()));
    return ValueType::tensor(static_cast<DType>(1 + below(20)), below(6) ? Shape{dim(), dim()} : Shape::unknown());
  };
  Module module;
  const int graphs = 1 + static_cast<int>(below(3));
  for (int g = 0; g < graphs; ++g) module.add_graph(below(2) ? "body" : "main graph");
  if (below(2)) module.symbols.rows["n"] = {1, static_cast<int64_t>(1 + below(100))};
  module.roots.push_back({"w 0", scalar_tensor(DType::f32, 0.1)});
  module.roots.push_back({"w1", int64_tensor(Dims(below(40), 7))});
  for (int g = 0; g < graphs; ++g) {
    Graph& graph = module.graphs[static_cast<size_t>(g)];
    Values values;
    for (uint32_t i = 0; i <= below(3); ++i) {
      const ValueId id = graph.add_value(Fact(type()), name());
      graph.inputs.push_back({id, strf("in{}", i)});
      values.push_back(id);
    }
    for (uint32_t i = 0; i < 4 + below(20); ++i) {
      if (below(4) == 0)
        values.push_back(graph.add_constant(below(2) ? scalar_tensor(DType::f16, below(9)) : int64_tensor(Dims(below(30), 3)), name()));
      if (below(6) == 0) {
        const Root& root = module.roots[below(2)];
        values.push_back(graph.add_root(root.name, Fact(root.data.dtype, Shape::of(root.data.dims))));
      }
      Values in{values[below(static_cast<uint32_t>(values.size()))]};
      while (below(2)) in.push_back(below(4) ? values[below(static_cast<uint32_t>(values.size()))] : ValueId::none);
      const bool branch = i == 0 && g == 0 && graphs == 3;
      Op op = test_ops::make_op(test_ops::Join{});
      if (branch) op = test_ops::make_op(test_ops::Branch{});
      if (!branch && below(2))
        op = test_ops::make_op(test_ops::Unary{static_cast<int64_t>(below(3)), below(9) / 7.0, name(), Dims(below(4), 1)});
      Facts out(1 + below(2), graph[in[0]].fact);
      for (Fact& fact : out) fact = Fact(fact.type);
      if (op.name() == "Unary" || branch) out.resize(1);
      if (branch) {
        in.clear();
        for (const Port& port : module.graphs[1].inputs) in.push_back(port.value == ValueId::none ? ValueId::none : values[0]);
        in.push_back(values[0]);
        out[0] = Fact(type());
      }
      const NodeId node = graph.add_node(op, in, out, below(2) ? std::vector<Origin>{{name(), "Op"}} : std::vector<Origin>{});
      if (branch) graph[node].regions = {GraphId{1}, GraphId{2}};
      if (below(4) == 0) graph[node].math.operand_rounding = Rounding::f16;
      if (below(3) == 0) graph[node].device = below(3);
      for (const ValueId id : graph[node].out) {
        graph[id].name = name();
        if (below(9) == 0) graph[id].layout.order = {1, 0};
        values.push_back(id);
      }
    }
    for (uint32_t i = 0; i < 1 + below(3); ++i) graph.add_output(strf("out {}", i), values[below(static_cast<uint32_t>(values.size()))]);
  }
  return module;
}

TEST(Text, RandomGraphsReadBackExactly) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    const Module module = random_module(seed);
    Blobs blobs;
    const std::string text = to_string(module, &blobs);
    auto back = parse_module(text, test_ops::table(), &blobs);
    ASSERT_TRUE(back.ok()) << back.error().message() << "\n" << text;
    ASSERT_EQ(to_string(*back), text) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tenon::ir
