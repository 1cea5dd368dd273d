// recognise_squeeze_excite: the mean of each channel, two convolutions of that one pixel with what follows them: a gate of channels,
// which is one kernel. Behind use_channels_last and fuse_pointwise.
#include "ir/rewriter.h"
#include "ops/conv.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/squeeze_excite.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

/// A matrix product of one pixel's channels: w as a matrix, its bias or zeros.
struct Layer {
  ValueId x = ValueId::none, w = ValueId::none, b = ValueId::none;
  Dim out;
};
bool is_one_pixel(const Fact& fact) {
  if (!fact.has_rank() || fact.rank() < 3) return false;
  for (int64_t axis = 1; axis + 1 < fact.rank(); ++axis)
    if (!(fact.shape()[axis] == Dim(1))) return false;
  return true;
}
std::optional<Layer> layer_of(Rewriter& rw, const Node& node) {
  const auto* conv = node.op.as<ops::Conv>();
  if (!conv || !conv->channels_last || conv->groups != 1 || node.epilogue_operands() > 0 || node.out.size() != 1) return std::nullopt;
  if (!is_one_pixel(rw.fact(node.in[0])) || !is_one_pixel(rw.fact(node.out[0])) || !is_one_pixel(rw.fact(node.in[1]))) return std::nullopt;
  const bool has_bias = node.in.size() > 2 && node.in[2] != ValueId::none;
  if (!rw.is_weight(node.in[1]) || (has_bias && !rw.is_weight(node.in[2]))) return std::nullopt;
  const Shape& w = rw.fact(node.in[1]).shape();
  const auto rows = w[0].constant(), columns = w[w.rank() - 1].constant();
  if (!rows || !columns) return std::nullopt;
  return Layer{node.in[0], node.in[1], has_bias ? node.in[2] : ValueId::none, Dim(*rows)};
}

ValueId matrix(Rewriter& rw, ValueId w) {
  const Shape& shape = rw.fact(w).shape();
  return rw.emit(ops::Reshape{.shape = std::vector<Dim>{shape[0], shape[shape.rank() - 1]}}, {w})[0];
}
ValueId bias(Rewriter& rw, const Layer& layer, DType type) {
  if (layer.b != ValueId::none) return layer.b;
  Tensor zeros = *Tensor::allocate(type, {*layer.out.constant()});
  std::fill_n(zeros.data, zeros.bytes(), std::byte{});
  return rw.constant(std::move(zeros));
}

std::optional<Values> find(Rewriter& rw, const Node& node) {
  const auto outer = layer_of(rw, node);
  const Node* hidden = outer && rw.uses(outer->x) == 1 ? rw.maker_of(outer->x) : nullptr;
  const auto inner = hidden && hidden->epilogue.results.size() <= 1 ? layer_of(rw, *hidden) : std::nullopt;
  const Node* mean = inner && rw.uses(inner->x) == 1 ? rw.producer<ops::Reduce>(inner->x) : nullptr;
  if (!mean || rw.fact(mean->in[0]).dtype() != rw.fact(mean->out[0]).dtype()) return std::nullopt;
  const auto& reduce = *mean->op.as<ops::Reduce>();
  std::vector<int64_t> spatial;
  for (int64_t axis = 1; axis + 1 < rw.fact(inner->x).rank(); ++axis) spatial.push_back(axis);
  if (reduce.kind != engine::ReduceKind::mean || !reduce.keepdims || reduce.axes != spatial) return std::nullopt;
  const DType type = rw.fact(mean->out[0]).dtype();
  if (rw.fact(outer->x).dtype() != type || rw.fact(outer->w).dtype() != type || rw.fact(inner->w).dtype() != type) return std::nullopt;
  rw.producer_of(outer->x, ir::Fused::shown);
  return rw.emit(ops::SqueezeExcite{.inner = hidden->epilogue},
                 {mean->in[0], matrix(rw, inner->w), matrix(rw, outer->w), bias(rw, *inner, type), bias(rw, *outer, type)},
                 {.epilogue = node.epilogue});
}

}  // namespace

Result<bool> recognise_squeeze_excite(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.squeeze_excite) return false;
  bool changed = false;
  for (const ir::GraphId id : ir::live_graphs(module)) {
    TENON_TRY(one, Rewriter(module, id).sweep([&](Rewriter& rw, const Node& node) -> std::optional<Values> {
      if (!node.op.as<ops::Conv>()) return std::nullopt;
      auto found = find(rw, node);
      if (found && ctx.wants_device && !ctx.wants_device(*rw.maker_of((*found)[0]), rw.graph())) return std::nullopt;
      return found;
    }));
    changed = changed || one;
  }
  return changed;
}

}  // namespace tenon::passes
