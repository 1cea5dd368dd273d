// One engine, many threads: each with a context of its own, all results equal to the bit.
#include <atomic>
#include <thread>

#include "tests/fault/support.h"

namespace tenon {
namespace {

constexpr int kThreads = 4, kRuns = 12;

Tensor ramp(DType dtype, const Dims& dims) {
  auto wide = Tensor::allocate(DType::f32, dims);
  EXPECT_TRUE(wide.ok());
  for (int64_t i = 0; i < wide->elems(); ++i) wide->as<float>()[static_cast<size_t>(i)] = static_cast<float>(i % 17) / 8 - 1;
  auto out = convert(*wide, dtype);
  EXPECT_TRUE(out.ok());
  return std::move(*out);
}

/// The bytes of all outputs of one run; empty where it failed.
std::vector<Bytes> run(runtime::Context& context, const std::vector<HostValue>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!context.set_input(i, inputs[i]).ok()) return {};
  if (!context.run().ok()) return {};
  std::vector<Bytes> out;
  for (size_t i = 0; i < context.engine().plan().main.outputs.size(); ++i) {
    const ByteView bytes = context.output(i).tensor.view();
    out.emplace_back(bytes.begin(), bytes.end());
  }
  return out;
}

class Threads : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Threads, OneEngineEqualResults) {
  const auto [model, target] = GetParam();
  const auto engine = load(small_engine(model, target), target);
  ASSERT_TRUE(engine);
  const std::vector<std::vector<HostValue>> inputs = {data_set(model, 0), data_set(model, 1)};
  std::vector<std::vector<Bytes>> wanted;
  for (const auto& list : inputs) {
    auto context = runtime::Context::create(engine);
    ASSERT_TRUE(context.ok());
    wanted.push_back(run(**context, list));
    ASSERT_FALSE(wanted.back().empty()) << "the model does not run";
  }
  std::atomic<int> different = 0, done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      auto context = runtime::Context::create(engine);
      if (!context.ok()) return;
      for (int i = 0; i < kRuns; ++i) {
        const size_t which = static_cast<size_t>(t + i) % 2;  // shapes change under way
        different += run(**context, inputs[which]) != wanted[which];
        ++done;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRuns);
  EXPECT_EQ(different, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, Threads,
                         testing::Values(std::pair{"cnn_residual", "cpu"}, std::pair{"dynamic_shapes", "cpu"}, std::pair{"lstm", "cpu"},
                                         std::pair{"loop_accumulate", "cpu"}, std::pair{"dynamic_shapes", "mock"},
                                         std::pair{"cnn_residual", "portable"}),
                         [](const auto& info) { return std::string(info.param.first) + "_" + info.param.second; });

TEST(ThreadsRefit, RunsSeeTheOldWeightsOrTheNew) {
  const auto engine = load(small_engine("cnn_residual"));
  ASSERT_TRUE(engine);
  const engine::Blob* root = nullptr;
  for (const engine::Blob& blob : engine->image().blobs)
    if (blob.root && blob.data.dtype == DType::f32 && blob.data.rank() == 4) root = &blob;
  ASSERT_TRUE(root) << "the model has no convolution weight";
  const std::string name = root->name;
  Tensor old_weight = ramp(DType::f32, root->data.dims), new_weight = ramp(DType::f32, root->data.dims);
  for (float& x : new_weight.as<float>()) x *= -0.5F;

  const auto inputs = data_set("cnn_residual", 0);
  const auto result = [&] {
    auto context = runtime::Context::create(engine);
    return context.ok() ? run(**context, inputs) : std::vector<Bytes>();
  };
  ASSERT_TRUE(engine->refit(name, old_weight).ok());
  const auto before = result();
  ASSERT_TRUE(engine->refit(name, new_weight).ok());
  const auto after = result();
  ASSERT_FALSE(before.empty());
  ASSERT_NE(before, after) << "the weight has no effect";

  std::atomic<bool> stop = false;
  std::atomic<int> torn = 0, runs = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads - 1; ++t)
    threads.emplace_back([&] {
      auto context = runtime::Context::create(engine);
      if (!context.ok()) return;
      while (!stop) {
        const auto now = run(**context, inputs);
        torn += now != before && now != after;
        ++runs;
      }
    });
  for (int i = 0; i < 2 * kRuns || runs < kThreads; ++i) EXPECT_TRUE(engine->refit(name, i % 2 ? new_weight : old_weight).ok());
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(runs, 0);
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace tenon
