// Rules that write operators as arithmetic on coordinates: with sizes that only a run knows, the same bytes as the operators' evaluators.
#include <gtest/gtest.h>

#include "build.h"
#include "ir/text.h"
#include "ops/row.h"
#include "reference/reference.h"
#include "runtime/context.h"
#include "tensor/convert.h"

namespace tenon::passes {
namespace {

Tensor counted(DType type, const Dims& dims) {
  Tensor wide = *Tensor::allocate(DType::i64, dims);
  for (int64_t i = 0; i < wide.elems(); ++i) wide.as<int64_t>()[static_cast<size_t>(i)] = i % 100 + 1;
  return *convert(wide, type);
}
Tensor numbers(DType type, const Dims& dims, const std::vector<double>& values) {
  Tensor wide = *Tensor::allocate(DType::f64, dims);
  std::copy(values.begin(), values.end(), wide.as<double>().begin());
  return *convert(wide, type);
}

/// What the last node of the graph computes, by its evaluator: its operands are the graph's inputs and constants.
Tensor by_evaluator(const ir::Module& module, const std::vector<Tensor>& inputs) {
  const ir::Graph& graph = module.graphs[0];
  const ir::Node& node = graph[graph.order.back()];
  EXPECT_TRUE(node.op.row().eval) << node.op.name() << " has no evaluator of its own";
  std::vector<HostValue> in, out(1);
  for (const ir::ValueId id : node.in) {
    if (id == ir::ValueId::none) {
      in.emplace_back();
      continue;
    }
    HostValue value = graph[id].is_constant() ? HostValue(*graph[id].fact.constant) : HostValue();
    for (size_t i = 0; i < inputs.size(); ++i)
      if (graph.inputs[i].value == id) value = HostValue(inputs[i]);
    if (value.kind == HostValue::Kind::absent) {  // a size
      const ir::Node& shape = graph[graph[id].producer];
      std::vector<HostValue> of, size(1);
      for (size_t i = 0; i < inputs.size(); ++i)
        if (graph.inputs[i].value == shape.in[0]) of.emplace_back(inputs[i]);
      EXPECT_TRUE(reference::run_op(shape.op, of, size).ok());
      value = size[0];
    }
    in.push_back(std::move(value));
  }
  const auto done = node.op.row().eval(node.op.attributes(), in, out);
  EXPECT_TRUE(done.ok()) << done.error().message();
  return out[0].tensor;
}

Result<Tensor> by_engine(ir::Module module, const std::vector<Tensor>& inputs) {
  const auto disappears = std::string(module.graphs[0][module.graphs[0].order.back()].op.name()) + "\"";
  BuildOptions options;
  options.targets = {"mock"};
  TENON_TRY(bytes, build_engine(std::move(module), options));
  const auto kept = std::make_shared<const Bytes>(std::move(bytes));
  runtime::LoadOptions load;
  load.target = "mock";
  TENON_TRY(engine, runtime::Engine::load(*kept, kept, load));
  EXPECT_EQ(engine::to_string(engine->plan()).find("op=\"" + disappears), std::string::npos) << disappears << " is still there";
  TENON_TRY(context, runtime::Context::create(engine));
  for (size_t i = 0; i < inputs.size(); ++i) TENON_OK(context->set_input(i, inputs[i]));
  TENON_OK(context->run());
  TENON_TRY(out, Tensor::allocate(context->output(0).tensor.dtype, context->output(0).tensor.dims));
  const ByteView from = context->output(0).tensor.view();
  std::copy(from.begin(), from.end(), out.data);
  return out;
}

void expect_same(std::string_view text, const std::vector<Tensor>& inputs) {
  const auto module = ir::parse_module(text, ops::op_table());
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Tensor wanted = by_evaluator(*module, inputs);
  const auto got = by_engine(*module, inputs);
  ASSERT_TRUE(got.ok()) << got.error().message() << "\n" << text;
  EXPECT_EQ(got->dims, wanted.dims) << text;
  const ByteView a = wanted.view(), b = got->view();
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << text;
}

TEST(CoordinateRules, Triangles) {
  for (const std::string_view type : {"f32", "i64", "bool", "f16", "u8"}) {
    const DType dtype = *dtype_of(type);
    for (const char* upper : {"true", "false"}) {
      expect_same(strf("graph main(%x: {}[b, n, m]) -> (%y) {{ %y = Trilu(%x) upper={} }}", type, upper), {counted(dtype, {2, 5, 3})});
      for (const double k : {-2, 0, 1, 70})
        expect_same(strf("graph main(%x: {}[n, 4], %k: i64[]) -> (%y) {{ %y = Trilu(%x, %k) upper={} }}", type, upper),
                    {counted(dtype, {5, 4}), numbers(DType::i64, {}, {k})});
    }
    expect_same(strf("graph main(%x: f32[n, m]) -> (%y) {{ %y = EyeLike(%x) dtype={} k=-1 }}", type), {counted(DType::f32, {5, 3})});
  }
  expect_same("graph main(%x: i32[n, 3]) -> (%y) { %y = EyeLike(%x) }", {counted(DType::i32, {0, 3})});
  // More rows than a list of numbers may have in the file.
  expect_same("graph main(%x: u8[70000, 2]) -> (%y) { %y = EyeLike(%x) dtype=u8 k=-69999 }", {counted(DType::u8, {70000, 2})});
}

TEST(CoordinateRules, ReversedSequences) {
  const Tensor x = counted(DType::f32, {4, 3, 2});
  expect_same("graph main(%x: f32[t, b, 2], %l: i64[b]) -> (%y) { %y = ReverseSequence(%x, %l) }",
              {x, numbers(DType::i64, {3}, {4, 0, 2})});
  expect_same("graph main(%x: f32[b, t, 2], %l: i32[b]) -> (%y) { %y = ReverseSequence(%x, %l) time_axis=1 batch_axis=0 }",
              {x, numbers(DType::i32, {4}, {3, 1, 2, 0})});
  for (const double length : {5.0, -1.0}) {
    const auto module = ir::parse_module(
        "graph main(%x: f32[b, t], %l: i64[b]) -> (%y) { %y = ReverseSequence(%x, %l) time_axis=1 batch_axis=0 }", ops::op_table());
    EXPECT_FALSE(by_engine(*module, {counted(DType::f32, {2, 4}), numbers(DType::i64, {2}, {length, 1})}).ok()) << length;
  }
}

TEST(CoordinateRules, OneHot) {
  const Tensor a = counted(DType::f32, {5, 2}), values = numbers(DType::f32, {2}, {3, 7});
  for (const auto& [type, at] : {std::pair<std::string_view, std::vector<double>>{"i64", {-6, -5, -1, 0, 4, 5}},
                                 {"i8", {-6, -5, -1, 0, 4, 5}},
                                 {"u8", {0, 1, 4, 5, 6, 255}},
                                 {"f32", {-5.5, -5, -0.5, 0, 1.5, 5}}}) {
    const Tensor x = numbers(*dtype_of(type), {6}, at);
    expect_same(
        strf("graph main(%x: {}[n], %a: f32[m, 2], %v: f32[2]) -> (%y) {{ %d = Shape(%a) start=0 end=1 %y = OneHot(%x, %d, %v) axis=0 }}",
             type),
        {x, a, values});
    expect_same(
        strf("graph main(%x: {}[n]) -> (%y) {{ %d: i64[] = constant [5] %v: i32[2] = constant [0, 1] %y = OneHot(%x, %d, %v) }}", type),
        {x});
  }
}

TEST(CoordinateRules, CachesThatAreWritten) {
  const Tensor cache = counted(DType::f32, {2, 3, 5, 2}), update = counted(DType::f32, {2, 3, 2, 2});
  const std::string_view head = "graph main(%c: f32[b, h, s, 2], %u: f32[b, h, t, 2]";
  expect_same(strf("{}, %i: i64[b]) -> (%y) {{ %y = TensorScatter(%c, %u, %i) axis=-2 }}", head),
              {cache, update, numbers(DType::i64, {2}, {3, 0})});
  expect_same(strf("{}, %i: i64[b]) -> (%y) {{ %y = TensorScatter(%c, %u, %i) axis=2 circular=true }}", head),
              {cache, update, numbers(DType::i64, {2}, {9, 3})});
  expect_same(strf("{}) -> (%y) {{ %y = TensorScatter(%c, %u, _) axis=2 }}", head), {cache, update});
  const auto module = ir::parse_module(strf("{}, %i: i64[b]) -> (%y) {{ %y = TensorScatter(%c, %u, %i) axis=2 }}", head), ops::op_table());
  for (const double first : {4.0, -1.0})
    EXPECT_FALSE(by_engine(*module, {cache, update, numbers(DType::i64, {2}, {0, first})}).ok()) << first;
}

}  // namespace
}  // namespace tenon::passes
