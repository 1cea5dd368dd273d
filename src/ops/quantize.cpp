#include "ops/quantize.h"

namespace tenon::ops {
namespace {

template <class T>
Result<void> check(const T& op, std::span<const Fact> in) {
  if (in.size() < 2) return fail("x and scale are wanted, got {} inputs", in.size());
  const Fact &x = in[0], &scale = in[1];
  if (op.block_size < 0) return fail("block_size is {}", op.block_size);
  if (!x.has_rank() || !scale.has_rank()) return {};
  if (op.block_size > 0 && scale.rank() != x.rank())
    return fail("blocks want a scale of x's rank: {} for {}", to_string(scale.shape()), to_string(x.shape()));
  if (op.block_size == 0 && scale.rank() > 1) return fail("the scale {} is neither a scalar nor a vector", to_string(scale.shape()));
  const bool scalar = scale.rank() == 0 || (op.block_size == 0 && scale.shape()[0] == Dim(1));
  if (!scalar) TENON_OK(normalize_axis(op.axis, x.rank()));
  return {};
}

}  // namespace

Result<Facts> infer(const QuantizeLinear& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check(op, in));
  const DType dtype = op.dtype != DType::none ? op.dtype : present(in, 2) ? in[2].dtype() : DType::u8;
  return Facts{Fact(dtype, in[0].shape())};
}
Result<Facts> infer(const DequantizeLinear& op, std::span<const Fact> in, InferCtx&) {
  TENON_OK(check(op, in));
  return Facts{Fact(op.dtype != DType::none ? op.dtype : in[1].dtype(), in[0].shape())};
}

namespace {

/// Types whose arithmetic an expression says exactly as the evaluators do.
bool is_plain_number(DType type) { return is_float(type) ? bits_of(type) >= 16 : is_int(type) && bits_of(type) >= 8; }

int as_type(Expr& expr, int node, DType type) { return expr.type_of(node) == type ? node : expr.add_cast(node, type); }

/// The expression's operands: x, the scale and the zero point, if there is one, beside the elements that they serve.
template <class T>
Result<std::vector<Shape>> quantized_operands(const T& op, std::span<const Fact> in) {
  const Fact &x = in[0], &scale = in[1];
  const bool has_zero = present(in, 2);
  if (!x.has_rank() || !scale.has_rank() || op.block_size > 0) return fail(ErrorKind::unsupported, "blocks, or ranks that are not known");
  if (has_zero && (!in[2].has_rank() || !(in[2].shape().elems() == scale.shape().elems())))
    return fail(ErrorKind::unsupported, "scale and zero point differ");
  for (const Fact& fact : in.first(has_zero ? 3 : 2))
    if (!is_plain_number(fact.dtype())) return fail(ErrorKind::unsupported, "narrow types");
  Shape served;
  if (!(scale.shape().elems() == Dim(1))) {
    TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
    const Dim &size = x.shape()[axis], &scales = scale.shape()[0];
    if (size.is_constant() && scales.is_constant() && !(size == scales)) return fail(ErrorKind::unsupported, "scales do not fit");
    served.dims().assign(static_cast<size_t>(x.rank() - axis), 1);
    served[0] = scales;
  }
  std::vector<Shape> out = {x.shape(), served};
  if (has_zero) out.push_back(served);
  return out;
}

}  // namespace

Result<engine::Problem> problem(const QuantizeLinear& op, std::span<const Fact> in, std::span<const Fact> out) {
  TENON_TRY(operands, quantized_operands(op, in));
  const DType type = out[0].dtype(), precision = op.precision != DType::none ? op.precision : in[1].dtype();
  if (!is_int(type) || !is_plain_number(type)) return fail(ErrorKind::unsupported, "narrow types");
  Expr expr;
  const int x = as_type(expr, expr.add_input(0, in[0].dtype()), DType::f32);
  const int scale = as_type(expr, expr.add_input(1, in[1].dtype()), DType::f32);
  int quotient = expr.add(Fn::div, x, scale);
  if (is_float(precision) && bits_of(precision) < 32) quotient = expr.add_cast(expr.add_cast(quotient, precision), DType::f32);
  // So far that a zero point cannot leave 64 bits.
  const int near = expr.add(Fn::max, expr.add(Fn::round, quotient), expr.add_real(-1e15, DType::f32));
  int whole = expr.add_cast(expr.add(Fn::min, near, expr.add_real(1e15, DType::f32)), DType::i64);
  if (operands.size() > 2) whole = expr.add(Fn::add, whole, as_type(expr, expr.add_input(2, in[2].dtype()), DType::i64));
  expr.results = {expr.add_cast(whole, type, true)};
  return engine::Problem(engine::PointwiseProblem{.expr = std::move(expr), .in = std::move(operands), .out = out[0].shape()});
}

Result<engine::Problem> problem(const DequantizeLinear& op, std::span<const Fact> in, std::span<const Fact> out) {
  TENON_TRY(operands, quantized_operands(op, in));
  if (!is_int(in[0].dtype()) || !is_float(out[0].dtype()) || !is_plain_number(out[0].dtype()))
    return fail(ErrorKind::unsupported, "narrow types");
  Expr expr;
  int x = as_type(expr, expr.add_input(0, in[0].dtype()), DType::i64);
  const int scale = as_type(expr, expr.add_input(1, in[1].dtype()), DType::f32);
  if (operands.size() > 2) x = expr.add(Fn::sub, x, as_type(expr, expr.add_input(2, in[2].dtype()), DType::i64));
  expr.results = {as_type(expr, expr.add(Fn::mul, expr.add_cast(x, DType::f32), scale), out[0].dtype())};
  return engine::Problem(engine::PointwiseProblem{.expr = std::move(expr), .in = std::move(operands), .out = out[0].shape()});
}

template OpRow make_row<DequantizeLinear>();
template OpRow make_row<QuantizeLinear>();

}  // namespace tenon::ops
