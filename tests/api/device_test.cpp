// Tensors in a device's memory through the public interface, on the mock device: its memory faults when the host touches it, its work is
// done later on threads of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tenon/build.h>

#include "tests/api/mock_stream.h"

namespace {

using tenon_test::engine_of;
using tenon_test::MockStream;
using testing::HasSubstr;

constexpr tenon::Device kMock{tenon::DeviceKind::mock, 0};
using Floats = std::vector<float>;

/// y = (x + 1)² on the device.
constexpr std::string_view kSquares = R"(
graph main(%x: f32[n]) -> (%y) {
  %a: f32[n] = Pointwise(%x) expr={add(x0:f32, 1:f32)}
  %y: f32[n] = Pointwise(%a) expr={mul(x0:f32, x0:f32)}
}
)";

template <class T>
T take(tenon::Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().message;
  return *std::move(result);
}
void expect(const tenon::Status& status) { EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message); }
std::string message_of(const tenon::Status& status) { return status.ok() ? "no error" : status.error().message; }

tenon::Engine load(const std::vector<std::byte>& bytes, const std::string& device = "mock") {
  return take(tenon::Runtime().deserialize(bytes, {.device = device}));
}

class DeviceTensors : public testing::Test {
 protected:
  tenon::OwnedTensor on_device(const Floats& values) {
    dims_.push_back(std::make_unique<int64_t>(static_cast<int64_t>(values.size())));
    return take(engine_.to_device({tenon::DType::f32, {dims_.back().get(), 1}, values.data(), values.size() * sizeof(float)}));
  }
  static tenon::TensorMemory memory(const tenon::OwnedTensor& tensor) {
    const tenon::TensorView view = tensor.view();
    return {view.dtype, const_cast<void*>(view.data), view.bytes, view.device};
  }
  static Floats values(const tenon::OwnedTensor& tensor) {
    const auto host = take(tensor.to_host());
    const auto list = host.view().as<float>();
    return {list.begin(), list.end()};
  }
  static int64_t copies(const tenon::ExecutionContext& context) {
    const tenon::RunStats stats = context.stats();
    return stats.copies_to_device + stats.copies_to_host + stats.copies_within_device;
  }

  std::vector<std::unique_ptr<int64_t>> dims_;
  tenon::Engine engine_ = load(engine_of(kSquares, "mock_whole"));
  tenon::ExecutionContext context_ = take(engine_.create_context());
};

TEST_F(DeviceTensors, TheEngineSaysWhereItRuns) {
  EXPECT_EQ(engine_.device(), kMock);
  EXPECT_TRUE(engine_.host_steps().empty());
  EXPECT_NE(context_.stream(), nullptr);
  const tenon::Engine host = load(engine_of(kSquares, "mock_whole"), "cpu");
  EXPECT_EQ(host.device(), tenon::Device());
  EXPECT_EQ(host.target(), "portable");
  EXPECT_EQ(take(host.create_context()).stream(), nullptr);
  const tenon::Engine split =
      load(engine_of("graph main(%x: f32[n]) -> (%y) { %y: f32[n] = Pointwise(%x) expr={add(x0:f32, 1:f32)} }", "mock"));
  EXPECT_EQ(split.host_steps().size(), 1U);
}

TEST_F(DeviceTensors, GoInAndOutWithoutACopy) {
  const auto x = on_device({1, 2, 3}), y = on_device({0, 0, 0});
  expect(context_.set_input("x", x.view()));
  expect(context_.set_output("y", memory(y)));
  for (int run = 0; run < 3; ++run) {
    expect(context_.run());
    EXPECT_EQ(copies(context_), 0);
  }
  EXPECT_EQ(values(y), (Floats{4, 9, 16}));
  const auto out = take(context_.output("y"));
  EXPECT_EQ(out.data, y.view().data);
  EXPECT_EQ(out.device, kMock);
  EXPECT_EQ(out.dims[0], 3);
}

TEST_F(DeviceTensors, HostMemoryIsCopiedAndCounted) {
  const Floats x = {1, 2};
  const int64_t dims[] = {2};
  expect(context_.set_input("x", tenon::TensorView{tenon::DType::f32, dims, x.data(), 8}));
  expect(context_.run());
  const tenon::RunStats stats = context_.stats();
  EXPECT_EQ(stats.copies_to_device, 1);
  EXPECT_EQ(stats.bytes_to_device, 8);
  EXPECT_EQ(stats.copies_to_host, 1);
  EXPECT_EQ(stats.bytes_to_host, 8);
  EXPECT_EQ(stats.copies_within_device, 0);
  EXPECT_EQ(take(context_.output("y")).as<float>()[1], 9);
}

TEST_F(DeviceTensors, UnalignedMemoryIsCopiedWithinTheDevice) {
  const auto x = on_device({0, 1, 2}), y = on_device({7, 7, 7});
  const int64_t dims[] = {2};
  const auto* second = static_cast<const std::byte*>(x.view().data) + 4;
  expect(context_.set_input("x", tenon::TensorView{tenon::DType::f32, dims, second, 8, kMock}));
  expect(context_.set_output(
      "y", tenon::TensorMemory{tenon::DType::f32, const_cast<std::byte*>(static_cast<const std::byte*>(y.view().data) + 4), 8, kMock}));
  expect(context_.enqueue());
  expect(context_.synchronize());
  EXPECT_EQ(context_.stats().copies_within_device, 2);
  EXPECT_EQ(context_.stats().bytes_within_device, 16);
  EXPECT_EQ(copies(context_), 2);
  EXPECT_EQ(values(y), (Floats{7, 4, 9}));
}

TEST_F(DeviceTensors, InPlace) {
  const auto x = on_device({1, 2, 3});
  expect(context_.set_input("x", x.view()));
  expect(context_.set_output("y", memory(x)));
  expect(context_.run());
  EXPECT_EQ(values(x), (Floats{4, 9, 16}));
}

TEST_F(DeviceTensors, TheContextsOwnMemoryOnTheDevice) {
  expect(context_.place_output("y", tenon::DeviceKind::mock));
  expect(context_.set_input("x", on_device({1, 2})));  // the context keeps the tensor
  expect(context_.enqueue());
  const auto first = take(context_.take_output("y"));
  expect(context_.set_input("x", on_device({3, 4, 5})));
  expect(context_.enqueue());
  std::optional<tenon::OwnedTensor> second = take(context_.take_output("y"));
  EXPECT_EQ(copies(context_), 0);
  EXPECT_EQ(values(first), (Floats{4, 9}));
  EXPECT_EQ(values(*second), (Floats{16, 25, 36}));
  const void* address = second->view().data;
  second.reset();
  expect(context_.set_input("x", on_device({1, 1, 1})));
  expect(context_.enqueue());  // lets go of its own hold on the last result, whose memory serves again
  EXPECT_EQ(take(context_.output("y")).data, address);
  expect(context_.place_output("y", tenon::DeviceKind::cpu));
  expect(context_.run());
  EXPECT_EQ(take(context_.output("y")).as<float>()[0], 4);
}

TEST_F(DeviceTensors, ResultsOutliveContextsAndEngines) {
  std::optional<tenon::OwnedTensor> y;
  {
    const tenon::Engine engine = load(engine_of(kSquares, "mock_whole"));
    auto context = take(engine.create_context());
    expect(context.place_output("y", tenon::DeviceKind::mock));
    expect(context.set_input("x", on_device({2})));
    expect(context.enqueue());
    y = take(context.take_output("y"));
  }
  EXPECT_EQ(values(*y), Floats{9});
}

TEST_F(DeviceTensors, AStreamsWorkComesFirstAndTheHostDoesNotWait) {
  const Floats late = {5, 6};
  Floats result(2);
  const auto x = on_device({0, 0}), y = on_device({0, 0});
  MockStream stream;
  stream.block();  // a run that waited for the device would never come back
  stream.copy(const_cast<void*>(x.view().data), late.data(), 8);
  expect(context_.set_input("x", x.view()));
  expect(context_.set_output("y", memory(y)));
  for (int run = 0; run < 2; ++run) expect(context_.enqueue(stream.handle()));  // the first of a shape makes the plan
  stream.copy(result.data(), y.view().data, 8);
  EXPECT_EQ(result, Floats(2));
  stream.open();
  stream.wait();
  EXPECT_EQ(result, (Floats{36, 49}));
  EXPECT_EQ(copies(context_), 0);
}

TEST_F(DeviceTensors, OneContextOnTwoStreamsKeepsItsOrder) {
  MockStream a, b;
  expect(context_.place_output("y", tenon::DeviceKind::mock));
  expect(context_.set_input("x", on_device({1})));
  a.block();
  expect(context_.enqueue(a.handle()));
  const auto first = take(context_.take_output("y"));
  expect(context_.set_input("x", on_device({2})));
  expect(context_.enqueue(b.handle()));  // uses the same working memory
  const auto second = take(context_.take_output("y"));
  expect(context_.set_input("x", on_device({3})));
  expect(context_.enqueue());
  const auto third = take(context_.take_output("y"));
  a.open();
  expect(context_.synchronize());
  EXPECT_EQ(values(first), Floats{4});
  EXPECT_EQ(values(second), Floats{9});
  EXPECT_EQ(values(third), Floats{16});
}

TEST_F(DeviceTensors, TwoContextsRunSideBySide) {
  MockStream a, b;
  auto other = take(engine_.create_context());
  for (auto* context : {&context_, &other}) expect(context->place_output("y", tenon::DeviceKind::mock));
  expect(context_.set_input("x", on_device({1})));
  expect(other.set_input("x", on_device({2})));
  a.block();
  expect(context_.enqueue(a.handle()));
  expect(other.enqueue(b.handle()));
  expect(other.synchronize());  // does not wait for `a`
  EXPECT_EQ(values(take(other.take_output("y"))), Floats{9});
  a.open();
  EXPECT_EQ(values(take(context_.take_output("y"))), Floats{4});
}

TEST_F(DeviceTensors, AConsumersStreamWaitsForTheRun) {
  MockStream producer, consumer;
  Floats result(1);
  expect(context_.place_output("y", tenon::DeviceKind::mock));
  expect(context_.set_input("x", on_device({1})));
  producer.block();
  expect(context_.enqueue(producer.handle()));
  const auto y = take(context_.take_output("y"));
  expect(y.use_on(consumer.handle()));
  consumer.copy(result.data(), y.view().data, 4);
  producer.open();
  consumer.wait();
  EXPECT_EQ(result, Floats{4});
}

TEST_F(DeviceTensors, MemoryIsUsedAgainOnlyBehindItsConsumers) {
  MockStream consumer;
  Floats result(1);
  expect(context_.place_output("y", tenon::DeviceKind::mock));
  expect(context_.set_input("x", on_device({1})));
  expect(context_.run());
  const void* address = nullptr;
  {
    const auto y = take(context_.take_output("y"));
    address = y.view().data;
    expect(y.use_on(consumer.handle()));
    consumer.block();
    consumer.copy(result.data(), address, 4);
  }
  expect(context_.set_input("x", on_device({9})));
  expect(context_.enqueue());
  EXPECT_EQ(take(context_.output("y")).data, address) << "the test wants the same memory";
  consumer.open();
  consumer.wait();
  EXPECT_EQ(result, Floats{4});
  expect(context_.synchronize());
  EXPECT_EQ(values(take(context_.take_output("y"))), Floats{100});
}

TEST_F(DeviceTensors, RunOnWaitsAndTakesHostMemory) {
  MockStream stream;
  const Floats x = {1}, late = {3};
  const auto y = on_device({0});
  const int64_t dims[] = {1};
  expect(context_.set_input("x", tenon::TensorView{tenon::DType::f32, dims, x.data(), 4}));
  expect(context_.set_output("y", memory(y)));
  expect(context_.run_on(stream.handle()));
  EXPECT_EQ(context_.stats().copies_to_device, 1);
  EXPECT_EQ(copies(context_), 1);
  EXPECT_EQ(values(y), Floats{4});
}

TEST_F(DeviceTensors, WeightsThatAreOutputs) {
  static const float w[] = {1, 0, 0, 1}, x[] = {3, 4};
  static const int64_t x_dims[] = {1, 2};
  tenon::Network network;
  const auto input = network.add_input("x", tenon::DType::f32, {"n", 2});
  const auto weight = network.add_constant(tenon::Weights::of(std::span<const float>(w), {2, 2}), "w");
  expect(network.mark_output(*network.add_matrix_multiply(*input, *weight), "y"));
  expect(network.mark_output(*weight, "c"));  // the device has it, for the product
  const auto unused = network.add_constant(tenon::Weights::of(std::span<const float>(x), {2}), "u");
  expect(network.mark_output(*unused, "d"));
  const auto file = take(tenon::Builder().build(network, {.targets = {"mock_whole"}}));
  tenon::Engine engine = take(tenon::Runtime().deserialize(file, {.device = "mock"}));
  auto context = take(engine.create_context());
  MockStream stream;
  const auto there = take(engine.to_device({tenon::DType::f32, x_dims, x, 8}));
  expect(context.set_input("x", there));
  for (const char* name : {"y", "c", "d"}) expect(context.place_output(name, tenon::DeviceKind::mock));
  EXPECT_THAT(message_of(context.enqueue(stream.handle())), HasSubstr("output 'd' is a weight"));
  expect(context.run_on(stream.handle()));
  EXPECT_EQ(values(take(context.take_output("c"))), (Floats{1, 0, 0, 1}));
  EXPECT_EQ(values(take(context.take_output("d"))), (Floats{3, 4}));
  EXPECT_EQ(context.stats().copies_within_device, 1) << "c";
  EXPECT_EQ(context.stats().copies_to_device, 1) << "d";
  EXPECT_EQ(copies(context), 2);
}

TEST_F(DeviceTensors, RefitWhileRunsAreAtWork) {
  static const float w[] = {1, 0, 0, 1}, doubled[] = {2, 0, 0, 2}, x[] = {3, 4};
  static const int64_t w_dims[] = {2, 2}, x_dims[] = {1, 2};
  tenon::Network network;
  const auto input = network.add_input("x", tenon::DType::f32, {"n", 2});
  const auto weight = network.add_constant(tenon::Weights::of(std::span<const float>(w), {2, 2}), "w");
  expect(network.mark_output(*network.add_matrix_multiply(*input, *weight), "y"));
  tenon::Engine engine = take(tenon::Runtime().deserialize(take(tenon::Builder().build(network, {.targets = {"mock_whole"}}))));
  auto context = take(engine.create_context());
  MockStream stream;
  expect(context.place_output("y", tenon::DeviceKind::mock));
  expect(context.set_input("x", take(engine.to_device({tenon::DType::f32, x_dims, x, 8}))));
  stream.block();
  expect(context.enqueue(stream.handle()));
  const auto before = take(context.take_output("y"));
  expect(engine.refit("w", {tenon::DType::f32, w_dims, doubled, 16}));
  const auto opened = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stream.open();
  });
  expect(context.enqueue(stream.handle()));  // waits for the run that reads the old weights
  EXPECT_EQ(values(before), (Floats{3, 4}));
  EXPECT_EQ(values(take(context.take_output("y"))), (Floats{6, 8}));
}

/// Each host step reads what lies on the device, and results of the host go there.
TEST(DeviceBorders, PlansThatAreSplitGiveTheSameResults) {
  const std::string_view text = R"(
graph main(%x: f32[n], %k: f32[]) -> (%same, %view, %up, %z, %t) {
  %same: f32[n] = Identity(%x)
  %view: f32[1, n] = Reshape(%x) shape=[[1, n]]
  %a: f32[n] = Pointwise(%x, %k) expr={mul(x0:f32, x1:f32)}
  %up: f32[n] = Transpose(%a) perm=[0]
  %s: f32[1] = Reduce(%up) kind=sum axes=[0] keepdims=true
  %z: f32[n] = Pointwise(%a, %s) expr={add(x0:f32, x1:f32)}
  %t: f32[n] = Pointwise(%z, %x) expr={mul(x0:f32, x1:f32)}
}
)";
  const Floats x = {1, 2, 3};
  const float k = 2;
  const int64_t dims[] = {3};
  for (const char* target : {"mock", "mock_whole"}) {
    const tenon::Engine engine = load(engine_of(text, target));
    auto context = take(engine.create_context());
    const auto x_there = take(engine.to_device({tenon::DType::f32, dims, x.data(), 12}));
    const auto k_there = take(engine.to_device({tenon::DType::f32, {}, &k, 4}));
    expect(context.set_input("x", x_there));
    expect(context.set_input("k", k_there));
    for (const auto kind : {tenon::DeviceKind::mock, tenon::DeviceKind::cpu, tenon::DeviceKind::mock}) {
      for (const auto& info : engine.outputs()) expect(context.place_output(info.name, kind));
      expect(context.run());
      const auto result = [&](const char* name) {
        const auto out = take(context.take_output(name));
        EXPECT_EQ(out.view().device.kind, kind) << name;
        const auto host = take(out.to_host());
        const auto list = host.view().as<float>();
        return Floats(list.begin(), list.end());
      };
      EXPECT_EQ(result("same"), x) << target;
      EXPECT_EQ(result("view"), x) << target;
      EXPECT_EQ(result("up"), (Floats{2, 4, 6})) << target;
      EXPECT_EQ(result("z"), (Floats{14, 16, 18})) << target;
      EXPECT_EQ(result("t"), (Floats{14, 32, 54})) << target;
    }
  }
}

TEST(DeviceBorders, DevicesByName) {
  const auto bytes = engine_of(kSquares, "mock_whole");
  const tenon::Runtime runtime;
  const auto error = [&](const std::string& device) {
    const auto engine = runtime.deserialize(bytes, {.device = device});
    return engine.ok() ? "no error" : engine.error().message;
  };
  EXPECT_THAT(error("abacus"), HasSubstr("there is no device 'abacus'"));
  EXPECT_THAT(error("cuda:x"), HasSubstr("no number behind its colon"));
  EXPECT_THAT(error("cpu:1"), HasSubstr("the host is one"));
  EXPECT_THAT(error("mock:1"), HasSubstr("there is no mock device 1"));
  EXPECT_THAT(error("cuda"), HasSubstr("no plan that runs on cuda:0"));
  EXPECT_EQ(error("mock:0"), "no error");
  EXPECT_EQ(error("cpu"), "no error");
  const auto target = runtime.deserialize(bytes, {.target = "portable", .device = "mock"});
  ASSERT_FALSE(target.ok());
  EXPECT_THAT(target.error().message, HasSubstr("it runs on cpu, mock:0 is wanted"));
}

}  // namespace
