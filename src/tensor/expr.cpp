#include "tensor/expr.h"

#include <algorithm>

#include "tensor/convert.h"

namespace tenon {
namespace {

bool is_comparison(Fn fn) { return fn >= Fn::equal && fn <= Fn::greater_equal; }
bool is_logical(Fn fn) { return fn == Fn::logical_not || (fn >= Fn::logical_and && fn <= Fn::logical_xor); }
bool is_bitwise(Fn fn) { return fn == Fn::bit_not || (fn >= Fn::bit_and && fn <= Fn::shift_right); }
/// Functions that have a meaning for real numbers only.
bool wants_floats(Fn fn) { return (fn >= Fn::floor && fn <= Fn::softplus) || fn == Fn::is_nan || fn == Fn::is_inf; }

DType result_type(const Expr& expr, const ExprNode& node) {
  if (is_comparison(node.fn) || is_logical(node.fn) || node.fn == Fn::is_nan || node.fn == Fn::is_inf) return DType::boolean;
  return expr.type_of(node.args[arity_of(node.fn) - 1]);
}

Result<void> verify_node(const Expr& expr, int index) {
  const ExprNode& node = expr.nodes[static_cast<size_t>(index)];
  const std::string_view name = enum_names(Fn{})[static_cast<size_t>(node.fn)];
  const auto refuse = [&](const std::string& why) { return fail("expression node {} ({}): {}", index, name, why); };
  if (!is_real(node.type)) return refuse(strf("no arithmetic on elements of type {}", to_string(node.type)));
  const int arity = arity_of(node.fn);
  for (int i = 0; i < 3; ++i) {
    if (i < arity ? node.args[i] < 0 || node.args[i] >= index : node.args[i] != -1)
      return refuse(strf("argument {} is node {}, wanted {}", i, node.args[i], i < arity ? "an earlier one" : "none"));
  }
  if (node.fn == Fn::input) return node.input >= 0 && node.input < (1 << 20) ? Result<void>() : refuse(strf("input {}", node.input));
  if (arity == 0 || node.fn == Fn::cast || node.fn == Fn::cast_saturate) return {};
  const DType type = expr.type_of(node.args[arity - 1]);
  for (int i = node.fn == Fn::where ? 1 : 0; i < arity; ++i)
    if (expr.type_of(node.args[i]) != type)
      return refuse(strf("operands of types {} and {}", to_string(expr.type_of(node.args[i])), to_string(type)));
  if (node.fn == Fn::where && expr.type_of(node.args[0]) != DType::boolean)
    return refuse(strf("a condition of type {}, wanted bool", to_string(expr.type_of(node.args[0]))));
  if (is_logical(node.fn) && type != DType::boolean) return refuse(strf("operands of type {}, wanted bool", to_string(type)));
  if (is_bitwise(node.fn) && is_float(type)) return refuse(strf("operands of type {}, wanted integers", to_string(type)));
  if (wants_floats(node.fn) && !is_float(type)) return refuse(strf("an operand of type {}, wanted a float", to_string(type)));
  if (node.type != result_type(expr, node))
    return refuse(strf("has type {}, wanted {}", to_string(node.type), to_string(result_type(expr, node))));
  return {};
}

}  // namespace

int arity_of(Fn fn) {
  if (fn <= Fn::constant) return 0;
  if (fn <= Fn::is_inf) return 1;
  return fn == Fn::where ? 3 : 2;
}

int Expr::input_count() const {
  int count = 0;
  for (const ExprNode& node : nodes)
    if (node.fn == Fn::input) count = std::max(count, node.input + 1);
  return count;
}

int Expr::add_input(int index, DType type) {
  nodes.push_back({.fn = Fn::input, .type = type, .input = index});
  return static_cast<int>(nodes.size()) - 1;
}

int Expr::add_real(double value, DType type) {
  // The value that the type holds: the text form is the shortest one that gives it back. What overflows a narrow type stays.
  if (type != DType::f64) value = static_cast<double>(static_cast<float>(value));
  nodes.push_back({.fn = Fn::constant, .type = type, .real = value});
  return static_cast<int>(nodes.size()) - 1;
}

int Expr::add_int(int64_t value, DType type) {
  nodes.push_back({.fn = Fn::constant, .type = type, .integer = value});
  return static_cast<int>(nodes.size()) - 1;
}

int Expr::add_constant(double value, DType type) {
  if (is_float(type)) return add_real(value, type);
  int64_t integer = 0;
  convert_elems(DType::f64, reinterpret_cast<const std::byte*>(&value), 0, DType::i64, reinterpret_cast<std::byte*>(&integer), 0, 1);
  return add_int(integer, type);
}

int Expr::add_cast(int a, DType to, bool saturate) {
  nodes.push_back({.fn = saturate ? Fn::cast_saturate : Fn::cast, .type = to, .args = {a, -1, -1}});
  return static_cast<int>(nodes.size()) - 1;
}

int Expr::add(Fn fn, int a, int b, int c) {
  ExprNode node{.fn = fn, .args = {a, b, c}};
  node.type = result_type(*this, node);
  nodes.push_back(node);
  return static_cast<int>(nodes.size()) - 1;
}

Result<void> verify(const Expr& expr) {
  const int count = static_cast<int>(expr.nodes.size());
  for (int i = 0; i < count; ++i) TENON_OK(verify_node(expr, i));
  for (const int result : expr.results)
    if (result < 0 || result >= count) return fail("expression result {} of {} nodes", result, count);
  return {};
}

Expr compose(const Expr& inner, const std::vector<int>& inner_inputs, const Expr& outer, int at, const std::vector<int>& outer_inputs) {
  Expr out;
  const auto append = [&](const Expr& from, const std::vector<int>& inputs, int replaced, int by) {
    std::vector<int> index(from.nodes.size());
    for (size_t i = 0; i < from.nodes.size(); ++i) {
      ExprNode node = from.nodes[i];
      if (node.fn == Fn::input && node.input == replaced) {
        index[i] = by;
        continue;
      }
      if (node.fn == Fn::input) node.input = inputs[static_cast<size_t>(node.input)];
      for (int& arg : node.args)
        if (arg >= 0) arg = index[static_cast<size_t>(arg)];
      const auto same = std::find_if(out.nodes.begin(), out.nodes.end(),
                                     [&](const ExprNode& n) { return n.fn == Fn::input && n.input == node.input && n.type == node.type; });
      if (node.fn == Fn::input && same != out.nodes.end()) {
        index[i] = static_cast<int>(same - out.nodes.begin());
        continue;
      }
      index[i] = static_cast<int>(out.nodes.size());
      out.nodes.push_back(node);
    }
    return index;
  };
  const std::vector<int> inner_index = append(inner, inner_inputs, -1, -1);
  const std::vector<int> outer_index = append(outer, outer_inputs, at, inner_index[static_cast<size_t>(inner.results[0])]);
  for (const int result : outer.results) out.results.push_back(outer_index[static_cast<size_t>(result)]);
  return out;
}

}  // namespace tenon
