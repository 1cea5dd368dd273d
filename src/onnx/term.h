// Term: a scalar expression under construction, so that importers read like the formulas of the ONNX specification.
#pragma once
#include "tensor/expr.h"

namespace tenon::onnx {

struct Term {
  Expr* expr = nullptr;
  int node = -1;

  DType type() const { return expr->type_of(node); }
  /// A constant of this term's type.
  Term constant(double value) const { return {expr, expr->add_constant(value, type())}; }
  Term cast(DType to) const { return type() == to ? *this : Term{expr, expr->add_cast(node, to)}; }
};

inline Term apply(Fn fn, Term a) { return {a.expr, a.expr->add(fn, a.node)}; }
inline Term apply(Fn fn, Term a, Term b) { return {a.expr, a.expr->add(fn, a.node, b.node)}; }
inline Term where(Term condition, Term a, Term b) { return {a.expr, a.expr->add(Fn::where, condition.node, a.node, b.node)}; }

inline Term operator+(Term a, Term b) { return apply(Fn::add, a, b); }
inline Term operator-(Term a, Term b) { return apply(Fn::sub, a, b); }
inline Term operator*(Term a, Term b) { return apply(Fn::mul, a, b); }
inline Term operator/(Term a, Term b) { return apply(Fn::div, a, b); }
inline Term operator<(Term a, Term b) { return apply(Fn::less, a, b); }
inline Term operator>(Term a, Term b) { return apply(Fn::greater, a, b); }
inline Term operator<=(Term a, Term b) { return apply(Fn::less_equal, a, b); }
inline Term operator>=(Term a, Term b) { return apply(Fn::greater_equal, a, b); }
inline Term operator-(Term a) { return apply(Fn::neg, a); }
inline Term operator+(Term a, double b) { return a + a.constant(b); }
inline Term operator-(Term a, double b) { return a - a.constant(b); }
inline Term operator*(Term a, double b) { return a * a.constant(b); }
inline Term operator/(Term a, double b) { return a / a.constant(b); }
inline Term operator<(Term a, double b) { return a < a.constant(b); }
inline Term operator>(Term a, double b) { return a > a.constant(b); }
inline Term operator<=(Term a, double b) { return a <= a.constant(b); }
inline Term operator>=(Term a, double b) { return a >= a.constant(b); }
inline Term min(Term a, Term b) { return apply(Fn::min, a, b); }
inline Term max(Term a, Term b) { return apply(Fn::max, a, b); }

}  // namespace tenon::onnx
