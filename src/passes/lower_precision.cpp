// lower_precision: FP32 values inside the graph become 16-bit ones. Matrix operands, weights and what is stored between nodes are 16 bits
// wide; sums, softmax, norms and arithmetic stay FP32 inside their nodes. Values are narrowed where a product or a convolution starts;
// what only moves or follows such values does so in 16 bits, and everything else stays as it is, with casts at the border.
#include <algorithm>
#include <cmath>
#include <set>

#include "ir/rewriter.h"
#include "ops/conv.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/pointwise.h"
#include "ops/pointwise_rules.h"
#include "ops/reduce.h"
#include "passes/outer_product.h"
#include "passes/passes.h"
#include "tensor/convert.h"

namespace tenon::passes {
namespace {

using engine::ReduceKind;
using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

constexpr double kMostHalf = 65504;
constexpr double kLeastMask = 1e8;  // a constant that large stands for "never"; smaller ones out of range are numbers

enum class Policy : uint8_t {
  keep,    // stays FP32
  start,   // narrows its operands
  follow,  // is 16 bits wide if an operand is
};

struct PolicyRow {
  std::string_view op;
  Policy policy;
  uint32_t operands;  // bit i: input i is data of the element type
};
constexpr uint32_t kEvery = ~uint32_t{0};

constexpr PolicyRow kPolicies[] = {
    {"MatMul", Policy::start, 0b11},         {"Conv", Policy::start, 0b111},
    {"ConvTranspose", Policy::start, 0b111}, {"Attention", Policy::start, 0b1111},
    {"Gather", Policy::follow, 0b1},         {"Pool", Policy::follow, 0b1},
    {"Softmax", Policy::follow, 0b1},        {"LayerNorm", Policy::follow, 0b111},
    {"Reduce", Policy::follow, 0b1},         {"Pointwise", Policy::follow, kEvery},
    {"Concat", Policy::follow, kEvery},      {"Expand", Policy::follow, 0b1},
    {"Flatten", Policy::follow, 0b1},        {"GatherElements", Policy::follow, 0b1},
    {"GatherND", Policy::follow, 0b1},       {"Identity", Policy::follow, 0b1},
    {"Pad", Policy::follow, 0b101},          {"Reshape", Policy::follow, 0b1},
    {"Resize", Policy::follow, 0b1},         {"ScatterElements", Policy::follow, 0b101},
    {"ScatterND", Policy::follow, 0b101},    {"Slice", Policy::follow, 0b1},
    {"Split", Policy::follow, 0b1},          {"Squeeze", Policy::follow, 0b1},
    {"Tile", Policy::follow, 0b1},           {"Transpose", Policy::follow, 0b1},
    {"Trilu", Policy::follow, 0b1},          {"Unsqueeze", Policy::follow, 0b1},
    {"Recurrence", Policy::start, kEvery},
};

const PolicyRow* policy_of(const Node& node) {
  const PolicyRow* row =
      std::find_if(std::begin(kPolicies), std::end(kPolicies), [&](const PolicyRow& r) { return r.op == node.op.name(); });
  return row == std::end(kPolicies) ? nullptr : row;
}

bool is_square(const ExprNode& node) { return node.fn == Fn::pow || (node.fn == Fn::mul && node.args[0] == node.args[1]); }

bool has_square(const Expr& expr) { return std::any_of(expr.nodes.begin(), expr.nodes.end(), is_square); }

/// Sums grow with the size of what is summed.
bool is_sum(ReduceKind kind) {
  return kind != ReduceKind::mean && kind != ReduceKind::max && kind != ReduceKind::min && kind != ReduceKind::arg_max &&
         kind != ReduceKind::arg_min;
}

class Narrower {
 public:
  Narrower(const ir::Graph& graph, DType type) : type_(type) { find_summed(graph); }

  std::optional<Values> visit(Rewriter& rw, const Node& node) {
    if (!node.epilogue.empty() || !node.regions.empty() || rw.is_weight(node.out[0])) return std::nullopt;
    const PolicyRow* row = policy_of(node);
    const bool spreads = type_ == DType::f16 && spreads_range(rw, node);
    std::optional<Values> out;
    if (row && wants(rw, node, *row)) out = node.op.as<ops::Pointwise>() ? arithmetic(rw, node, spreads) : narrow(rw, node, *row);
    if (spreads)
      for (const ValueId id : out ? *out : node.out) wide_.insert(id);
    return out;
  }

 private:
  /// Squares on their way into a sum overflow first: they stay FP32, in the expression that makes them.
  void find_summed(const ir::Graph& graph) {
    std::vector<int> uses(graph.values.size()), sums(graph.values.size());
    for (const ir::NodeId id : graph.order)
      for (const ValueId in : graph[id].in) {
        if (in == ValueId::none) continue;
        ++uses[static_cast<size_t>(in)];
        sums[static_cast<size_t>(in)] += graph[id].op.as<ops::Reduce>() != nullptr;
      }
    for (const ir::Port& port : graph.outputs) ++uses[static_cast<size_t>(port.value)];
    for (size_t i = 0; i < uses.size(); ++i)
      if (uses[i] > 0 && uses[i] == sums[i]) summed_.insert(static_cast<ValueId>(i));
  }

  bool is_data(const Rewriter& rw, const Node& node, const PolicyRow& row, size_t i) const {
    return i < node.in.size() && node.in[i] != ValueId::none && (i >= 32 || (row.operands >> i & 1U)) &&
           rw.fact(node.in[i]).type.is_tensor() && rw.fact(node.in[i]).dtype() == DType::f32;
  }

  /// The 16-bit value that an FP32 value was widened from, or none.
  ValueId narrow_source(const Rewriter& rw, ValueId id) const {
    const Node* node = rw.maker_of(id);
    const auto* cast = node && node->epilogue.empty() ? node->op.as<ops::Pointwise>() : nullptr;
    if (!cast || cast->expr.nodes.size() != 2 || node->in.size() != 1) return ValueId::none;
    const bool widens = cast->expr.nodes[0].fn == Fn::input && cast->expr.nodes[0].type == type_ && cast->expr.nodes[1].fn == Fn::cast &&
                        cast->expr.nodes[1].type == DType::f32 && cast->expr.results == std::vector<int>{1};
    return widens ? node->in[0] : ValueId::none;
  }

  bool wants(const Rewriter& rw, const Node& node, const PolicyRow& row) const {
    if (!is_data(rw, node, row, 0) && node.op.name() != ops::Pointwise::kName) return false;
    if (row.policy == Policy::start) return !is_outer_product(rw, node);
    if (node.op.as<ops::Gather>() && rw.is_weight(node.in[0])) return rw.fact(node.in[0]).has_rank() && rw.fact(node.in[0]).rank() > 1;
    if (const auto* reduce = node.op.as<ops::Reduce>(); reduce && type_ == DType::f16 && is_sum(reduce->kind)) return false;
    for (size_t i = 0; i < node.in.size(); ++i)
      if (is_data(rw, node, row, i) && narrow_source(rw, node.in[i]) != ValueId::none) return true;
    return false;
  }

  bool is_wide(const Rewriter& rw, ValueId id) const {
    if (id == ValueId::none || rw.fact(id).dtype() != DType::f32) return false;
    if (wide_.contains(id)) return true;
    const Tensor* constant = rw.constant_of(id);
    for (int64_t i = 0; constant && i < constant->elems(); ++i) {
      const double x = std::fabs(element_as_double(*constant, i));
      if (x > kMostHalf && std::isfinite(x)) return true;
    }
    return false;
  }

  /// Whether a result may be out of range because an operand or a number of the expression is. Anchors bring values back.
  bool spreads_range(const Rewriter& rw, const Node& node) const {
    if (node.op.row().anchor) return false;
    if (const auto* pointwise = node.op.as<ops::Pointwise>())
      for (const ExprNode& n : pointwise->expr.nodes)
        if (n.fn == Fn::constant && n.type == DType::f32 && std::isfinite(n.real) && std::fabs(n.real) > kMostHalf) return true;
    return std::any_of(node.in.begin(), node.in.end(), [&](ValueId id) { return is_wide(rw, id); });
  }

  int narrowed(Expr& expr, int at, bool clamp) const {
    if (clamp && type_ == DType::f16) {
      at = expr.add(Fn::max, at, expr.add_real(-kMostHalf, DType::f32));
      at = expr.add(Fn::min, at, expr.add_real(kMostHalf, DType::f32));
    }
    return expr.add_cast(at, type_);
  }

  ValueId narrow_of(Rewriter& rw, ValueId id) const {
    if (const ValueId source = narrow_source(rw, id); source != ValueId::none) return source;
    Expr expr;
    expr.results = {narrowed(expr, expr.add_input(0, DType::f32), is_wide(rw, id))};
    return rw.emit(ops::Pointwise{.expr = std::move(expr)}, {id})[0];
  }

  ValueId widened_again(Rewriter& rw, ValueId id) const {
    Expr expr;
    expr.results = {expr.add_cast(expr.add_input(0, type_), DType::f32)};
    return rw.emit(ops::Pointwise{.expr = std::move(expr)}, {id})[0];
  }

  Values widened_again(Rewriter& rw, Values out, const Node& node) const {
    for (size_t i = 0; i < out.size(); ++i)
      if (rw.fact(out[i]).dtype() == type_ && rw.fact(node.out[i]).dtype() == DType::f32) out[i] = widened_again(rw, out[i]);
    return out;
  }

  std::optional<Values> narrow(Rewriter& rw, const Node& node, const PolicyRow& row) const {
    Values in = node.in;
    for (size_t i = 0; i < in.size(); ++i)
      if (is_data(rw, node, row, i)) in[i] = narrow_of(rw, in[i]);
    Math math = node.math;
    if (row.policy == Policy::start) math.accumulator = DType::f32;
    Values out = rw.emit_op(node.op, std::move(in), {.outputs = static_cast<int>(node.out.size()), .math = math});
    return widened_again(rw, std::move(out), node);
  }

  bool stays_wide(const Expr& expr, const Node& node) const {
    if (summed_.contains(node.out[0]) && has_square(expr)) return true;
    if (type_ != DType::f16) return false;
    return std::any_of(expr.nodes.begin(), expr.nodes.end(), [](const ExprNode& n) {
      return n.fn == Fn::constant && n.type == DType::f32 && std::fabs(n.real) > kMostHalf && std::fabs(n.real) < kLeastMask;
    });
  }

  /// Reads 16 bits, computes in FP32, stores 16 bits. Operands that nobody narrowed, like masks, are read as they are.
  std::optional<Values> arithmetic(Rewriter& rw, const Node& node, bool clamp) const {
    const Expr& from = node.op.as<ops::Pointwise>()->expr;
    Values in = node.in;
    for (ValueId& id : in) {
      if (rw.fact(id).dtype() != DType::f32) continue;
      if (narrow_source(rw, id) != ValueId::none || (rw.is_weight(id) && !is_wide(rw, id))) id = narrow_of(rw, id);
    }
    Expr to;
    std::vector<int> index;
    for (ExprNode n : from.nodes) {
      for (int& arg : n.args)
        if (arg >= 0) arg = index[static_cast<size_t>(arg)];
      if (n.fn == Fn::input) n.type = rw.fact(in[static_cast<size_t>(n.input)]).dtype();
      to.nodes.push_back(n);
      index.push_back(static_cast<int>(to.nodes.size()) - 1);
      if (n.fn == Fn::input && from.nodes[index.size() - 1].type != n.type) index.back() = to.add_cast(index.back(), DType::f32);
    }
    const bool stays = stays_wide(from, node);
    for (const int result : from.results) {
      const int at = index[static_cast<size_t>(result)];
      to.results.push_back(to.type_of(at) == DType::f32 && !stays ? narrowed(to, at, clamp) : at);
    }
    Values out = rw.emit(ops::Pointwise{.expr = ops::simplified(to)}, std::move(in), {.outputs = static_cast<int>(node.out.size())});
    return widened_again(rw, std::move(out), node);
  }

  DType type_;
  std::set<ValueId> summed_;  // read by sums alone
  std::set<ValueId> wide_;    // FP32 values that may be out of the range of f16
};

/// Bodies of control flow stay as they are: a weight that they capture would be narrowed in each run of the body.
void warn_of_bodies(const ir::Module& module, const PassCtx& ctx) {
  size_t kept = 0;
  for (const ir::GraphId id : ir::live_graphs(module))
    for (const ir::NodeId at : module[id].order) {
      const Node& node = module[id][at];
      const PolicyRow* row = id == ir::GraphId{0} ? nullptr : policy_of(node);
      kept += row && row->policy == Policy::start && module[id][node.in[0]].fact.dtype() == DType::f32;
    }
  if (kept > 0)
    ctx.log(Severity::warning, "for '{}', what multiplies in bodies of control flow keeps FP32, not {} (nodes: {})", ctx.target,
            to_string(ctx.float_type), kept);
}

}  // namespace

Result<bool> lower_precision(ir::Module& module, const PassCtx& ctx) {
  if (ctx.float_type == DType::f32) return false;
  warn_of_bodies(module, ctx);
  Narrower narrower(module.main(), ctx.float_type);
  return Rewriter(module, ir::GraphId{0}).sweep([&](Rewriter& rw, const Node& node) { return narrower.visit(rw, node); });
}

}  // namespace tenon::passes
