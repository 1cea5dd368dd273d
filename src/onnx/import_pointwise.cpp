// Element-wise operators: each is one Pointwise node whose expression is the formula of the specification.
#include <cmath>
#include <limits>
#include <numbers>

#include "onnx/node_import.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/text.h"
#include "tensor/convert.h"

namespace tenon::onnx {
namespace {

Values unary(NodeImport& n, const std::function<Term(Term)>& formula) {
  return {n.pointwise({n.required(0, "X")}, [&](const std::vector<Term>& x) { return formula(x[0]); })};
}
template <Fn fn>
Values unary(NodeImport& n) {
  return unary(n, [](Term x) { return apply(fn, x); });
}

/// Before opset 7, B broadcasts to A only when `broadcast` says so, and `axis` says where its dims lie among A's.
Values binary_inputs(NodeImport& n) {
  const ValueId a = n.required(0, "A");
  ValueId b = n.required(1, "B");
  if (n.opset() < 7 && n.int_attr("broadcast", 0) != 0 && n.has_attr("axis")) {
    const int64_t rank = n.rank(a), axis = n.axis(n.int_attr("axis", 0), rank);
    Dims axes;
    for (int64_t at = n.rank(b); at < rank - axis; ++at) axes.push_back(at);
    if (!axes.empty()) b = n.emit(ops::Unsqueeze{.axes = axes}, {b});
  }
  return {a, b};
}
Values binary(NodeImport& n, const std::function<Term(Term, Term)>& formula) {
  return {n.pointwise(binary_inputs(n), [&](const std::vector<Term>& x) { return formula(x[0], x[1]); })};
}
template <Fn fn>
Values binary(NodeImport& n) {
  return binary(n, [](Term a, Term b) { return apply(fn, a, b); });
}

/// Sum, Mean, Max, Min: any number of inputs, one node.
Values variadic(NodeImport& n, Fn fn, bool mean) {
  if (n.input_count() == 0) n.refuse("takes at least one input");
  return {n.pointwise(n.inputs(), [&](const std::vector<Term>& x) {
    Term all = x[0];
    for (size_t i = 1; i < x.size(); ++i) all = apply(fn, all, x[i]);
    return mean ? all / static_cast<double>(x.size()) : all;
  })};
}

Term sigmoid(Term x) { return apply(Fn::sigmoid, x); }
Term tanh(Term x) { return apply(Fn::tanh, x); }
Term exp(Term x) { return apply(Fn::exp, x); }
Term softplus(Term x) { return apply(Fn::softplus, x); }
Term abs(Term x) { return apply(Fn::abs, x); }
Term lnot(Term x) { return apply(Fn::logical_not, x); }

}  // namespace

// One function per operator and Fn, where the two mean the same.
#define UNARY(name, fn) \
  Result<Values> import_##name(NodeImport& n) { return unary<Fn::fn>(n); }
UNARY(abs, abs)
UNARY(neg, neg)
UNARY(sign, sign)
UNARY(floor, floor)
UNARY(ceil, ceil)
UNARY(round, round)
UNARY(sqrt, sqrt)
UNARY(reciprocal, reciprocal)
UNARY(exp, exp)
UNARY(log, log)
UNARY(sin, sin)
UNARY(cos, cos)
UNARY(tan, tan)
UNARY(asin, asin)
UNARY(acos, acos)
UNARY(atan, atan)
UNARY(sinh, sinh)
UNARY(cosh, cosh)
UNARY(tanh, tanh)
UNARY(asinh, asinh)
UNARY(acosh, acosh)
UNARY(atanh, atanh)
UNARY(erf, erf)
UNARY(sigmoid, sigmoid)
UNARY(softplus, softplus)
UNARY(relu, relu)
UNARY(not, logical_not)
UNARY(bitwise_not, bit_not)
UNARY(is_nan, is_nan)
#undef UNARY
#define BINARY(name, fn) \
  Result<Values> import_##name(NodeImport& n) { return binary<Fn::fn>(n); }
BINARY(add, add)
BINARY(sub, sub)
BINARY(mul, mul)
BINARY(div, div)
BINARY(and, logical_and)
BINARY(or, logical_or)
BINARY(xor, logical_xor)
BINARY(bitwise_and, bit_and)
BINARY(bitwise_or, bit_or)
BINARY(bitwise_xor, bit_xor)
BINARY(less, less)
BINARY(less_or_equal, less_equal)
BINARY(greater, greater)
BINARY(greater_or_equal, greater_equal)
#undef BINARY

Result<Values> import_equal(NodeImport& n) {
  if (n.dtype(n.input(0)) == DType::str) return Values{n.emit(ops::StringEqual{}, {n.required(0, "A"), n.required(1, "B")})};
  return binary<Fn::equal>(n);
}

Result<Values> import_sum(NodeImport& n) { return variadic(n, Fn::add, false); }
Result<Values> import_mean(NodeImport& n) { return variadic(n, Fn::add, true); }
Result<Values> import_max(NodeImport& n) { return variadic(n, Fn::max, false); }
Result<Values> import_min(NodeImport& n) { return variadic(n, Fn::min, false); }

Result<Values> import_leaky_relu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0.01f);
  return unary(n, [&](Term x) { return where(x < 0, x * alpha, x); });
}
Result<Values> import_prelu(NodeImport& n) {
  const ValueId x = n.required(0, "X");
  ValueId slope = n.required(1, "slope");
  // Before opset 7 a slope of shape [C] belongs to X's dim 1; later ones broadcast from the right.
  if (n.opset() < 7 && n.fact(x).has_rank() && n.fact(slope).has_rank() && n.rank(slope) == 1 && n.rank(x) > 2) {
    Dims axes;
    for (int64_t at = 1; at < n.rank(x) - 1; ++at) axes.push_back(at);
    if (n.size(slope, 0) != 1) slope = n.emit(ops::Unsqueeze{.axes = axes}, {slope});
  }
  return Values{n.pointwise({x, slope}, [](const std::vector<Term>& t) { return where(t[0] < 0, t[0] * t[1], t[0]); })};
}
Result<Values> import_elu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  return unary(n, [&](Term x) { return where(x < 0, (exp(x) - 1) * alpha, x); });
}
Result<Values> import_celu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  return unary(n, [&](Term x) { return max(x, x.constant(0)) + min(x.constant(0), (exp(x / alpha) - 1) * alpha); });
}
Result<Values> import_selu(NodeImport& n) {
  // Opset 1 has shorter defaults.
  const double alpha = n.float_attr("alpha", n.opset() < 6 ? 1.6732f : 1.67326319217681884765625f);
  const double gamma = n.float_attr("gamma", n.opset() < 6 ? 1.0507f : 1.05070102214813232421875f);
  return unary(n, [&](Term x) { return where(x <= 0, (exp(x) - 1) * alpha, x) * gamma; });
}
Result<Values> import_gelu(NodeImport& n) {
  const std::string approximate = n.string_attr("approximate", "none");
  return unary(n, [&](Term x) {
    if (approximate != "tanh") return x * 0.5 * (apply(Fn::erf, x * std::numbers::sqrt2 * 0.5) + 1);
    const double scale = std::sqrt(2 / std::numbers::pi);
    return x * 0.5 * (tanh((x + x * x * x * 0.044715) * scale) + 1);
  });
}
Result<Values> import_hard_sigmoid(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 0.2f), beta = n.float_attr("beta", 0.5f);
  return unary(n, [&](Term x) { return max(x.constant(0), min(x.constant(1), x * alpha + beta)); });
}
Result<Values> import_hard_swish(NodeImport& n) {
  return unary(n, [](Term x) { return x * max(x.constant(0), min(x.constant(1), x * (1.0 / 6) + 0.5)); });
}
Result<Values> import_swish(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  return unary(n, [&](Term x) { return x * sigmoid(alpha == 1 ? x : x * alpha); });
}
Result<Values> import_swi_glu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  return Values{n.pointwise({n.required(0, "A"), n.required(1, "B")},
                            [&](const std::vector<Term>& t) { return t[0] * sigmoid(alpha == 1 ? t[0] : t[0] * alpha) * t[1]; })};
}
Result<Values> import_mish(NodeImport& n) {
  return unary(n, [](Term x) { return x * tanh(softplus(x)); });
}
Result<Values> import_softsign(NodeImport& n) {
  return unary(n, [](Term x) { return x / (abs(x) + 1); });
}
Result<Values> import_thresholded_relu(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1);
  return unary(n, [&](Term x) { return where(x > alpha, x, x.constant(0)); });
}
Result<Values> import_shrink(NodeImport& n) {
  const double bias = n.float_attr("bias", 0), lambd = n.float_attr("lambd", 0.5f);
  return unary(n, [&](Term x) {
    // Integers compare with lambd and add bias in float, as the reference implementation does.
    const Term wide = is_float(x.type()) ? x : x.cast(DType::f32);
    const Term zero = wide.constant(0);
    return where(wide < -lambd, wide + bias, where(wide > lambd, wide - bias, zero)).cast(x.type());
  });
}

Result<Values> import_clip(NodeImport& n) {
  const ValueId x = n.required(0, "input");
  if (n.opset() < 11) {
    const bool low = n.has_attr("min"), high = n.has_attr("max");
    const double least = n.float_attr("min", 0), most = n.float_attr("max", 0);
    if (!low && !high) return Values{x};
    return unary(n, [&](Term t) {
      if (low) t = max(t, t.constant(least));
      return high ? min(t, t.constant(most)) : t;
    });
  }
  Values in{x};
  if (n.has_input(1)) in.push_back(n.input(1));
  if (n.has_input(2)) in.push_back(n.input(2));
  if (in.size() == 1) return in;
  return Values{n.pointwise(in, [&](const std::vector<Term>& t) {
    Term y = t[0];
    size_t at = 1;
    if (n.has_input(1)) y = max(y, t[at++]);
    if (n.has_input(2)) y = min(y, t[at]);
    return y;
  })};
}

Result<Values> import_pow(NodeImport& n) {
  return binary(n, [](Term x, Term y) {
    if (x.type() == y.type()) return apply(Fn::pow, x, y);
    if (is_float(x.type())) return apply(Fn::pow, x, y.cast(x.type()));
    if (!is_float(y.type())) return apply(Fn::pow, x.cast(DType::i64), y.cast(DType::i64)).cast(x.type());
    return apply(Fn::pow, x.cast(DType::f64), y.cast(DType::f64)).cast(x.type());
  });
}
Result<Values> import_mod(NodeImport& n) {
  const bool fmod = n.int_attr("fmod", 0) != 0;
  return binary(n, [&](Term a, Term b) { return apply(fmod ? Fn::fmod : Fn::mod, a, b); });
}
Result<Values> import_bit_shift(NodeImport& n) {
  const std::string direction = n.string_attr("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") n.refuse("attribute 'direction' is '{}', wanted LEFT or RIGHT", direction);
  return binary(n, [&](Term a, Term b) { return apply(direction == "LEFT" ? Fn::shift_left : Fn::shift_right, a, b); });
}
/// Elements without arithmetic: those of x and y side by side, and the condition chooses.
ValueId where_of_elements(NodeImport& n, ValueId condition, ValueId x, ValueId y) {
  const auto like = [&](ValueId a, ValueId b) { return n.emit(ops::Expand{}, {a, n.emit(ops::ShapeOf{}, {b})}); };
  const auto first = [&](ValueId a) { return n.emit(ops::Unsqueeze{.axes = {0}}, {a}); };
  x = like(like(x, condition), y);
  const ValueId both = n.emit(ops::Concat{.axis = 0}, {first(like(y, x)), first(x)});
  const ValueId chosen = n.emit(ops::GatherElements{.axis = 0}, {both, first(like(n.cast(condition, DType::i64), x))});
  return n.emit(ops::Squeeze{.axes = {{0}}}, {chosen});
}

Result<Values> import_where(NodeImport& n) {
  const ValueId condition = n.required(0, "condition"), x = n.required(1, "X"), y = n.required(2, "Y");
  if (!n.failed() && n.dtype(x) != DType::none && !is_real(n.dtype(x))) return Values{where_of_elements(n, condition, x, y)};
  return Values{n.pointwise({condition, x, y}, [](const std::vector<Term>& t) { return where(t[0], t[1], t[2]); })};
}
Result<Values> import_is_inf(NodeImport& n) {
  const bool negative = n.int_attr("detect_negative", 1) != 0, positive = n.int_attr("detect_positive", 1) != 0;
  return unary(n, [&](Term x) {
    const Term any = apply(Fn::is_inf, x);
    if (negative && positive) return any;
    if (!negative && !positive) return apply(Fn::logical_and, any, lnot(any));
    return apply(Fn::logical_and, any, positive ? x > 0 : x < 0);
  });
}

}  // namespace tenon::onnx
