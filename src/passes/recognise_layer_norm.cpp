// recognise_layer_norm: (x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon), and x / sqrt(mean(x²) + epsilon), over the last dims become
// LayerNorm; a scale and a bias of these dims join it. Exporters write the division also as a product with a reciprocal or a power.
#include <algorithm>

#include "ir/rewriter.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "passes/one_function.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

/// mean(x) over all dims from `axis` on, which stay as 1.
struct Mean {
  ValueId x;
  int64_t axis;
};
std::optional<Mean> mean_of(Rewriter& rw, ValueId id) {
  const Node* node = rw.producer<ops::Reduce>(id);
  if (!node || !rw.fact(node->in[0]).has_rank()) return std::nullopt;
  const ops::Reduce& reduce = *node->op.as<ops::Reduce>();
  const int64_t rank = rw.fact(node->in[0]).rank();
  if (reduce.kind != engine::ReduceKind::mean || !reduce.keepdims || reduce.axes.empty()) return std::nullopt;
  Dims axes;
  for (const int64_t axis : reduce.axes) axes.push_back(axis < 0 ? axis + rank : axis);
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != rank - static_cast<int64_t>(axes.size() - i)) return std::nullopt;
  return Mean{node->in[0], axes[0]};
}

struct Deviation {
  ValueId variance;
  double epsilon;
};
/// variance + epsilon
std::optional<Deviation> shifted(Rewriter& rw, ValueId id) {
  const auto sum = one_function(rw, id);
  if (!sum || sum->fn != Fn::add) return std::nullopt;
  const size_t number = sum->args[0].number ? 0 : 1;
  if (!sum->args[number].number || sum->args[1 - number].number) return std::nullopt;
  return Deviation{sum->args[1 - number].value, *sum->args[number].number};
}

std::optional<Deviation> root_of(Rewriter& rw, ValueId id) {
  const auto root = one_function(rw, id);
  const bool is_root = root && (root->fn == Fn::sqrt || (root->fn == Fn::pow && root->args[1].number == 0.5));
  return is_root ? shifted(rw, root->args[0].value) : std::nullopt;
}

std::optional<Deviation> inverse_of(Rewriter& rw, ValueId id) {
  const auto inverse = one_function(rw, id);
  if (!inverse) return std::nullopt;
  if (inverse->fn == Fn::reciprocal) return root_of(rw, inverse->args[0].value);
  if (inverse->fn == Fn::div && inverse->args[0].number == 1.0) return root_of(rw, inverse->args[1].value);
  if (inverse->fn == Fn::pow && inverse->args[1].number == -0.5) return shifted(rw, inverse->args[0].value);
  return std::nullopt;
}

/// x of x · x
ValueId squared(Rewriter& rw, ValueId id) {
  const auto square = one_function(rw, id);
  if (!square) return ValueId::none;
  if (square->fn == Fn::mul && square->args[0].value == square->args[1].value) return square->args[0].value;
  return square->fn == Fn::pow && square->args[1].number == 2.0 ? square->args[0].value : ValueId::none;
}

/// What is left of x when its mean over the dims from `axis` on is taken away, or x itself.
struct Centred {
  ValueId x;
  bool rms;
};
Centred centred(Rewriter& rw, ValueId id, int64_t axis) {
  const auto difference = one_function(rw, id);
  if (!difference || difference->fn != Fn::sub) return {id, true};
  const auto mean = difference->args[1].number ? std::nullopt : mean_of(rw, difference->args[1].value);
  if (!mean || mean->axis != axis || mean->x != difference->args[0].value) return {id, true};
  return {mean->x, false};
}

std::optional<Values> normalised(Rewriter& rw, ValueId numerator, const Deviation& deviation) {
  const auto mean = mean_of(rw, deviation.variance);
  if (!mean || squared(rw, mean->x) != numerator || numerator == ValueId::none) return std::nullopt;
  const Centred from = centred(rw, numerator, mean->axis);
  return rw.emit(ops::LayerNorm{.axis = mean->axis, .epsilon = deviation.epsilon, .rms = from.rms}, {from.x});
}

std::optional<Values> find_norm(Rewriter& rw, const Node& node) {
  const auto one = one_function(node);
  if (!one || !one->is(Fn::div, Fn::mul) || one->args[0].number || one->args[1].number) return std::nullopt;
  const ValueId a = one->args[0].value, b = one->args[1].value;
  if (one->fn == Fn::div) {
    const auto deviation = root_of(rw, b);
    return deviation ? normalised(rw, a, *deviation) : std::nullopt;
  }
  for (const auto& [numerator, factor] : {std::pair(a, b), std::pair(b, a)})
    if (const auto deviation = inverse_of(rw, factor))
      if (auto found = normalised(rw, numerator, *deviation)) return found;
  return std::nullopt;
}

/// A scale or a bias of the dims that are normalised joins a norm that has none.
std::optional<Values> join_operand(Rewriter& rw, const Node& node) {
  const auto one = one_function(node);
  if (!one || !one->is(Fn::mul, Fn::add) || one->args[0].number || one->args[1].number) return std::nullopt;
  const size_t place = one->fn == Fn::mul ? 1 : 2;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId y = one->args[i].value, operand = one->args[1 - i].value;
    const Node* norm = rw.uses(y) == 1 ? rw.producer<ops::LayerNorm>(y) : nullptr;
    if (!norm || norm->out.size() != 1 || norm->in.size() > place || !rw.is_weight(operand) || !rw.fact(y).has_rank()) continue;
    const auto& dims = rw.fact(y).shape().dims();
    const int64_t axis = norm->op.as<ops::LayerNorm>()->axis, first = axis < 0 ? axis + rw.fact(y).rank() : axis;
    const Shape wanted(std::vector<Dim>(dims.begin() + static_cast<std::ptrdiff_t>(first), dims.end()));
    if (!rw.fact(operand).has_rank() || !(rw.fact(operand).shape() == wanted) || rw.fact(operand).dtype() != rw.fact(y).dtype()) continue;
    Values in = norm->in;
    in.resize(place, ValueId::none);
    in.push_back(operand);
    return rw.emit(ops::LayerNorm(*norm->op.as<ops::LayerNorm>()), std::move(in));
  }
  return std::nullopt;
}

constexpr ir::RuleRow kRecogniseLayerNormRules[] = {{"find_norm", "Pointwise", find_norm}, {"join_operand", "Pointwise", join_operand}};

}  // namespace

Result<bool> recognise_layer_norm(ir::Module& module, const PassCtx& ctx) {
  return ctx.layer_norm ? ir::apply_rules(module, kRecogniseLayerNormRules, ctx.log) : false;
}

}  // namespace tenon::passes
