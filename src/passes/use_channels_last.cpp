// use_channels_last: convolutions and pools over two spatial dims work on [N, H, W, C], because kernels that read channels as vectors
// want them last. Each gets a Transpose in front and one behind; the ones behind then sink through what does not mind the order, until
// they meet one in front and both vanish, or until they stand at the graph's end. Transposes of weights become preparations.
#include <algorithm>

#include "ir/rewriter.h"
#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/gather.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/resize.h"
#include "ops/rules.h"
#include "ops/shape_of.h"
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
using ops::Transpose;

constexpr int64_t kRank = 4;

Dims last_order() { return {0, 2, 3, 1}; }   // [N, C, H, W] → [N, H, W, C]
Dims first_order() { return {0, 3, 1, 2}; }  // and back

ValueId to_first(Rewriter& rw, ValueId id) { return rw.emit(Transpose{.perm = first_order()}, {id})[0]; }

bool has_rank(const Rewriter& rw, ValueId id, int64_t rank) { return rw.fact(id).has_rank() && rw.fact(id).rank() == rank; }

/// What a Transpose turned to channels first, or none.
ValueId last_of(Rewriter& rw, ValueId id) {
  const Node* node = rw.producer<Transpose>(id);
  return node && node->op.as<Transpose>()->perm == first_order() ? node->in[0] : ValueId::none;
}

/// The dims that a value has when it broadcasts to rank 4.
Shape broadcast_shape(const Rewriter& rw, ValueId id) {
  Shape shape = rw.fact(id).shape();
  shape.dims().insert(shape.dims().begin(), static_cast<size_t>(kRank - shape.rank()), Dim(1));
  return shape;
}

/// Elements that move if the value is turned to channels last in a run of the model.
bool costs_to_turn(Rewriter& rw, ValueId id) { return !rw.is_weight(id) && moves_elements(broadcast_shape(rw, id), last_order()); }

/// An operand of something elementwise, turned.
ValueId turned(Rewriter& rw, ValueId id) {
  if (const ValueId last = last_of(rw, id); last != ValueId::none) return last;
  const Shape shape = broadcast_shape(rw, id);
  if (std::all_of(shape.dims().begin(), shape.dims().end(), [](const Dim& dim) { return dim == Dim(1); })) return id;
  const ValueId whole = has_rank(rw, id, kRank) ? id : rw.emit(ops::Reshape{.shape = shape.dims()}, {id})[0];
  return rw.emit(Transpose{.perm = last_order()}, {whole})[0];
}

/// Transposes that run before and after all operands are turned; the one behind the node is not counted.
struct Costs {
  int before = 0, after = 0, sinking = 0;
};
std::optional<Costs> costs_of(Rewriter& rw, const Values& in) {
  Costs costs;
  for (const ValueId id : in) {
    if (!rw.fact(id).has_rank() || rw.fact(id).rank() > kRank) return std::nullopt;
    const ValueId last = last_of(rw, id);
    costs.sinking += last != ValueId::none;
    (last != ValueId::none ? costs.before : costs.after) += costs_to_turn(rw, id);
  }
  return costs.sinking > 0 ? std::optional(costs) : std::nullopt;
}

std::optional<Values> lay_out_conv(Rewriter& rw, const Node& node) {
  ops::Conv conv = *node.op.as<ops::Conv>();
  if (conv.channels_last || !has_rank(rw, node.in[0], kRank) || !has_rank(rw, node.in[1], kRank)) return std::nullopt;
  conv.channels_last = true;
  Values in = node.in;
  for (size_t i = 0; i < 2; ++i) in[i] = rw.emit(Transpose{.perm = last_order()}, {in[i]})[0];
  return Values{to_first(rw, rw.emit(std::move(conv), std::move(in))[0])};
}

std::optional<Values> lay_out_pool(Rewriter& rw, const Node& node) {
  ops::Pool pool = *node.op.as<ops::Pool>();
  if (pool.channels_last || !has_rank(rw, node.in[0], kRank)) return std::nullopt;
  if (node.out.size() > 1 && rw.uses(node.out[1]) > 0) return std::nullopt;
  pool.channels_last = true;
  Values out = {to_first(rw, rw.emit(std::move(pool), {rw.emit(Transpose{.perm = last_order()}, {node.in[0]})[0]})[0])};
  out.resize(node.out.size(), ValueId::none);
  return out;
}

std::optional<Values> sink_pointwise(Rewriter& rw, const Node& node) {
  if (!has_rank(rw, node.out[0], kRank)) return std::nullopt;
  const auto costs = costs_of(rw, node.in);
  const int behind = moves_elements(rw.fact(node.out[0]).shape(), last_order());
  if (!costs || costs->after + behind > costs->before) return std::nullopt;
  Values in;
  for (const ValueId id : node.in) in.push_back(turned(rw, id));
  Values out = rw.emit(ops::Pointwise(*node.op.as<ops::Pointwise>()), std::move(in), {.outputs = static_cast<int>(node.out.size())});
  for (ValueId& id : out) id = to_first(rw, id);
  return out;
}

/// Where one operand comes from elsewhere, turning it is right only if the result is wanted with channels last.
std::optional<Values> hoist_transpose(Rewriter& rw, const Node& node) {
  if (node.op.as<Transpose>()->perm != last_order() || rw.uses(node.in[0]) != 1) return std::nullopt;
  const Node* inner = rw.producer<ops::Pointwise>(node.in[0]);
  if (!inner || inner->out.size() != 1) return std::nullopt;
  const auto costs = costs_of(rw, inner->in);
  if (!costs || costs->after > costs->before) return std::nullopt;
  Values in;
  for (const ValueId id : inner->in) in.push_back(turned(rw, id));
  return rw.emit(ops::Pointwise(*inner->op.as<ops::Pointwise>()), std::move(in));
}

std::optional<Values> sink_concat(Rewriter& rw, const Node& node) {
  if (!has_rank(rw, node.out[0], kRank)) return std::nullopt;
  const auto costs = costs_of(rw, node.in);
  const int behind = moves_elements(rw.fact(node.out[0]).shape(), last_order());
  if (!costs || costs->after + behind > costs->before) return std::nullopt;
  for (const ValueId id : node.in)
    if (!has_rank(rw, id, kRank)) return std::nullopt;
  Values in;
  for (const ValueId id : node.in) in.push_back(turned(rw, id));
  return Values{to_first(rw, rw.emit(ops::Concat{.axis = from_of(first_order(), node.op.as<ops::Concat>()->axis)}, std::move(in))[0])};
}

/// Pad and Slice name dims in input 3, or mean the first ones.
std::optional<Values> sink_by_axes(Rewriter& rw, const Node& node) {
  const ValueId x = last_of(rw, node.in[0]);
  if (x == ValueId::none || node.in.size() < 2) return std::nullopt;
  Dims axes;
  if (node.in.size() > 3 && node.in[3] != ValueId::none) {
    const Tensor* given = rw.constant_of(node.in[3]);
    if (!given) return std::nullopt;
    axes = ints_of(*given);
  } else {
    const Fact& positions = rw.fact(node.in[1]);
    const auto count = positions.has_rank() && positions.rank() == 1 ? positions.shape()[0].constant() : std::nullopt;
    if (!count) return std::nullopt;
    const int64_t each = node.op.as<ops::Pad>() ? 2 : 1;  // a begin and an end
    for (int64_t i = 0; i < *count / each; ++i) axes.push_back(i);
  }
  for (int64_t& axis : axes) axis = from_of(first_order(), axis);
  Values in = node.in;
  in[0] = x;
  in.resize(std::max<size_t>(in.size(), 4), ValueId::none);
  in[3] = rw.constant(int64_tensor(axes));
  return Values{to_first(rw, rw.emit_op(node.op, std::move(in))[0])};
}

std::optional<Values> sink_split(Rewriter& rw, const Node& node) {
  Values in = node.in;
  in[0] = last_of(rw, in[0]);
  if (in[0] == ValueId::none) return std::nullopt;
  ops::Split split = *node.op.as<ops::Split>();
  split.axis = from_of(first_order(), split.axis);
  Values out = rw.emit(std::move(split), std::move(in), {.outputs = static_cast<int>(node.out.size())});
  for (ValueId& id : out) id = to_first(rw, id);
  return out;
}

std::optional<Values> sink_resize(Rewriter& rw, const Node& node) {
  Values in = node.in;
  in[0] = last_of(rw, in[0]);
  if (in[0] == ValueId::none) return std::nullopt;
  ops::Resize resize = *node.op.as<ops::Resize>();
  if (resize.axes.empty()) resize.axes = {0, 1, 2, 3};
  for (int64_t& axis : resize.axes) axis = from_of(first_order(), axis);
  return Values{to_first(rw, rw.emit(std::move(resize), std::move(in))[0])};
}

std::optional<Values> sink_softmax(Rewriter& rw, const Node& node) {
  const ValueId x = last_of(rw, node.in[0]);
  if (x == ValueId::none) return std::nullopt;
  ops::Softmax softmax = *node.op.as<ops::Softmax>();
  softmax.axis = from_of(first_order(), softmax.axis);
  return Values{to_first(rw, rw.emit(std::move(softmax), {x})[0])};
}

std::optional<Values> sink_reduce(Rewriter& rw, const Node& node) {
  const ValueId x = last_of(rw, node.in[0]);
  if (x == ValueId::none) return std::nullopt;
  ops::Reduce reduce = *node.op.as<ops::Reduce>();
  Dims kept;  // of x, in the order in which the result has them
  for (int64_t d = 0; d < kRank; ++d) {
    const auto names = [&](int64_t axis) { return (axis + kRank) % kRank == d; };
    if (!reduce.axes.empty() && std::none_of(reduce.axes.begin(), reduce.axes.end(), names)) kept.push_back(from_of(first_order(), d));
  }
  for (int64_t& axis : reduce.axes) axis = from_of(first_order(), axis);
  std::sort(reduce.axes.begin(), reduce.axes.end());
  const bool keepdims = reduce.keepdims;
  const ValueId y = rw.emit(std::move(reduce), {x})[0];
  if (keepdims) return Values{to_first(rw, y)};
  const Dims perm = ranks_of(kept);
  return is_identity(perm) ? Values{y} : rw.emit(Transpose{.perm = perm}, {y});
}

/// The dims of a Transpose's result are those of its input in another order.
std::optional<Values> sink_shape(Rewriter& rw, const Node& node) {
  const ValueId x = last_of(rw, node.in[0]);
  if (x == ValueId::none) return std::nullopt;
  const ops::ShapeOf& shape = *node.op.as<ops::ShapeOf>();
  const auto bound = [](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + kRank : at, 0, kRank); };
  Dims which;
  for (int64_t d = bound(shape.start); d < bound(shape.end); ++d) which.push_back(from_of(first_order(), d));
  return rw.emit(ops::Gather{}, {rw.emit(ops::ShapeOf{}, {x})[0], rw.constant(int64_tensor(which))});
}

/// A view that joins or splits dims which are neighbours in both orders. One that joins dims which a shuffle brought together keeps
/// the shuffle alone, if what is left is the order of channels.
std::optional<Values> sink_reshape(Rewriter& rw, const Node& node) {
  const ops::Reshape& reshape = *node.op.as<ops::Reshape>();
  const Node* outer = reshape.shape ? rw.producer<Transpose>(node.in[0]) : nullptr;
  if (!outer) return std::nullopt;
  const Dims& perm = outer->op.as<Transpose>()->perm;
  const Shape& y = rw.fact(node.in[0]).shape();
  if (!y.has_rank() || y.rank() != static_cast<int64_t>(perm.size())) return std::nullopt;
  if (!moves_elements(rw.fact(outer->in[0]).shape(), perm)) return rw.emit(ops::Reshape(reshape), {outer->in[0]});
  const auto view = view_before(perm, y, *reshape.shape);
  if (!view || is_identity(view->after)) return std::nullopt;
  const bool whole = is_identity(view->before);
  if (view->after != first_order() && !(whole && perm == first_order())) return std::nullopt;
  if (!whole && rw.uses(node.in[0]) != 1) return std::nullopt;
  const ValueId x = whole ? outer->in[0] : rw.emit(Transpose{.perm = view->before}, {outer->in[0]})[0];
  return rw.emit(Transpose{.perm = view->after}, {rw.emit(ops::Reshape{.shape = view->shape}, {x})[0]});
}

std::optional<Values> cancel_transposes(Rewriter& rw, const Node& node) {
  if (is_identity(node.op.as<Transpose>()->perm)) return Values{node.in[0]};
  return ops::merge_transposes(rw, node);
}

constexpr ir::RuleRow kSink[] = {{"lay_out_conv", "Conv", lay_out_conv},
                                 {"lay_out_pool", "Pool", lay_out_pool},
                                 {"cancel_transposes", "Transpose", cancel_transposes},
                                 {"hoist_transpose", "Transpose", hoist_transpose},
                                 {"sink_pointwise", "Pointwise", sink_pointwise},
                                 {"sink_concat", "Concat", sink_concat},
                                 {"sink_by_axes", "Pad", sink_by_axes},
                                 {"sink_by_axes", "Slice", sink_by_axes},
                                 {"sink_split", "Split", sink_split},
                                 {"sink_resize", "Resize", sink_resize},
                                 {"sink_softmax", "Softmax", sink_softmax},
                                 {"sink_reduce", "Reduce", sink_reduce},
                                 {"sink_shape", "Shape", sink_shape},
                                 {"sink_reshape", "Reshape", sink_reshape}};

// Only now: until all have sunk, a Transpose that moves nothing (of [N, C, 1, 1]) is still seen as one.
constexpr ir::RuleRow kTidy[] = {{"drop_transpose", "Transpose", ops::drop_transpose},
                                 {"merge_views", "Reshape", ops::merge_views},
                                 {"drop_reshape", "Reshape", ops::drop_reshape}};

bool has_windows(const ir::Module& module) {
  for (const ir::GraphId id : ir::live_graphs(module))
    for (const ir::NodeId node : module[id].order)
      if (module[id][node].op.as<ops::Conv>() || module[id][node].op.as<ops::Pool>()) return true;
  return false;
}

}  // namespace

Result<bool> use_channels_last(ir::Module& module, const PassCtx& ctx) {
  if (!ctx.channels_last || !has_windows(module)) return false;
  TENON_TRY(sunk, ir::apply_rules(module, kSink, ctx.log));
  TENON_TRY(tidied, ir::apply_rules(module, kTidy, ctx.log));
  return sunk || tidied;
}

}  // namespace tenon::passes
