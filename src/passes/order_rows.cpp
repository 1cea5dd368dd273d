// order_rows: a product with weights does not mind the order of its rows. A Transpose in front of the product whose parts attention reads
// moves behind it, and one behind the product that reads attention moves in front: absorb_views makes both the order in which attention
// reads and writes. PyTorch's attention layer turns [batch, time, width] to [time, batch, width] and back around itself.
#include "ir/rewriter.h"
#include "ops/attention.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/pointwise.h"
#include "ops/reshape.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"
#include "passes/order_of_dims.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

constexpr int kMostNodes = 12;

/// Whether each row of the result comes from the same row of input `rows`: a product with weights, arithmetic with what all rows share.
std::optional<size_t> rows_of(const Rewriter& rw, const Node& node) {
  if (!node.epilogue.empty() || node.out.size() != 1) return std::nullopt;
  if (const auto* product = node.op.as<ops::MatMul>()) {
    const Fact& w = rw.fact(node.in[1]);
    const bool plain = !product->trans_a && product->row_norm == engine::RowNorm::none;
    return plain && rw.is_weight(node.in[1]) && w.has_rank() && w.rank() == 2 ? std::optional<size_t>(0) : std::nullopt;
  }
  if (!node.op.as<ops::Pointwise>()) return std::nullopt;
  std::optional<size_t> rows;
  for (size_t i = 0; i < node.in.size(); ++i) {
    const Fact& operand = rw.fact(node.in[i]);
    if (!operand.has_rank()) return std::nullopt;
    if (operand.rank() <= 1) continue;
    if (rows || !(operand.shape() == rw.fact(node.out[0]).shape())) return std::nullopt;
    rows = i;
  }
  return rows;
}

bool orders_rows(const Dims& perm) { return perm.size() > 2 && perm.back() == static_cast<int64_t>(perm.size()) - 1 && !is_identity(perm); }

/// The value with its rows in the order that they had before a Transpose, and that Transpose.
struct Ordered {
  ValueId id;
  Dims perm;
};
std::optional<Ordered> before_order(Rewriter& rw, ValueId id, int depth = 0) {
  const Node* node = depth < kMostNodes ? rw.maker_of(id) : nullptr;
  if (!node || !node->epilogue.empty()) return std::nullopt;
  if (const auto* transpose = node->op.as<ops::Transpose>()) {
    if (!orders_rows(transpose->perm)) return std::nullopt;
    return Ordered{node->in[0], transpose->perm};
  }
  const auto rows = rows_of(rw, *node);
  if (!rows || (depth > 0 && rw.uses(id) != 1)) return std::nullopt;
  const auto before = before_order(rw, node->in[*rows], depth + 1);
  if (!before) return std::nullopt;
  const Node* again = rw.producer_of(id);
  Values in = again->in;
  in[*rows] = before->id;
  return Ordered{rw.emit_op(again->op, std::move(in), {.math = again->math})[0], before->perm};
}

/// Behind the product: `products` are values whose parts attention reads.
std::optional<Values> sink(Rewriter& rw, const Node& node, const std::set<ValueId>& products) {
  if (node.out.size() != 1 || !products.contains(node.out[0]) || !rows_of(rw, node)) return std::nullopt;
  const auto before = before_order(rw, node.out[0]);
  if (!before) return std::nullopt;
  return rw.emit(ops::Transpose{.perm = before->perm}, {before->id});
}

/// The values behind products that attention's operands are parts of.
std::set<ValueId> products_before_attention(const Rewriter& rw) {
  std::set<ValueId> out;
  for (const ir::NodeId id : rw.graph().order) {
    const Node& attention = rw.graph()[id];
    if (!attention.op.as<ops::Attention>()) continue;
    for (size_t i = 0; i < 3; ++i) {
      ValueId at = attention.in[i];
      const Node* node = rw.maker_of(at);
      for (int steps = 0; node && steps < kMostNodes; ++steps) {
        const bool part = node->op.row().view || node->op.as<ops::Transpose>() || node->op.as<ops::Split>() || node->op.as<ops::Slice>() ||
                          node->op.as<ops::Gather>();
        if (!part) break;
        at = node->in[0];
        node = rw.maker_of(at);
      }
      if (node && rows_of(rw, *node)) out.insert(at);
    }
  }
  return out;
}

/// Attention → Transpose → view [t · b, width] → products of rows → view [t, b, width] → Transpose to [b, t, width]: attention writes in
/// that order.
std::optional<Values> hoist(Rewriter& rw, const Node& node) {
  const auto* outer = node.op.as<ops::Transpose>();
  if (!outer || outer->perm != Dims{1, 0, 2} || rw.uses(node.in[0]) != 1) return std::nullopt;
  const Node* view = rw.maker_of(node.in[0]);
  if (!view || !view->op.as<ops::Reshape>() || rw.uses(view->in[0]) != 1) return std::nullopt;
  std::vector<ValueId> chain;  // results of the row-wise nodes, the last first
  ValueId at = view->in[0];
  for (const Node* made = rw.maker_of(at); made && chain.size() < kMostNodes; made = rw.maker_of(at)) {
    const auto rows = rows_of(rw, *made);
    if (!rows || rw.uses(at) != 1 || rw.fact(at).rank() != 2) break;
    chain.push_back(at);
    at = made->in[*rows];
  }
  const Node* heads = chain.empty() || rw.uses(at) != 1 ? nullptr : rw.maker_of(at);
  if (!heads || !heads->op.as<ops::Reshape>() || rw.uses(heads->in[0]) != 1) return std::nullopt;
  const Node* inner = rw.maker_of(heads->in[0]);
  const auto* order = inner ? inner->op.as<ops::Transpose>() : nullptr;
  const Node* attention = order && order->perm == Dims{2, 0, 1, 3} ? rw.maker_of(inner->in[0]) : nullptr;
  if (!attention || !attention->op.as<ops::Attention>()) return std::nullopt;
  const Shape &y = rw.fact(inner->in[0]).shape(), &result = rw.fact(node.out[0]).shape();  // [b, heads, t, width of one]
  if (!(result[0] == y[0]) || !(result[1] == y[2]) || !(rw.fact(at).shape()[1] == y[1] * y[3])) return std::nullopt;
  const ValueId source = inner->in[0];
  ValueId rows = rw.emit(ops::Transpose{.perm = {0, 2, 1, 3}}, {source})[0];
  rows = rw.emit(ops::Reshape{.shape = std::vector<Dim>{y[0], y[2], y[1] * y[3]}}, {rows})[0];
  for (size_t i = chain.size(); i-- > 0;) {
    const Node* again = rw.producer_of(chain[i]);
    const size_t which = *rows_of(rw, *again);
    Values in = again->in;
    in[which] = rows;
    rows = rw.emit_op(again->op, std::move(in), {.math = again->math})[0];
  }
  return Values{rows};
}

}  // namespace

Result<bool> order_rows(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.attention) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    Rewriter rewriter(module, id);
    const std::set<ValueId> products = products_before_attention(rewriter);
    TENON_TRY(one, rewriter.sweep([&](Rewriter& rw, const Node& node) -> std::optional<Values> {
      if (auto hoisted = hoist(rw, node)) return hoisted;
      return sink(rw, node, products);
    }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
