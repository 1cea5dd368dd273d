// Frames: programs written as graphs, run on every target.
#include <gtest/gtest.h>

#include "build.h"
#include "ir/text.h"
#include "ops/row.h"
#include "runtime/context.h"

namespace tenon::runtime {
namespace {

class Frames : public testing::TestWithParam<const char*> {
 protected:
  /// A context of the graph's text on the target under test; null and a failed test where it cannot be built.
  std::unique_ptr<Context> context_of(std::string_view text) {
    auto module = ir::parse_module(text, ops::op_table());
    EXPECT_TRUE(module.ok()) << module.error().message();
    if (!module.ok()) return nullptr;
    BuildOptions options;
    options.targets = {GetParam()};
    auto bytes = build_engine(std::move(*module), options);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    if (!bytes.ok()) return nullptr;
    const auto kept = std::make_shared<const Bytes>(std::move(*bytes));
    LoadOptions load;
    load.target = GetParam();
    auto engine = Engine::load(*kept, kept, load);
    EXPECT_TRUE(engine.ok()) << engine.error().message();
    if (!engine.ok()) return nullptr;
    auto context = Context::create(*engine);
    EXPECT_TRUE(context.ok()) << context.error().message();
    return context.ok() ? std::move(*context) : nullptr;
  }
};

Tensor floats(const Dims& dims, std::vector<float> values) { return make_tensor<float>(DType::f32, dims, std::span<const float>(values)); }
std::vector<float> values_of(const HostValue& value) {
  const auto list = value.tensor.as<float>();
  return {list.begin(), list.end()};
}

TEST_P(Frames, SequencesKeepWhatArenasForget) {
  // Both elements come from the same arena buffer of the body.
  const auto context = context_of(R"(
graph main(%count: i64[], %go: bool[], %x: f32[2]) -> (%all) {
  %none: seq(f32[...]) = SequenceEmpty() dtype=f32
  %all: seq(f32[...]) = Loop(%count, %go, %none, %x) captures=1 regions=[body]
}
graph body(%i: i64[], %go: bool[], %list: seq(f32[...]), %x: f32[2]) -> (%go, %longer) {
  %f: f32[] = Pointwise(%i) expr={cast(x0:i64):f32}
  %y: f32[2] = Pointwise(%x, %f) expr={add(x0:f32, x1:f32)}
  %longer: seq(f32[...]) = SequenceInsert(%list, %y, _)
}
)");
  ASSERT_TRUE(context);
  const std::vector<int64_t> count = {3};
  const bool go = true;
  ASSERT_TRUE(context->set_input(0, make_tensor<int64_t>(DType::i64, {}, std::span<const int64_t>(count))).ok());
  ASSERT_TRUE(context->set_input(1, make_tensor<bool>(DType::boolean, {}, std::span<const bool>(&go, 1))).ok());
  ASSERT_TRUE(context->set_input(2, floats({2}, {10, 20})).ok());
  const auto done = context->run();
  ASSERT_TRUE(done.ok()) << done.error().message();
  const HostValue& all = context->output(0);
  ASSERT_EQ(all.items.size(), 3U);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(values_of(all.items[i]), (std::vector<float>{10.F + static_cast<float>(i), 20.F + static_cast<float>(i)}));
}

TEST_P(Frames, ShapesChangeFromRunToRun) {
  const auto context = context_of(R"(
graph main(%x: f32[n]) -> (%y) {
  %a: f32[n] = Pointwise(%x) expr={add(x0:f32, 1:f32)}
  %y: f32[n] = Pointwise(%a) expr={mul(x0:f32, x0:f32)}
}
)");
  ASSERT_TRUE(context);
  for (const int64_t n : {3, 5, 0, 3, 1}) {
    std::vector<float> x(static_cast<size_t>(n)), wanted;
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(i);
      wanted.push_back((x[i] + 1) * (x[i] + 1));
    }
    ASSERT_TRUE(context->set_input(0, floats({n}, x)).ok());
    const auto done = context->run();
    ASSERT_TRUE(done.ok()) << done.error().message();
    EXPECT_EQ(context->output(0).tensor.dims, Dims{n});
    EXPECT_EQ(values_of(context->output(0)), wanted);
  }
}

TEST_P(Frames, RanksThatDependOnValues) {
  // The branches differ in rank, and the second If reads what the first one gave.
  const auto context = context_of(R"(
graph main(%squeeze: bool[], %x: f32[1, 2]) -> (%y) {
  %a: f32[...] = If(%squeeze, %x) captures=1 regions=[first, same]
  %y: f32[...] = If(%squeeze, %a) captures=1 regions=[wrap, same2]
}
graph first(%x: f32[1, 2]) -> (%s) { %s: f32[2] = Reshape(%x) shape=[[2]] }
graph same(%x: f32[1, 2]) -> (%x) { }
graph wrap(%a: f32[...]) -> (%u) { %u: f32[...] = Unsqueeze(%a) axes=[-1] }
graph same2(%a: f32[...]) -> (%a) { }
)");
  ASSERT_TRUE(context);
  ASSERT_TRUE(context->set_input(1, floats({1, 2}, {3, 4})).ok());
  for (const bool squeeze : {true, false, true}) {
    ASSERT_TRUE(context->set_input(0, make_tensor<bool>(DType::boolean, {}, std::span<const bool>(&squeeze, 1))).ok());
    const auto done = context->run();
    ASSERT_TRUE(done.ok()) << done.error().message();
    EXPECT_EQ(context->output(0).tensor.dims, (squeeze ? Dims{2, 1} : Dims{1, 2}));
    EXPECT_EQ(values_of(context->output(0)), (std::vector<float>{3, 4}));
  }
}

TEST_P(Frames, OneElementStandsForAScalar) {
  const auto context = context_of("graph main(%x: f32[]) -> (%y) { %y: f32[] = Pointwise(%x) expr={add(x0:f32, 1:f32)} }");
  ASSERT_TRUE(context);
  ASSERT_TRUE(context->set_input(0, floats({1}, {2})).ok());
  ASSERT_TRUE(context->run().ok());
  EXPECT_EQ(context->output(0).tensor.dims, Dims{});
  EXPECT_EQ(values_of(context->output(0)), std::vector<float>{3});
  ASSERT_TRUE(context->set_input(0, floats({2}, {2, 2})).ok());
  EXPECT_FALSE(context->run().ok());
}

TEST_P(Frames, ViewsShowOtherTypesAndShapes) {
  // Of an input, of an intermediate result, and as what a step reads.
  const auto context = context_of(R"(
graph main(%x: f32[2]) -> (%bits, %more, %back) {
  %bits: i32[2] = BitCast(%x) dtype=i32
  %a: f32[2] = Pointwise(%x) expr={add(x0:f32, x0:f32)}
  %more: i32[2] = BitCast(%a) dtype=i32
  %next: i32[2] = Pointwise(%bits) expr={add(x0:i32, 8388608:i32)}
  %back: f32[2] = BitCast(%next) dtype=f32
}
)");
  ASSERT_TRUE(context);
  ASSERT_TRUE(context->set_input(0, floats({2}, {1, -3})).ok());
  const auto done = context->run();
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_EQ(context->output(0).tensor.dtype, DType::i32);
  EXPECT_EQ(ints_of(context->output(0).tensor), (Dims{0x3f800000, -0x3fc00000}));
  EXPECT_EQ(ints_of(context->output(1).tensor), (Dims{0x40000000, -0x3f400000}));
  EXPECT_EQ(context->output(2).tensor.dtype, DType::f32);
  EXPECT_EQ(values_of(context->output(2)), (std::vector<float>{2, -6}));
}

TEST_P(Frames, InputsAndOutputsInADevicesMemory) {
  // An input more makes the node one that the mock device gets.
  const auto context = context_of("graph main(%x: f32[n], %other: f32[]) -> (%y) { %y: f32[n] = Pointwise(%x) expr={add(x0:f32, 1:f32)} }");
  ASSERT_TRUE(context);
  ASSERT_TRUE(context->set_input(1, floats({}, {0})).ok());
  constexpr int64_t kBytes = 8, kOff = 64 + 4;  // one place that kernels take as it is, and one that they do not
  const auto memory = context->device_memory(4 * kOff);
  if (std::string_view(GetParam()) != "mock") {
    EXPECT_FALSE(memory.ok()) << "the plan is the host's alone";
    return;
  }
  ASSERT_TRUE(memory.ok()) << memory.error().message();
  const auto placed = [](std::byte* at) {
    Tensor out = Tensor::wrap(DType::f32, {2}, at);
    out.on_device = true;
    return out;
  };
  const std::vector<float> none = {0, 0};
  float next = 1;
  for (const int64_t in : {int64_t{0}, kOff})
    for (const int64_t out : {int64_t{0}, int64_t{128}, 2 * kOff}) {  // in place too
      const std::vector<float> x = {next, -next};
      next += 1;
      ASSERT_TRUE(context->copy(*memory + out, reinterpret_cast<const std::byte*>(none.data()), kBytes, engine::CopyKind::to_device).ok());
      ASSERT_TRUE(context->copy(*memory + in, reinterpret_cast<const std::byte*>(x.data()), kBytes, engine::CopyKind::to_device).ok());
      ASSERT_TRUE(context->set_input(0, HostValue(placed(*memory + in))).ok());
      ASSERT_TRUE(context->set_output(0, placed(*memory + out)).ok());
      const auto done = context->run();
      ASSERT_TRUE(done.ok()) << done.error().message();
      std::vector<float> y(2);
      ASSERT_TRUE(context->copy(reinterpret_cast<std::byte*>(y.data()), *memory + out, kBytes, engine::CopyKind::to_host).ok());
      EXPECT_EQ(y, (std::vector<float>{x[0] + 1, x[1] + 1})) << in << " to " << out;
    }
}

TEST_P(Frames, RunsThatEndEarly) {
  const auto context = context_of(R"(
graph main(%x: f32[2]) -> (%y) {
  %a: f32[2] = Pointwise(%x) expr={add(x0:f32, 1:f32)}
  %b: f32[2] = Transpose(%a) perm=[0]
  %y: f32[1] = Reduce(%b) kind=sum axes=[0] keepdims=true
}
)");
  ASSERT_TRUE(context);
  ASSERT_TRUE(context->set_input(0, floats({2}, {1, 2})).ok());
  for (const int64_t steps : {0, 1, -1, 1, -1}) {
    ASSERT_TRUE(context->stop_after(steps).ok());
    const auto done = context->run();
    ASSERT_TRUE(done.ok()) << done.error().message();
    if (steps < 0) {
      EXPECT_EQ(values_of(context->output(0)), std::vector<float>{5});
    }
    if (steps == 0) {
      EXPECT_FALSE(context->output(0).tensor.defined());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Frames, testing::Values("cpu", "portable", "mock"), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tenon::runtime
