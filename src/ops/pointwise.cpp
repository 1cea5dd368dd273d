#include "ops/pointwise.h"

namespace tenon::ops {
namespace {

/// One integer result on symbolic numbers, where Dim arithmetic is exact.
std::optional<Dim> apply(const ExprNode& node, const std::vector<Dim>& args, const Symbols& symbols) {
  if (node.fn != Fn::where && !is_int(node.type) && node.type != DType::boolean) return std::nullopt;
  const auto truth = [](Known known) -> std::optional<Dim> {
    if (known == Known::unknown) return std::nullopt;
    return Dim(known == Known::yes ? 1 : 0);
  };
  switch (node.fn) {
    case Fn::cast: {
      // Sizes pass through 32 bits on their way through shape arithmetic: no dim is that long.
      const bool wide = bits_of(node.type) >= 32 && symbols.interval(args[0]).least >= 0;
      const bool keeps = node.type == DType::i64 || wide || (args[0].is_constant() && node.type != DType::boolean);
      return keeps ? std::optional(args[0]) : std::nullopt;
    }
    case Fn::add: return args[0] + args[1];
    case Fn::sub: return args[0] - args[1];
    case Fn::mul: return args[0] * args[1];
    case Fn::neg: return Dim(0) - args[0];
    case Fn::min: return min(args[0], args[1]);
    case Fn::max: return max(args[0], args[1]);
    case Fn::div: {  // truncates toward zero: the same as rounding down for a numerator that cannot be negative
      const auto by = args[1].constant();
      if (!by || *by <= 0 || symbols.interval(args[0]).least < 0) return std::nullopt;
      return floordiv(args[0], args[1]);
    }
    case Fn::mod: {
      const auto by = args[1].constant();
      return by && *by > 0 ? std::optional(mod(args[0], args[1])) : std::nullopt;
    }
    case Fn::equal: return truth(symbols.known_equal(args[0], args[1]));
    case Fn::less: return truth(symbols.known_less(args[0], args[1]));
    case Fn::greater: return truth(symbols.known_less(args[1], args[0]));
    case Fn::where: {
      const auto condition = args[0].constant();
      if (!condition) return std::nullopt;
      return *condition ? args[1] : args[2];
    }
    default: return std::nullopt;
  }
}

/// Contents of result 0 for rank-0 and rank-1 integer operands whose contents are known.
std::optional<std::vector<Dim>> fold_elems(const Expr& expr, std::span<const Fact> in, const Shape& out, const Symbols& symbols) {
  if (!out.has_rank() || out.rank() > 1) return std::nullopt;
  const auto count = out.rank() == 0 ? std::optional<int64_t>(1) : out[0].constant();
  if (!count || *count > Fact::kMaxElems) return std::nullopt;
  for (const Fact& fact : in)
    if (!fact.elems || (fact.elems->size() != 1 && static_cast<int64_t>(fact.elems->size()) != *count)) return std::nullopt;
  std::vector<Dim> result;
  for (int64_t i = 0; i < *count; ++i) {
    std::vector<std::optional<Dim>> values;
    for (const ExprNode& node : expr.nodes) {
      if (node.fn == Fn::input) {
        const std::vector<Dim>& elems = *in[static_cast<size_t>(node.input)].elems;
        values.emplace_back(elems[elems.size() == 1 ? 0 : static_cast<size_t>(i)]);
        continue;
      }
      if (node.fn == Fn::constant) {
        values.push_back(is_float(node.type) ? std::nullopt : std::optional<Dim>(node.integer));
        continue;
      }
      std::vector<Dim> args;
      for (int a = 0; a < arity_of(node.fn); ++a)
        if (const auto& value = values[static_cast<size_t>(node.args[a])]) args.push_back(*value);
      values.push_back(static_cast<int>(args.size()) == arity_of(node.fn) ? apply(node, args, symbols) : std::nullopt);
    }
    const auto& value = values[static_cast<size_t>(expr.results[0])];
    if (!value) return std::nullopt;
    result.push_back(*value);
  }
  return result;
}

}  // namespace

Result<Facts> infer(const Pointwise& op, std::span<const Fact> in, InferCtx& ctx) {
  TENON_OK(verify(op.expr));
  if (static_cast<int>(in.size()) < op.expr.input_count())
    return fail("the expression has {} inputs, the node {}", op.expr.input_count(), in.size());
  for (const ExprNode& node : op.expr.nodes)
    if (node.fn == Fn::input && in[static_cast<size_t>(node.input)].dtype() != node.type)
      return fail("input {} is {}, the expression wants {}", node.input, to_string(in[static_cast<size_t>(node.input)].dtype()),
                  to_string(node.type));
  Shape shape;
  for (const Fact& fact : in) {
    TENON_TRY(joined, broadcast_shapes(shape, fact.shape()));
    shape = std::move(joined);
  }
  Facts out;
  for (const int result : op.expr.results) out.push_back(Fact(op.expr.type_of(result), shape));
  if (out.size() == 1 && (is_int(out[0].dtype()) || out[0].dtype() == DType::boolean))
    out[0].elems = fold_elems(op.expr, in, shape, *ctx.symbols);
  return out;
}

Result<engine::Problem> problem(const Pointwise& op, std::span<const Fact> in, std::span<const Fact> out) {
  engine::PointwiseProblem p{.expr = op.expr, .out = out[0].shape()};
  for (const Fact& fact : in) {
    if (!fact.has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
    p.in.push_back(fact.shape());
  }
  return engine::Problem(std::move(p));
}

template OpRow make_row<Pointwise>();

}  // namespace tenon::ops
