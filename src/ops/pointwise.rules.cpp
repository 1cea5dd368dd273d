#include "ops/pointwise.h"

#include <cmath>

#include "ops/pointwise_rules.h"
#include "ops/rules.h"
#include "tensor/convert.h"

namespace tenon::ops {
namespace {

bool same_node(const ExprNode& a, const ExprNode& b) {
  const auto bits = [](double value) { return std::signbit(value) ? -1 : 1; };
  const bool real = a.real == b.real ? bits(a.real) == bits(b.real) : std::isnan(a.real) && std::isnan(b.real);
  return a.fn == b.fn && a.type == b.type && std::equal(a.args, a.args + 3, b.args) && a.input == b.input && real && a.integer == b.integer;
}

class Simplifier {
 public:
  Expr run(const Expr& expr) {
    std::vector<int> index;
    for (ExprNode node : expr.nodes) {
      for (int& arg : node.args)
        if (arg >= 0) arg = index[static_cast<size_t>(arg)];
      const int neutral = without_effect(node);
      index.push_back(neutral >= 0 ? neutral : add(folded(node)));
    }
    for (const int result : expr.results) out_.results.push_back(index[static_cast<size_t>(result)]);
    return without_unused();
  }

 private:
  const ExprNode& node(int i) const { return out_.nodes[static_cast<size_t>(i)]; }
  bool is_constant(int i) const { return i >= 0 && node(i).fn == Fn::constant; }
  bool is_number(int i, int64_t number) const {
    if (!is_constant(i)) return false;
    return is_float(node(i).type) ? node(i).real == static_cast<double>(number) : node(i).integer == number;
  }

  int add(const ExprNode& node) {
    for (size_t i = 0; i < out_.nodes.size(); ++i)
      if (same_node(out_.nodes[i], node)) return static_cast<int>(i);
    out_.nodes.push_back(node);
    return static_cast<int>(out_.nodes.size()) - 1;
  }

  /// The argument that the result equals, or -1. (x + 0 is taken for x also where x is -0.)
  int without_effect(const ExprNode& n) const {
    const int a = n.args[0], b = n.args[1];
    switch (n.fn) {
      case Fn::cast: return node(a).type == n.type ? a : -1;
      case Fn::add: return is_number(b, 0) ? a : is_number(a, 0) ? b : -1;
      case Fn::sub: return is_number(b, 0) ? a : -1;
      case Fn::mul: return is_number(b, 1) ? a : is_number(a, 1) ? b : -1;
      case Fn::div:
      case Fn::pow: return is_number(b, 1) ? a : -1;
      case Fn::neg:
      case Fn::logical_not: return node(a).fn == n.fn ? node(a).args[0] : -1;
      case Fn::relu: return node(a).fn == Fn::relu ? a : -1;
      case Fn::min:
      case Fn::max: return a == b ? a : -1;
      case Fn::where: return b == n.args[2] ? b : is_constant(a) ? n.args[node(a).integer ? 1 : 2] : -1;
      default: return -1;
    }
  }

  /// The node with known arguments evaluated, or in a cheaper form that gives the same bits.
  ExprNode folded(const ExprNode& n) const {
    const int arity = arity_of(n.fn);
    if (arity == 0) return n;
    bool known = true;
    for (int i = 0; i < arity; ++i) known = known && is_constant(n.args[i]);
    if (known) return evaluated(n);
    if (n.fn == Fn::pow && is_number(n.args[1], 2) && is_float(n.type))
      return {.fn = Fn::mul, .type = n.type, .args = {n.args[0], n.args[0], -1}};
    return n;
  }

  ExprNode evaluated(const ExprNode& n) const {
    Expr one;
    ExprNode copy = n;
    for (int i = 0; i < arity_of(n.fn); ++i) {
      one.nodes.push_back(node(n.args[i]));
      copy.args[i] = i;
    }
    one.nodes.push_back(copy);
    one.results = {static_cast<int>(one.nodes.size()) - 1};
    auto value = Tensor::allocate(n.type, {});
    if (!value.ok() || !evaluate(one, {}, std::span<Tensor>(&*value, 1)).ok()) return n;
    ExprNode constant{.fn = Fn::constant, .type = n.type};
    if (is_float(n.type)) {
      constant.real = element_as_double(*value, 0);
    } else {
      constant.integer = element_as_int(*value, 0);
    }
    return constant;
  }

  Expr without_unused() const {
    std::vector<bool> used(out_.nodes.size());
    for (const int result : out_.results) used[static_cast<size_t>(result)] = true;
    for (size_t i = used.size(); i-- > 0;)
      for (const int arg : out_.nodes[i].args)
        if (used[i] && arg >= 0) used[static_cast<size_t>(arg)] = true;
    Expr out;
    std::vector<int> index(used.size(), -1);
    for (size_t i = 0; i < used.size(); ++i) {
      if (!used[i]) continue;
      ExprNode n = out_.nodes[i];
      for (int& arg : n.args)
        if (arg >= 0) arg = index[static_cast<size_t>(arg)];
      index[i] = static_cast<int>(out.nodes.size());
      out.nodes.push_back(n);
    }
    for (const int result : out_.results) out.results.push_back(index[static_cast<size_t>(result)]);
    return out;
  }

  Expr out_;
};

bool same_expr(const Expr& a, const Expr& b) {
  return a.results == b.results && std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), b.nodes.end(), same_node);
}

}  // namespace

Expr simplified(const Expr& expr) { return Simplifier().run(expr); }

int work_of(const Expr& expr) {
  int work = 0;
  for (const ExprNode& node : expr.nodes) work += arity_of(node.fn) > 0;
  return work;
}

Expr renumbered(Expr expr, const std::vector<int>& inputs) {
  for (ExprNode& node : expr.nodes)
    if (node.fn == Fn::input) node.input = inputs[static_cast<size_t>(node.input)];
  return expr;
}

bool broadcasts_to(const Rewriter& rw, const Values& in, const Shape& shape) {
  Shape joined;
  for (const ValueId id : in) {
    if (!rw.fact(id).has_rank()) return false;
    auto next = broadcast_shapes(joined, rw.fact(id).shape());
    if (!next.ok()) return false;
    joined = std::move(*next);
  }
  return joined == shape;
}

void drop_inputs(const Rewriter& rw, Expr& expr, Values& in, const Shape& shape) {
  for (size_t i = in.size(); i-- > 0 && in.size() > 1;) {
    const auto same = std::find(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(i), in[i]);
    const bool repeated = same - in.begin() < static_cast<std::ptrdiff_t>(i);
    const bool used = std::any_of(expr.nodes.begin(), expr.nodes.end(),
                                  [&](const ExprNode& n) { return n.fn == Fn::input && n.input == static_cast<int>(i); });
    if (used && !repeated) continue;
    Values rest = in;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    if (!repeated && !broadcasts_to(rw, rest, shape)) continue;
    std::vector<int> inputs;
    for (size_t k = 0; k < in.size(); ++k) inputs.push_back(static_cast<int>(k > i ? k - 1 : k));
    if (repeated) inputs[i] = static_cast<int>(same - in.begin());
    expr = renumbered(std::move(expr), inputs);
    in = std::move(rest);
  }
  expr = simplified(expr);
}

bool absorb_constants(const Rewriter& rw, Expr& expr, Values& in, const Shape& shape, size_t first) {
  bool changed = false;
  for (size_t i = in.size(); i-- > first && in.size() > 1;) {
    const Tensor* constant = rw.constant_of(in[i]);
    if (!constant || constant->elems() != 1 || !is_real(constant->dtype)) continue;
    Values rest = in;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    if (!broadcasts_to(rw, rest, shape)) continue;
    for (ExprNode& node : expr.nodes) {
      if (node.fn != Fn::input || node.input < static_cast<int>(i)) continue;
      if (node.input > static_cast<int>(i)) {
        --node.input;
        continue;
      }
      ExprNode value{.fn = Fn::constant, .type = node.type};
      if (is_float(node.type)) {
        value.real = element_as_double(*constant, 0);
      } else {
        value.integer = element_as_int(*constant, 0);
      }
      node = value;
    }
    in = std::move(rest);
    changed = true;
  }
  return changed;
}

/// The expression is an input that has the shape of the result already.
std::optional<Values> drop_pointwise(Rewriter& rw, const Node& node) {
  const Expr& expr = node.op.as<Pointwise>()->expr;
  if (expr.results.size() != 1) return std::nullopt;
  const ExprNode& result = expr.nodes[static_cast<size_t>(expr.results[0])];
  if (result.fn != Fn::input) return std::nullopt;
  const ValueId x = node.in[static_cast<size_t>(result.input)];
  if (!rw.fact(x).has_rank() || !(rw.fact(x).shape() == rw.fact(node.out[0]).shape())) return std::nullopt;
  return Values{x};
}

/// Frozen scalars become numbers in the expression. Weights stay operands: refit may change them.
std::optional<Values> absorb_scalars(Rewriter& rw, const Node& node) {
  const Fact& y = rw.fact(node.out[0]);
  if (!y.has_rank()) return std::nullopt;
  Expr expr = node.op.as<Pointwise>()->expr;
  Values in = node.in;
  if (!absorb_constants(rw, expr, in, y.shape(), 0)) return std::nullopt;
  return rw.emit(Pointwise{.expr = simplified(expr)}, std::move(in), {.outputs = static_cast<int>(node.out.size())});
}

std::optional<Values> simplify_expr(Rewriter& rw, const Node& node) {
  const Fact& y = rw.fact(node.out[0]);
  Expr expr = simplified(node.op.as<Pointwise>()->expr);
  Values in = node.in;
  if (y.has_rank()) drop_inputs(rw, expr, in, y.shape());
  if (in == node.in && same_expr(expr, node.op.as<Pointwise>()->expr)) return std::nullopt;
  return rw.emit(Pointwise{.expr = std::move(expr)}, std::move(in), {.outputs = static_cast<int>(node.out.size())});
}

}  // namespace tenon::ops
