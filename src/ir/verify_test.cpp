#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/test_ops.h"
#include "ir/text.h"

namespace tenon::ir {
namespace {

Module good() {
  auto module = parse_module(
      "symbols n in [4, 64] root \"w\": f32[2] graph main(%x: f32[n, 2], %c: bool[]) -> (%y, %z) { %w: f32[2] = root \"w\" %a = Unary(%x, "
      "%w) "
      "epilogue={add(x0:f32, x1:f32)} %y = Branch(%c, %a) regions=[t, e] %z = Join(%y, _, %w) }"
      "graph t(%x: f32[n, 2]) -> (%y) { %y = Unary(%x) } graph e(%x: f32[n, 2]) -> (%x) {}",
      test_ops::table());
  EXPECT_TRUE(module.ok()) << module.error().message();
  return std::move(*module);
}

/// The verifier's words after `damage`.
template <class F>
std::string after(F damage) {
  Module module = good();
  damage(module, module.main());
  const auto result = verify(module);
  return result.ok() ? "" : result.error().message();
}
constexpr NodeId kUnary{0}, kBranch{1}, kJoin{2};

TEST(Verify, AcceptsAGoodModule) {
  EXPECT_EQ(after([](Module&, Graph&) {}), "");
}

TEST(Verify, NamesWhatIsWrong) {
  const auto says = [](std::string_view what, const std::string& found) { EXPECT_NE(found.find(what), std::string::npos) << found; };
  says("has no graph", after([](Module& m, Graph&) { m.graphs.clear(); }));
  says("the order names node 99", after([](Module&, Graph& g) { g.order.push_back(NodeId{99}); }));
  says("twice", after([](Module&, Graph& g) { g.order.push_back(kJoin); }));
  says("Join (%z) is not in the order", after([](Module&, Graph& g) { g.order.pop_back(); }));
  says("not an output of the node", after([](Module&, Graph& g) { g[kJoin] = Node{}; }));
  says("used before it is made", after([](Module&, Graph& g) { std::swap(g.order[0], g.order[1]); }));
  says("the id 77 of no value", after([](Module&, Graph& g) { g[kJoin].in[0] = ValueId{77}; }));
  says("not an output of the node it names", after([](Module&, Graph& g) { g[g[kJoin].out[0]].producer = kUnary; }));
  says("two inputs are named 'x'", after([](Module&, Graph& g) { g.inputs[1].name = "x"; }));
  says("two outputs are named 'y'", after([](Module&, Graph& g) { g.outputs[1].name = "y"; }));
  says("the output 'y' has no value", after([](Module&, Graph& g) { g.outputs[0].value = ValueId::none; }));
  says("no root 'v'", after([](Module&, Graph& g) { g[g[kJoin].in[2]].root = "v"; }));
  says("two roots", after([](Module& m, Graph&) { m.roots.push_back(m.roots[0]); }));
  says("region of two nodes", after([](Module&, Graph& g) { g[kBranch].regions[1] = g[kBranch].regions[0]; }));
  says("region 9 does not exist", after([](Module&, Graph& g) { g[kBranch].regions[1] = GraphId{9}; }));
  says("takes no regions", after([](Module& m, Graph& g) { g[kJoin].regions.push_back(m.add_graph("more")); }));
  says("takes 1 inputs, gets 2", after([](Module&, Graph& g) { g[kBranch].in.push_back(g[kBranch].in[1]); }));
  says("operator takes no epilogue", after([](Module&, Graph& g) { g[kJoin].epilogue = g[kUnary].epilogue; }));
  says("wants f64", after([](Module&, Graph& g) {
         g[kUnary].epilogue = Expr();
         g[kUnary].epilogue.results = {g[kUnary].epilogue.add_cast(g[kUnary].epilogue.add_input(1, DType::f64), DType::f32)};
       }));
  says("stands as f16[n, 2]", after([](Module&, Graph& g) { g[g[kUnary].out[0]].fact.type.dtype = DType::f16; }));
  says("stands as f32[3, 2]", after([](Module&, Graph& g) { g[g[kUnary].out[0]].fact.type.shape[0] = Dim(3); }));
  says("", after([](Module&, Graph& g) { g[g[kUnary].out[0]].fact.type.shape[0] = Dim(5); }));
}

}  // namespace
}  // namespace tenon::ir
