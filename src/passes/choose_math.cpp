// choose_math: products and convolutions whose operands are still FP32 get the mathematics that the build asked for: operands that may be
// rounded to TF32, or no transforms.
#include "ir/rewriter.h"
#include "ops/conv.h"
#include "ops/mat_mul.h"
#include "passes/outer_product.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::Values;

std::optional<Values> with_math(Rewriter& rw, const Node& node, const Math& math) {
  const bool multiplies = node.op.as<ops::MatMul>() || node.op.as<ops::Conv>() || node.op.as<ops::ConvTranspose>();
  if (!multiplies || !fields_equal(node.math, Math()) || rw.is_weight(node.out[0])) return std::nullopt;
  const Fact& x = rw.fact(node.in[0]);
  if (!x.has_rank() || x.dtype() != DType::f32 || is_outer_product(rw, node)) return std::nullopt;
  return rw.emit_op(node.op, node.in, {.outputs = static_cast<int>(node.out.size()), .epilogue = node.epilogue, .math = math});
}

}  // namespace

Result<bool> choose_math(ir::Module& module, const PassCtx& ctx) {
  if (fields_equal(ctx.math, Math())) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(one, Rewriter(module, id).sweep([&](Rewriter& rw, const Node& node) { return with_math(rw, node, ctx.math); }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
