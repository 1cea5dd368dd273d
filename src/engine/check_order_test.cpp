// Every way in which a plan may lose its order, one change of a good plan each: it is reported with the step's name.
#include "engine/check_order.h"

#include <gtest/gtest.h>

#include <functional>

namespace tenon::engine {
namespace {

DeviceFacts gpu_facts() {
  DeviceFacts out;
  out.arch = "sm_90";
  out.units = 2;
  return out;
}

const ValueType kType = ValueType::tensor(DType::f32, Shape{4, 4});

Operand in_buffer(int64_t buffer) { return {.buffer = buffer, .type = kType}; }

/// A kernel of the file with an argument for each operand.
Launch device_launch(std::string name, size_t operands) {
  Launch out{.code = {.name = std::move(name), .module = 0, .arch = "sm_90"}};
  out.code.has_wait = true;
  out.code.parameter_bytes = static_cast<int64_t>(8 * operands);
  out.grid = {Dim(8)};
  out.block = {Dim(128)};
  out.mode = LaunchMode::dependent;
  out.args.resize(8 * operands);
  for (size_t i = 0; i < operands; ++i) out.relocs.push_back({.offset = static_cast<int64_t>(8 * i), .index = static_cast<int64_t>(i)});
  return out;
}

/// x → copy up → product with w → relu → copy down → negate on the host → copy up → relu2 → copy down → y.
/// Host buffers: down [3, 4], negated [4, 5], later [8, 8].
Plan good_plan() {
  Plan plan{.target = "sm_90", .devices = {"cpu", "cuda"}, .weights = {{.blob = "w"}}, .modules = {{.arch = "sm_90", .blob = "#code"}}};
  const auto arena = [](std::string name, int64_t space, int64_t first, int64_t last) {
    return Buffer{.name = std::move(name), .space = space, .bytes = 64, .first = first, .last = last};
  };
  Body& body = plan.main;
  body.buffers = {{.name = "x", .kind = BufferKind::input, .index = 0},               // 0
                  {.name = "w", .kind = BufferKind::weight, .space = 1, .index = 0},  // 1
                  {.name = "y", .kind = BufferKind::output, .index = 0},              // 2
                  arena("up", 1, 0, 1),
                  arena("product", 1, 1, 2),
                  arena("relu", 1, 2, 3),
                  arena("down", 0, 3, 4),     // 6
                  arena("negated", 0, 4, 7),  // 7: until something waits for the copy up
                  arena("up2", 1, 5, 6),
                  arena("relu2", 1, 6, 7),
                  arena("down2", 0, 7, 8)};  // 10
  body.inputs = {{"x", kType, in_buffer(0)}};
  body.outputs = {{"y", kType, in_buffer(2)}};
  const auto step = [](std::string name, int64_t device, std::vector<int64_t> in, int64_t out) {
    Step made{.name = std::move(name), .device = device, .problem = TransferProblem{64}, .out = {in_buffer(out)}};
    for (const int64_t buffer : in) made.in.push_back(in_buffer(buffer));
    made.variants = {{.kernel = {.launches = {{.code = {.name = "copy"}}}}}};
    return made;
  };
  const auto pointwise = [&](Step made) {
    Expr expr;
    expr.results = {expr.add(Fn::neg, expr.add_input(0, DType::f32))};
    made.problem = PointwiseProblem{expr, {kType.shape}, kType.shape};
    made.variants[0].kernel.launches[0] = made.device == 0 ? Launch{.code = {.name = "reference"}} : device_launch("k" + made.name, 2);
    return made;
  };
  Step product = step("product", 1, {3, 1}, 4);
  product.problem = GemmProblem{.m = 4, .n = 4, .k = 4, .b_static = true};
  product.variants[0].kernel = {.launches = {device_launch("kproduct", 3)}};
  Step negate = pointwise(step("negate", 0, {6}, 7)), last = pointwise(step("last", 0, {10}, 2));
  negate.waits = {3}, last.waits = {7};
  body.segments = {{.steps = {step("copy x", 1, {0}, 3), product, pointwise(step("relu", 1, {4}, 5)), step("copy relu", 1, {5}, 6)}},
                   {.steps = {negate}},
                   {.steps = {step("copy negated", 1, {7}, 8), pointwise(step("relu2", 1, {8}, 9)), step("copy relu2", 1, {9}, 10)}},
                   {.steps = {last}}};
  return plan;
}

Step& step_of(Plan& plan, size_t segment, size_t step) { return plan.main.segments[segment].steps[step]; }
Launch& launch_of(Plan& plan, size_t segment, size_t step) { return step_of(plan, segment, step).variants[0].kernel.launches[0]; }

TEST(DeviceFacts, WhatRunsOnWhat) {
  EXPECT_TRUE(runs_on("sm_90", "sm_90"));
  EXPECT_FALSE(runs_on("sm_80", "sm_86"));
  for (const char* gpu : {"sm_80", "sm_89", "sm_100", "sm_120"}) EXPECT_TRUE(runs_on("compute_80", gpu)) << gpu;
  for (const char* gpu : {"sm_75", ""}) EXPECT_FALSE(runs_on("compute_80", gpu)) << gpu;
  for (const char* arch : {"sm_90", "sm_90a", "sm_120"}) EXPECT_TRUE(has_dependent_launch(arch)) << arch;
  for (const char* arch : {"sm_80", "compute_80", "compute_90", ""}) EXPECT_FALSE(has_dependent_launch(arch)) << arch;
}

TEST(CheckOrder, AGoodPlanPasses) {
  const Plan plan = good_plan();
  const auto valid = validate(plan);
  ASSERT_TRUE(valid.ok()) << valid.error().message();
  const DeviceFacts facts[] = {{}, gpu_facts()};
  const auto ordered = check_order(plan, facts);
  EXPECT_TRUE(ordered.ok()) << ordered.error().message();
}

/// The plan stays valid, and the error says `why` of the step `who`.
void reports(const std::function<void(Plan&)>& change, std::string_view who, std::string_view why) {
  Plan plan = good_plan();
  change(plan);
  const auto valid = validate(plan);
  ASSERT_TRUE(valid.ok()) << why << ": " << valid.error().message();
  const DeviceFacts facts[] = {{}, gpu_facts()};
  const auto ordered = check_order(plan, facts);
  ASSERT_FALSE(ordered.ok()) << why;
  EXPECT_EQ(ordered.error().kind(), ErrorKind::bad_engine);
  EXPECT_NE(ordered.error().message().find(strf("step '{}' ", who)), std::string::npos) << ordered.error().message();
  EXPECT_NE(ordered.error().message().find(why), std::string::npos) << ordered.error().message();
}

TEST(CheckOrder, DependentLaunches) {
  reports([](Plan& p) { launch_of(p, 0, 1).code.has_wait = false; }, "product", "'kproduct' does not wait");
  reports([](Plan& p) { launch_of(p, 0, 2).cooperative = true; }, "relu", "all its blocks at once");
  reports([](Plan& p) { launch_of(p, 2, 1).grid = {Dim(3), Dim(3)}; }, "relu2", "with 9 blocks, 8 are the most");
  reports([](Plan& p) { launch_of(p, 0, 1).grid = {Dim::symbol("n")}; }, "product", "only a run knows (n)");
  const auto up_to = [](int64_t blocks) {
    return [blocks](Plan& p) { launch_of(p, 0, 1).grid = {Dim::symbol("n")}, launch_of(p, 0, 1).most_blocks = blocks; };
  };
  reports(up_to(9), "product", "with up to 9 blocks, 8 are the most");
  reports(up_to(-1), "product", "only a run knows (n)");
  Plan plan = good_plan();
  up_to(8)(plan);
  const DeviceFacts facts[] = {{}, gpu_facts()};
  EXPECT_TRUE(check_order(plan, facts).ok());
  const auto for_80 = [](Plan& p) {
    p.modules[0].arch = "sm_80";
    for (const auto& [segment, step] : {std::pair(0, 1), std::pair(0, 2), std::pair(2, 1)})
      launch_of(p, static_cast<size_t>(segment), static_cast<size_t>(step)).code.arch = "sm_80";
  };
  reports(for_80, "product", "launched dependently, which sm_80 lacks");
  reports(
      [](Plan& p) {
        p.modules.push_back({.arch = "compute_80", .blob = "#ptx"});
        Launch& launch = launch_of(p, 0, 1);
        launch.code.module = 1, launch.code.arch = "compute_80", launch.mode = LaunchMode::plain, launch.cluster = {Dim(2)};
      },
      "product", "has clusters, which compute_80 lacks");
}

TEST(CheckOrder, CodeAndArguments) {
  reports([](Plan& p) { launch_of(p, 0, 1).code.module = 1; }, "product", "names module 1 of 1");
  reports([](Plan& p) { launch_of(p, 0, 1).code.arch = "sm_90a"; }, "product", "code for 'sm_90a' in a module for 'sm_90'");
  reports([](Plan& p) { launch_of(p, 0, 1).args.resize(16); }, "product", "16 bytes of arguments for a kernel of 24");
  reports([](Plan& p) { launch_of(p, 0, 1).relocs[2].offset = 20; }, "product", "an argument at byte 20 of 24");
  reports([](Plan& p) { launch_of(p, 0, 1).relocs[2].index = 3; }, "product", "names arena 3");
  reports([](Plan& p) { launch_of(p, 0, 1).relocs[2].kind = RelocKind::workspace; }, "product", "names workspace 2");
  reports([](Plan& p) { launch_of(p, 0, 1).relocs[2].kind = RelocKind::run_counter; }, "product", "of kind run_counter");
}

TEST(CheckOrder, ConstantsAndSpaces) {
  reports([](Plan& p) { step_of(p, 0, 1).in[1].buffer = 3; }, "product", "no weight of the plan");
  reports([](Plan& p) { step_of(p, 1, 0).in[0].buffer = 5, p.main.buffers[5].last = 4; }, "negate", "touches memory of device 1");
  reports([](Plan& p) { step_of(p, 0, 2).out[0].buffer = 6, p.main.buffers[6].first = 2; }, "relu", "touches memory of device 0");
}

TEST(CheckOrder, WritesToConstantsAreNotValidAtAll) {
  Plan plan = good_plan();
  step_of(plan, 0, 1).out[0].buffer = 1;
  const auto valid = validate(plan);
  ASSERT_FALSE(valid.ok());
  EXPECT_NE(valid.error().message().find("product writes to an input or a weight"), std::string::npos) << valid.error().message();
}

TEST(CheckOrder, HostAndDevice) {
  reports([](Plan& p) { step_of(p, 1, 0).waits.clear(); }, "negate", "reads what 'copy relu' writes and does not wait for it");
  reports([](Plan& p) { step_of(p, 1, 0).waits = {2}; }, "negate", "reads what 'copy relu' writes and does not wait for it");
  reports([](Plan& p) { step_of(p, 3, 0).waits = {6}; }, "last", "reads what 'copy relu2' writes");
  // The copy up may still read `negated` when the host writes what the solver puts there.
  reports(
      [](Plan& p) {
        p.main.buffers[7].last = 5;
        p.main.buffers.push_back({.name = "more", .bytes = 64, .first = 6, .last = 9});
        Step more = step_of(p, 1, 0);
        more.name = "more", more.waits.clear();
        more.in = {in_buffer(0)}, more.out = {in_buffer(11)};
        Segment segment{.steps = {more}};
        p.main.segments[2].steps.resize(1);
        p.main.segments[3].steps.clear();
        p.main.segments.push_back(segment);
        for (size_t i : {9U, 10U}) p.main.buffers[i].first = p.main.buffers[i].last = 6;
        p.main.buffers[8].last = 6, p.main.buffers[11].last = 6;
      },
      "more", "touches 'more', which may lie where 'negated' lay, and does not wait for 'copy negated'");
  // In place on the host, while the copy up may still read.
  reports(
      [](Plan& p) {
        p.main.buffers[7].alias = 7;
        p.main.buffers.push_back({.name = "again", .bytes = 64, .first = 5, .last = 8, .alias = 7});
        Step again = step_of(p, 1, 0);
        again.name = "again", again.waits.clear();
        again.in = {in_buffer(7)}, again.out = {in_buffer(11)};
        p.main.segments[2].steps[1] = again;
      },
      "again", "writes what 'copy negated' reads and does not wait for it");
}

TEST(CheckOrder, BodiesOfRegions) {
  Plan plan = good_plan();
  Body inner = plan.main;
  inner.segments[1].steps[0].waits.clear();
  Region region{.name = "loop", .kind = RegionKind::scan, .in = {in_buffer(0)}, .out = {in_buffer(2)}, .bodies = {inner}};
  plan.main.segments = {{.region = {region}}};
  for (Buffer& buffer : plan.main.buffers) buffer.first = buffer.last = 0;
  const auto valid = validate(plan);
  ASSERT_TRUE(valid.ok()) << valid.error().message();
  const auto ordered = check_order(plan);
  ASSERT_FALSE(ordered.ok());
  EXPECT_NE(ordered.error().message().find("step 'negate'"), std::string::npos) << ordered.error().message();
}

}  // namespace
}  // namespace tenon::engine
