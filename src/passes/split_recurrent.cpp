// split_recurrent: RNN, GRU and LSTM become one product of all time steps with W, biases added, and a Recurrence, which holds nothing but
// what has to be done one step after another. The product is as any other: it fuses, narrows and finds its kernel like one.
#include "ir/rewriter.h"
#include "ops/concat.h"
#include "ops/mat_mul.h"
#include "ops/pointwise.h"
#include "ops/recurrent.h"
#include "ops/reshape.h"
#include "ops/split.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

ValueId sum_of(Rewriter& rw, ValueId a, ValueId b) {
  const DType type = rw.fact(a).dtype();
  Expr sum;
  const int first = sum.add_input(0, type);
  sum.results = {sum.add(Fn::add, first, sum.add_input(1, type))};
  return rw.emit(ops::Pointwise{.expr = std::move(sum)}, {a, b})[0];
}

ValueId reshaped(Rewriter& rw, ValueId x, std::vector<Dim> dims) { return rw.emit(ops::Reshape{.shape = std::move(dims)}, {x})[0]; }

Values pieces(Rewriter& rw, ValueId x, const Dims& sizes) {
  return rw.emit(ops::Split{.axis = 1}, {x, rw.constant(int64_tensor(sizes))}, {.outputs = static_cast<int>(sizes.size())});
}

/// Of B [directions, 2 * gates * hidden]: what is added to the product, [directions * gates * hidden], and what stays for the steps.
struct Biases {
  ValueId of_gates = ValueId::none, of_steps = ValueId::none;
};
Biases biases_of(Rewriter& rw, ValueId b, const ops::Recurrence& op, int64_t hidden) {
  Biases out;
  const int64_t rows = engine::gates_of(op.cell) * hidden;
  if (!op.linear_before_reset) {
    const Values halves = pieces(rw, b, {rows, rows});
    out.of_gates = sum_of(rw, halves[0], halves[1]);
  } else {
    const Values parts = pieces(rw, b, {2 * hidden, hidden, 2 * hidden, hidden});
    out.of_gates = rw.emit(ops::Concat{.axis = 1}, {sum_of(rw, parts[0], parts[2]), parts[1]})[0];
    out.of_steps = parts[3];
  }
  out.of_gates = reshaped(rw, out.of_gates, {Dim(op.directions * rows)});
  return out;
}

std::optional<Values> split(Rewriter& rw, const Node& node, const Result<ops::Recurrence>& steps) {
  if (!steps.ok()) return std::nullopt;  // an activation that does not exist: the node's evaluator says so
  ops::Recurrence op = *steps;
  const auto given = [&](size_t i) { return i < node.in.size() ? node.in[i] : ValueId::none; };
  const Fact &x = rw.fact(node.in[0]), &w = rw.fact(node.in[1]), &r = rw.fact(node.in[2]);
  if (!x.has_rank() || x.rank() != 3 || !w.has_rank() || w.rank() != 3 || !r.has_rank() || r.rank() != 3) return std::nullopt;
  const auto hidden = r.shape()[2].constant();
  const int64_t rows = engine::gates_of(op.cell) * hidden.value_or(0);
  if (!hidden || *hidden < 1 || !(w.shape()[0] == Dim(op.directions)) || !(w.shape()[1] == Dim(rows))) return std::nullopt;
  if (x.dtype() == DType::f64 || x.dtype() != w.dtype()) return std::nullopt;

  const ValueId matrix = reshaped(rw, node.in[1], {Dim(op.directions * rows), w.shape()[2]});
  ValueId gates = rw.emit(ops::MatMul{.trans_b = true}, {node.in[0], matrix})[0];
  Values in = {gates, node.in[2]};
  const auto add = [&](ValueId id) {
    if (id != ValueId::none) in.push_back(id);
    return id != ValueId::none;
  };
  if (given(3) != ValueId::none) {
    const Biases biases = biases_of(rw, given(3), op, *hidden);
    in[0] = sum_of(rw, gates, biases.of_gates);
    op.has_bias = add(biases.of_steps);
  }
  op.has_lengths = add(given(4));
  op.has_h = add(given(5));
  op.has_c = add(given(6));
  op.has_peepholes = add(given(7));
  return rw.emit(std::move(op), std::move(in), {.outputs = static_cast<int>(node.out.size())});
}

template <class T>
std::optional<Values> split_rule(Rewriter& rw, const Node& node) {
  return split(rw, node, ops::steps_of(*node.op.as<T>()));
}

constexpr ir::RuleRow kSplitRecurrentRules[] = {
    {"split_rnn", "RNN", split_rule<ops::RNN>}, {"split_gru", "GRU", split_rule<ops::GRU>}, {"split_lstm", "LSTM", split_rule<ops::LSTM>}};

}  // namespace

Result<bool> split_recurrent(ir::Module& module, const PassCtx& ctx) {
  return ctx.recurrence ? ir::apply_rules(module, kSplitRecurrentRules, ctx.log) : false;
}

}  // namespace tenon::passes
