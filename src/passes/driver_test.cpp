#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/row.h"
#include "passes/pipeline.h"

namespace tenon::passes {
namespace {

const Log& quiet() {
  static const Log log([](Severity, std::string_view) {});
  return log;
}

ir::Module module_of(std::string_view text) {
  auto module = ir::parse_module(text, ops::op_table());
  EXPECT_TRUE(module.ok()) << module.error().message();
  return std::move(*module);
}

constexpr std::string_view kChain = "graph g(%x: f32[n]) -> (%y) { %a = Identity(%x) %y = Pointwise(%a) expr={neg(x0:f32)} }";

Result<bool> nothing(ir::Module&, const PassCtx&) { return false; }
Result<bool> break_order(ir::Module& module, const PassCtx&) {
  std::swap(module.main().order[0], module.main().order[1]);
  return true;
}
Result<bool> give_up(ir::Module& module, const PassCtx&) {
  module.main().order.clear();
  return fail("no way");
}
Result<bool> rename_input(ir::Module& module, const PassCtx&) {
  module.main().inputs[0].name += '+';
  return module.main().inputs[0].name.size() < 4;
}

TEST(Driver, WholePipelinesLeaveARightGraph) {
  ir::Module module = module_of(kChain);
  PassCtx ctx{.log = quiet()};
  std::string stages;
  ctx.progress = [&](std::string_view stage, double share) -> Result<void> {
    EXPECT_TRUE(share >= 0 && share < 1);
    stages += std::string(stage) + " ";
    return {};
  };
  ASSERT_TRUE(run_pipeline(module, ctx, portable_pipeline()).ok());
  ASSERT_TRUE(run_pipeline(module, ctx, target_pipeline()).ok());
  EXPECT_TRUE(ir::verify(module).ok());
  EXPECT_EQ(module.main().order.size(), 1u);
  EXPECT_NE(stages.find("place_nodes"), std::string::npos);
}

TEST(Driver, ProgressCanCancel) {
  ir::Module module = module_of(kChain);
  PassCtx ctx{.log = quiet()};
  ctx.progress = [](std::string_view, double) -> Result<void> { return fail(ErrorKind::cancelled, "stop"); };
  const auto done = run_pipeline(module, ctx, portable_pipeline());
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), ErrorKind::cancelled);
}

TEST(Driver, DisabledPassesAndStopAfter) {
  ir::Module module = module_of(kChain);
  ASSERT_TRUE(run_pipeline(module, {.log = quiet(), .disabled = {"simplify_ops"}, .stop_after = "remove_dead"}, portable_pipeline()).ok());
  EXPECT_EQ(module.main().order.size(), 2u);
}

TEST(Driver, RepeatsUntilNothingChanges) {
  ir::Module module = module_of(kChain);
  const Pass passes[] = {{.name = "rename", .run = rename_input, .repeat = true}, {.name = "nothing", .run = nothing, .repeat = true}};
  ASSERT_TRUE(run_pipeline(module, {.log = quiet()}, passes).ok());
  EXPECT_EQ(module.main().inputs[0].name, "x+++");
}

/// A pass that finds out what a body's first value is.
Result<bool> find_size(ir::Module& module, const PassCtx&) {
  ir::Graph& body = module[ir::GraphId{1}];
  body[body[body.order[0]].out[0]].fact.type.shape = Shape{4, 2};
  return true;
}

TEST(Driver, WhatSizesForbidInABranchFailsIfItIsRun) {
  ir::Module module = module_of(
      "graph main(%c: bool[], %x: f32[...]) -> (%y) { %y: f32[...] = If(%c, %x) captures=1 regions=[then, else] }\n"
      "graph then(%a: f32[...]) -> (%r) { %i: f32[...] = Identity(%a) %r: f32[2] = Squeeze(%i) axes=[[1]] }\n"
      "graph else(%b: f32[...]) -> (%s) { %s: f32[...] = Identity(%b) }");
  const Pass passes[] = {{.name = "find_size", .run = find_size}};
  const auto done = run_pipeline(module, {.log = quiet()}, passes);
  ASSERT_TRUE(done.ok()) << done.error().message();
  const ir::Graph& body = module[ir::GraphId{1}];
  const ir::Node& node = body[body.order[1]];
  EXPECT_EQ(node.op.name(), "Impossible");
  EXPECT_TRUE(node.in.empty());
  EXPECT_EQ(body[node.out[0]].fact.shape(), Shape{2}) << "what was said of the result stands";
  HostValue out;
  const auto run = node.op.row().eval(node.op.attributes(), {}, std::span(&out, 1));
  ASSERT_FALSE(run.ok());
  EXPECT_NE(run.error().message().find("the shapes of the model's inputs do not fit here"), std::string::npos) << run.error().message();
}

TEST(Driver, AFailedPassLeavesTheGraphAsItWas) {
  ir::Module module = module_of(kChain);
  const std::string before = ir::to_string(module);
  const Pass passes[] = {{.name = "give_up", .run = give_up}};
  const auto done = run_pipeline(module, {.log = quiet()}, passes);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message(), "pass give_up: no way");
  EXPECT_EQ(ir::to_string(module), before);
}

TEST(Driver, ABrokenGraphGivesAReproducer) {
  ir::Module module = module_of(kChain);
  const std::string before = ir::to_string(module);
  const Pass passes[] = {{.name = "break_order", .run = break_order}};
  const auto done = run_pipeline(module, {.log = quiet()}, passes);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(ir::to_string(module), before);
  const std::string& message = done.error().message();
  EXPECT_NE(message.find("pass break_order broke the graph: graph 'g': "), std::string::npos) << message;
  const size_t at = message.rfind(' ') + 1;
  const auto text = read_text(message.substr(at));
  ASSERT_TRUE(text.ok()) << message;
  EXPECT_EQ(*text, "# tenon pass: break_order\n" + before);
  std::filesystem::remove(message.substr(at));
}

TEST(Driver, ReplaysAReproducer) {
  const auto after = replay(strf("# tenon pass: simplify_ops\n{}", kChain), ops::op_table(), {.log = quiet()});
  ASSERT_TRUE(after.ok()) << after.error().message();
  EXPECT_EQ(after->main().order.size(), 1u);
  EXPECT_FALSE(replay("graph g() -> () {}", ops::op_table(), {.log = quiet()}).ok());
  EXPECT_FALSE(replay("# tenon pass: nothing\ngraph g() -> () {}", ops::op_table(), {.log = quiet()}).ok());
}

// The text form gives these words a meaning of its own.
TEST(Driver, NoOperatorHasAFieldWithAReservedName) {
  for (const OpRow& row : ops::op_table())
    for (const FieldRow& field : row.attributes->fields)
      for (const std::string_view name : {"epilogue", "math", "device", "regions", "origins"}) EXPECT_NE(field.name, name) << row.name;
}

}  // namespace
}  // namespace tenon::passes
