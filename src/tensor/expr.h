// Expr: a small DAG of scalar operations on broadcast inputs. Stands alone (op Pointwise) or is the epilogue of an anchor, whose
// result is then input 0. Text: {t0 = sigmoid(x0:f32); mul(x0:f32, t0)}; several results are separated by commas.
#pragma once
#include "tensor/dtype.h"
#include "tensor/fact.h"

namespace tenon {

enum class Fn : uint8_t {
  input,
  constant,
  // one argument
  cast,
  cast_saturate,
  abs,
  neg,
  sign,
  floor,
  ceil,
  round,
  trunc,
  sqrt,
  reciprocal,
  exp,
  log,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  erf,
  sigmoid,
  softplus,
  relu,
  logical_not,
  bit_not,
  is_nan,
  is_inf,
  // two
  add,
  sub,
  mul,
  div,
  mod,
  fmod,
  pow,
  min,
  max,
  logical_and,
  logical_or,
  logical_xor,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,
  equal,
  less,
  less_equal,
  greater,
  greater_equal,
  // three
  where,
};
constexpr auto enum_names(Fn) {
  return std::array<std::string_view, 58>{
      "input",      "constant",    "cast",          "cast_saturate", "abs",         "neg",        "sign",        "floor",  "ceil",
      "round",      "trunc",       "sqrt",          "reciprocal",    "exp",         "log",        "sin",         "cos",    "tan",
      "asin",       "acos",        "atan",          "sinh",          "cosh",        "tanh",       "asinh",       "acosh",  "atanh",
      "erf",        "sigmoid",     "softplus",      "relu",          "logical_not", "bit_not",    "is_nan",      "is_inf", "add",
      "sub",        "mul",         "div",           "mod",           "fmod",        "pow",        "min",         "max",    "logical_and",
      "logical_or", "logical_xor", "bit_and",       "bit_or",        "bit_xor",     "shift_left", "shift_right", "equal",  "less",
      "less_equal", "greater",     "greater_equal", "where"};
}
int arity_of(Fn fn);

/// Types: an input and a constant say theirs; a cast has its target's; comparisons and is_* give bool; logical_* take and give bool;
/// where(bool, a, b) and all else have the type of their (last) operand, and all operands agree in it.
/// mod: sign of the divisor (ints: Python's %); fmod: sign of the dividend. div of ints truncates toward zero.
struct ExprNode {
  Fn fn = Fn::input;
  DType type = DType::none;
  int args[3] = {-1, -1, -1};  // indices of earlier nodes
  int input = -1;              // Fn::input
  double real = 0;             // Fn::constant of a float type
  int64_t integer = 0;         // Fn::constant of an integer or bool type
};

struct Expr {
  std::vector<ExprNode> nodes;  // in order: arguments come first
  std::vector<int> results;

  bool empty() const { return nodes.empty(); }
  int input_count() const;  // 1 + the largest input index
  // Builders: return the index of the new node.
  int add_input(int index, DType type);
  int add_real(double value, DType type);
  int add_int(int64_t value, DType type);
  int add_constant(double value, DType type);  // real or integer, as the type wants
  int add_cast(int a, DType to, bool saturate = false);
  int add(Fn fn, int a, int b = -1, int c = -1);
  DType type_of(int node) const { return nodes[static_cast<size_t>(node)].type; }
};

/// Rules above, argument order, result indices; errors name the node.
Result<void> verify(const Expr& expr);
std::string to_string(const Expr& expr);
Result<Expr> parse_expr(Scanner& in);
template <>
struct TypeOf<Expr> {
  static const TypeRow& row();
};

/// `outer` with its input `at` replaced by result 0 of `inner`. Inner's input i becomes input inner_inputs[i] of the result, outer's
/// input j becomes outer_inputs[j] (ignored at `at`).
Expr compose(const Expr& inner, const std::vector<int>& inner_inputs, const Expr& outer, int at, const std::vector<int>& outer_inputs);

/// Plain evaluation: broadcasts `in` to the shape of each `out` (one per result) and stores with the result's rounding.
/// Floats compute in f32 (f64 in f64), ints in 64 bits wrapped to their type; casts round. Outputs must be allocated.
Result<void> evaluate(const Expr& expr, std::span<const Tensor> in, std::span<Tensor> out);

}  // namespace tenon
