#include "ir/rewriter.h"

#include <gtest/gtest.h>

#include "ir/test_ops.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace tenon::ir {
namespace {

using test_ops::Branch;
using test_ops::Join;
using test_ops::Unary;

/// The text after the rules, without what the test did not ask about.
std::string rewritten(std::string_view text, std::span<const RuleRow> rules, std::string* warnings = nullptr) {
  auto module = parse_module(text, test_ops::table());
  if (!module.ok()) return module.error().message();
  const Log log([&](Severity, std::string_view message) {
    if (warnings) *warnings += message;
  });
  const auto done = apply_rules(*module, rules, log);
  if (!done.ok()) return done.error().message();
  const auto verified = verify(*module);
  return verified.ok() ? to_string(*module) : "verify: " + verified.error().message();
}
std::string canonical(std::string_view text) { return to_string(*parse_module(text, test_ops::table())); }

std::optional<Values> merge_unary(Rewriter& rw, const Node& outer) {
  const Node* inner = rw.producer<Unary>(outer.in[0]);
  if (!inner) return std::nullopt;
  return rw.emit(Unary{.alpha = inner->op.as<Unary>()->alpha + outer.op.as<Unary>()->alpha}, {inner->in[0]});
}
std::optional<Values> drop_zero(Rewriter&, const Node& node) {
  if (node.op.as<Unary>()->alpha != 0) return std::nullopt;
  return Values{node.in[0]};
}
constexpr RuleRow kRules[] = {{"drop_zero", "Unary", drop_zero}, {"merge_unary", "Unary", merge_unary}};

TEST(Rewriter, MergesChainsWithOriginsAndNames) {
  EXPECT_EQ(rewritten("graph g(%x: f32[n]) -> (%y) { %a = Unary(%x) alpha=1 origins=[\"a:U\"] %b = Unary(%a) alpha=2 origins=[\"b:U\"]"
                      " %y = Unary(%b) alpha=3 origins=[\"y:U\"] }",
                      kRules),
            canonical("graph g(%x: f32[n]) -> (%y) { %y = Unary(%x) alpha=6 origins=[\"a:U\", \"b:U\", \"y:U\"] }"));
}

TEST(Rewriter, KeepsWhatOthersUse) {
  EXPECT_EQ(
      rewritten("graph g(%x: f32[n]) -> (%y, %a) { %a = Unary(%x) alpha=1 origins=[\"a:U\"] %y = Unary(%a) alpha=2 origins=[\"y:U\"] }",
                kRules),
      canonical("graph g(%x: f32[n]) -> (%y, %a) { %a = Unary(%x) alpha=1 origins=[\"a:U\"] %y = Unary(%x) alpha=3 origins=[\"y:U\"] }"));
}

TEST(Rewriter, OutputsMayBecomeInputs) {
  EXPECT_EQ(rewritten("graph g(%x: f32[n]) -> (%y) { %y = Unary(%x) }", kRules), canonical("graph g(%x: f32[n]) -> (%x as \"y\") {}"));
}

TEST(Rewriter, HidesFusedNodes) {
  const std::string text = canonical(
      "graph g(%x: f32[n]) -> (%y) { %a = Unary(%x) alpha=1 epilogue={relu(x0:f32)} %b = Unary(%a) alpha=2 %y = Unary(%b) "
      "math={operand_rounding=f16} }");
  EXPECT_EQ(rewritten(text, kRules), text);
}

std::optional<Values> inline_branch(Rewriter& rw, const Node& node) {
  const Tensor* condition = rw.constant_of(node.in[0]);
  if (!condition) return std::nullopt;
  return rw.inline_region(node.regions[element_as_int(*condition, 0) ? 0 : 1], Values(node.in.begin() + 1, node.in.end()));
}
constexpr RuleRow kInline[] = {{"inline_branch", "Branch", inline_branch}};

TEST(Rewriter, InlinesRegionsAndPassesBetterFactsOn) {
  EXPECT_EQ(rewritten("graph g(%x: f32[n, 3]) -> (%y, %z) { %c: bool[] = constant [false] %b: f32[k, 3] = Branch(%c, %x) regions=[t, e] "
                      "%z: f32[k, 3] = "
                      "Unary(%b) %y: f32[k, 3] = Join(%b) }"
                      "graph t(%x: f32[k, 3]) -> (%y) { %y = Unary(%x) } graph e(%x: f32[k, 3]) -> (%y) {"
                      "%c: bool[] = constant [true] %p = Branch(%c, %x) regions=[u, v] %w = Unary(%p) alpha=4 %y = Join(%w, %c) }"
                      "graph u(%x: f32[k, 3]) -> (%x) {} graph v(%x: f32[k, 3]) -> (%x) {}",
                      kInline),
            canonical("graph g(%x: f32[n, 3]) -> (%y.1 as \"y\", %z) { %w = Unary(%x) alpha=4 %c: bool[] = constant [true] %y = Join(%w, "
                      "%c) %z = Unary(%y)"
                      "%y.1 = Join(%y) }"));
}

std::optional<Values> flip(Rewriter& rw, const Node& node) { return rw.emit(Unary{.alpha = -node.op.as<Unary>()->alpha}, {node.in[0]}); }
std::optional<Values> refused(Rewriter& rw, const Node&) { return rw.emit(Unary{}, {}); }
std::optional<Values> retyped(Rewriter& rw, const Node&) { return Values{rw.constant(int64_tensor({1}))}; }
std::optional<Values> given_up(Rewriter& rw, const Node& node) {
  rw.emit(Unary{.alpha = 1}, {node.in[0]});
  return std::nullopt;
}

TEST(Rewriter, WrongRulesAreReported) {
  const std::string text = "graph g(%x: f32[n]) -> (%y) { %y = Unary(%x) alpha=1 origins=[\"conv:U\"] }";
  std::string warnings;
  const RuleRow flips[] = {{"flip", "Unary", flip}}, refuses[] = {{"refuse", "", refused}}, retypes[] = {{"retype", "", retyped}};
  const RuleRow gives_up[] = {{"give_up", "Unary", given_up}};
  rewritten(text, flips, &warnings);
  EXPECT_NE(warnings.find("did not settle in 64 rounds, the rule 'flip'"), std::string::npos) << warnings;
  EXPECT_EQ(rewritten(text, refuses), "rule 'refuse': Unary 'conv': emitting Unary: 0 inputs, wanted at least 1");
  EXPECT_EQ(rewritten(text, retypes), "rule 'retype': Unary 'conv': the rule gives a value of type i64[1] for output 0 of type f32[n]");
  EXPECT_EQ(rewritten(text, gives_up), canonical(text));
}

TEST(Rewriter, KnowsWeights) {
  auto module = parse_module(
      "root \"w\": f32[2] graph g(%x: f32[2]) -> (%b, %d) { %w: f32[2] = root \"w\" %c: f32[2] = constant [1, 2] %a = Join(%w, %c) %b = "
      "Unary(%a) %d = Join(%b, %x) }",
      test_ops::table());
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Rewriter rw(*module, GraphId{0});
  const Graph& graph = module->main();
  EXPECT_TRUE(rw.is_weight(graph.outputs[0].value));
  EXPECT_FALSE(rw.is_weight(graph.outputs[1].value));
  EXPECT_FALSE(rw.is_weight(graph.inputs[0].value));
  EXPECT_EQ(rw.uses(graph.outputs[0].value), 2);
  EXPECT_TRUE(rw.is_output(graph.outputs[0].value));
}

}  // namespace
}  // namespace tenon::ir
