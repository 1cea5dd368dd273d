#include "engine/file.h"

#include <gtest/gtest.h>

namespace tenon::engine {
namespace {

Plan small_plan(std::string target) {
  Plan plan{.target = std::move(target), .devices = {"cpu"}, .weights = {{.blob = "w"}}};
  const ValueType type = ValueType::tensor(DType::f32, Shape{Dim::symbol("n"), 2});
  plan.main.buffers = {{.name = "x", .kind = BufferKind::input, .index = 0},
                       {.name = "w", .kind = BufferKind::weight, .index = 0},
                       {.name = "y", .kind = BufferKind::output, .index = 0}};
  plan.main.inputs = {{"x", type, {.buffer = 0, .type = type}}};
  plan.main.outputs = {{"y", type, {.buffer = 2, .type = type}}};
  Expr expr;
  expr.results = {expr.add(Fn::add, expr.add_input(0, DType::f32), expr.add_input(1, DType::f32))};
  Step step{.name = "add", .problem = PointwiseProblem{expr, {type.shape, Shape{2}}, type.shape}};
  step.in = {{.buffer = 0, .type = type}, {.buffer = 1, .type = ValueType::tensor(DType::f32, Shape{2})}};
  step.out = {{.buffer = 2, .type = type}};
  step.variants = {{.kernel = {.launches = {{.code = {.name = "reference"}}}}}};
  plan.main.segments = {{.steps = {step}}};
  return plan;
}

Image small_image() {
  const float w[] = {1, 2};
  Image image{.graph = "graph", .report = "{}"};
  image.blobs = {{"w", true, make_tensor<float>(DType::f32, {2}, w)}};
  image.plans = {small_plan("cpu"), small_plan("portable")};
  return image;
}

TEST(EngineFile, ReadsBackWhatWasWritten) {
  const auto bytes = write_engine(small_image());
  ASSERT_TRUE(bytes.ok());
  const auto again = write_engine(small_image());
  EXPECT_EQ(*bytes, *again) << "the bytes are no function of the image";
  const auto image = read_engine(*bytes, nullptr, {.verify_weights = true});
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->graph, "graph");
  ASSERT_EQ(image->plans.size(), 2u);
  EXPECT_TRUE(fields_equal(image->plans[0], small_plan("cpu")));
  ASSERT_EQ(image->blobs.size(), 1u);
  EXPECT_EQ(image->blobs[0].data.as<float>()[1], 2);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(image->blobs[0].data.data - reinterpret_cast<uintptr_t>(bytes->data())) % 64, 0u);
}

TEST(EngineFile, EveryTruncationIsAnError) {
  const auto bytes = write_engine(small_image());
  ASSERT_TRUE(bytes.ok());
  for (size_t n = 0; n < bytes->size(); ++n) {
    const auto image = read_engine(ByteView(*bytes).first(n), nullptr);
    ASSERT_FALSE(image.ok()) << n;
    EXPECT_EQ(image.error().kind(), ErrorKind::bad_engine);
  }
}

TEST(EngineFile, EveryFlippedMetadataBitIsSeen) {
  const auto bytes = write_engine(small_image());
  ASSERT_TRUE(bytes.ok());
  const auto sections = list_sections(*bytes);
  ASSERT_TRUE(sections.ok());
  for (const SectionInfo& section : *sections) {
    if (section.name == "data") continue;
    for (uint64_t i = 0; i < section.bytes; ++i) {
      Bytes broken = *bytes;
      broken[section.offset + i] ^= std::byte{0x10};
      EXPECT_FALSE(read_engine(broken, nullptr).ok()) << section.name << " byte " << i;
    }
  }
}

TEST(EngineFile, DamagedWeightsAreSeenWhenAsked) {
  auto bytes = write_engine(small_image());
  ASSERT_TRUE(bytes.ok());
  const auto sections = list_sections(*bytes);
  ASSERT_TRUE(sections.ok());
  (*bytes)[sections->back().offset] ^= std::byte{1};
  EXPECT_TRUE(read_engine(*bytes, nullptr).ok());
  EXPECT_FALSE(read_engine(*bytes, nullptr, {.verify_weights = true}).ok());
}

TEST(EngineFile, AStaleTargetIsReportedAndThePortablePlanStays) {
  Image image = small_image();
  image.plans[0].main.segments[0].steps[0].device = 7;  // invalid: stands for a plan of another version
  const auto bytes = write_engine(image);
  ASSERT_TRUE(bytes.ok());
  std::vector<StalePlan> stale;
  const auto read = read_engine(*bytes, nullptr, {}, &stale);
  ASSERT_TRUE(read.ok()) << read.error().message();
  ASSERT_EQ(stale.size(), 1u);
  EXPECT_EQ(stale[0].target, "cpu");
  EXPECT_NE(stale[0].why.find("device 7"), std::string::npos) << stale[0].why;
}

TEST(Plan, BytesOfNestedRegions) {
  Plan plan = small_plan("portable");
  for (int level = 0; level < 64; ++level) {  // as many as validate() lets pass
    Body outer;
    outer.segments.push_back({.region = {{.name = "loop", .kind = RegionKind::loop, .bodies = {std::move(plan.main)}}}});
    plan.main = std::move(outer);
  }
  const auto back = from_bytes<Plan>(to_bytes(plan));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(to_string(*back), to_string(plan));
}

TEST(Plan, ValidateRefusesWhatTheRuntimeMustNotSee) {
  const auto refuse = [](auto change, std::string_view why) {
    Plan plan = small_plan("portable");
    change(plan);
    const auto valid = validate(plan);
    ASSERT_FALSE(valid.ok()) << why;
    EXPECT_NE(valid.error().message().find(why), std::string::npos) << valid.error().message();
  };
  refuse([](Plan& p) { p.main.segments[0].steps[0].in[0].buffer = 9; }, "names buffer 9");
  refuse([](Plan& p) { p.main.segments[0].steps[0].out[0].buffer = 1; }, "writes to an input or a weight");
  refuse([](Plan& p) { p.main.segments[0].steps[0].variants.clear(); }, "has no kernel");
  refuse([](Plan& p) { p.main.segments[0].steps[0].waits = {4}; }, "waits for step 4");
  refuse([](Plan& p) { p.weights[0].blob.clear(); }, "preparation");
  refuse([](Plan& p) { p.main.buffers[2].space = 1; }, "out of range");
  refuse([](Plan& p) { p.devices.clear(); }, "no device");
}

}  // namespace
}  // namespace tenon::engine
