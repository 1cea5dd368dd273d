#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/expr.h"

namespace tenon {
namespace {

// Text nests at most this deep; taller expressions get more names. It bounds the recursion of both directions.
constexpr int kMaxHeight = 24;
constexpr size_t kMaxNodes = 1 << 16;

bool is_leaf(const ExprNode& node) { return node.fn == Fn::input || node.fn == Fn::constant; }

std::string constant_text(const ExprNode& node) {
  if (!is_float(node.type)) return strf("{}:{}", node.integer, to_string(node.type));
  const bool shorter = node.type != DType::f64 && std::isfinite(node.real);
  return strf("{}:{}", shorter ? strf("{}", static_cast<float>(node.real)) : real_text(node.real), to_string(node.type));
}

/// Prints by the graph alone, however its nodes are ordered: equal expressions have equal text.
class Printer {
 public:
  explicit Printer(const Expr& expr) : expr_(expr), uses_(expr.nodes.size(), 0), name_(expr.nodes.size(), -1) {}

  std::string text() {
    std::string out = "{", results;
    const std::vector<int> order = visit();
    int names = 0;
    for (const int i : order) {
      if (!is_named(i)) continue;
      out += strf("t{} = {}; ", names, node_text(i));
      name_[static_cast<size_t>(i)] = names++;
    }
    for (const int result : expr_.results) {
      if (!results.empty()) results += ", ";
      results += ref(result);
    }
    return out + results + "}";
  }

 private:
  const ExprNode& node(int i) const { return expr_.nodes[static_cast<size_t>(i)]; }

  /// Nodes that results need, arguments first; counts uses and heights. Iterative: expressions may be deep.
  std::vector<int> visit() {
    std::vector<int> order, stack;
    std::vector<uint8_t> state(expr_.nodes.size(), 0);
    height_.assign(expr_.nodes.size(), 0);
    for (const int result : expr_.results) {
      ++uses_[static_cast<size_t>(result)];
      stack.push_back(result);
      while (!stack.empty()) {
        const int i = stack.back();
        uint8_t& seen = state[static_cast<size_t>(i)];
        if (seen == 2) {
          stack.pop_back();
        } else if (seen == 1) {
          stack.pop_back();
          seen = 2;
          finish(i);
          order.push_back(i);
        } else {
          seen = 1;
          for (int k = arity_of(node(i).fn); k-- > 0;) {
            ++uses_[static_cast<size_t>(node(i).args[k])];
            stack.push_back(node(i).args[k]);
          }
        }
      }
    }
    return order;
  }

  void finish(int i) {
    int height = 0;
    for (int k = 0; k < arity_of(node(i).fn); ++k) height = std::max(height, height_[static_cast<size_t>(node(i).args[k])] + 1);
    height_[static_cast<size_t>(i)] = height;
  }

  bool is_named(int i) const {
    const auto k = static_cast<size_t>(i);
    return !is_leaf(node(i)) && (uses_[k] > 1 || height_[k] % kMaxHeight == kMaxHeight - 1);
  }

  std::string ref(int i) const {
    const int name = name_[static_cast<size_t>(i)];
    return name >= 0 ? strf("t{}", name) : node_text(i);
  }

  std::string node_text(int i) const {
    const ExprNode& n = node(i);
    if (n.fn == Fn::input) return strf("x{}:{}", n.input, to_string(n.type));
    if (n.fn == Fn::constant) return constant_text(n);
    std::string out = strf("{}(", enum_names(Fn{})[static_cast<size_t>(n.fn)]);
    for (int k = 0; k < arity_of(n.fn); ++k) {
      if (k) out += ", ";
      out += ref(n.args[k]);
    }
    out += ")";
    if (n.fn == Fn::cast || n.fn == Fn::cast_saturate) out += strf(":{}", to_string(n.type));
    return out;
  }

  const Expr& expr_;
  std::vector<int> uses_, name_, height_;
};

std::optional<int> number_after(char letter, std::string_view word) {
  int value = 0;
  if (word.size() < 2 || word[0] != letter) return std::nullopt;
  const auto [end, status] = std::from_chars(word.data() + 1, word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || value < 0) return std::nullopt;
  return value;
}

class Parser {
 public:
  explicit Parser(Scanner& in) : in_(in) {}

  Result<Expr> parse() {
    TENON_OK(in_.expect("{"));
    while (!in_.accept("}")) {
      const size_t start = in_.mark();
      const auto name = number_after('t', in_.identifier());
      if (name && in_.accept("=")) {
        if (*name != static_cast<int>(named_.size())) return in_.error(strf("wanted t{} next", named_.size()));
        TENON_TRY(node, value(0));
        named_.push_back(node);
        TENON_OK(in_.expect(";"));
        continue;
      }
      in_.rewind(start);
      if (!expr_.results.empty()) TENON_OK(in_.expect(","));
      TENON_TRY(result, value(0));
      expr_.results.push_back(result);
    }
    TENON_OK(verify(expr_));
    return std::move(expr_);
  }

 private:
  Result<DType> type() {
    TENON_OK(in_.expect(":"));
    const std::string_view name = in_.identifier();
    const auto found = dtype_of(name);
    if (!found) return in_.error(strf("'{}' is no element type", name));
    return *found;
  }

  Result<int> constant() {
    // The type follows the number and decides how to read it.
    const size_t start = in_.mark();
    TENON_TRY(real, in_.real());
    const size_t colon = in_.mark();
    TENON_TRY(to, type());
    if (is_float(to)) return expr_.add_real(real, to);
    const size_t end = in_.mark();
    in_.rewind(start);
    TENON_TRY(integer, in_.integer());
    if (in_.mark() != colon) return in_.error(strf("wanted an integer for {}", to_string(to)));
    in_.rewind(end);
    return expr_.add_int(integer, to);
  }

  Result<int> value(int depth) {
    if (depth > 2 * kMaxHeight) return in_.error("an expression is nested too deeply");
    if (expr_.nodes.size() >= kMaxNodes) return in_.error("an expression has too many nodes");
    const size_t start = in_.mark();
    const std::string_view word = in_.identifier();
    if (word.empty() || word == "nan" || word == "inf") {
      in_.rewind(start);
      return constant();
    }
    if (const auto name = number_after('t', word)) {
      if (*name >= static_cast<int>(named_.size())) return in_.error(strf("t{} is not defined yet", *name));
      return named_[static_cast<size_t>(*name)];
    }
    if (const auto input = number_after('x', word)) {
      TENON_TRY(of, type());
      for (size_t i = 0; i < expr_.nodes.size(); ++i) {
        const ExprNode& node = expr_.nodes[i];
        if (node.fn == Fn::input && node.input == *input && node.type == of) return static_cast<int>(i);
      }
      return expr_.add_input(*input, of);
    }
    return call(word, depth);
  }

  Result<int> call(std::string_view word, int depth) {
    const auto names = enum_names(Fn{});
    const auto at = std::find(names.begin() + 2, names.end(), word);
    if (at == names.end()) return in_.error(strf("'{}' is no function", word));
    const Fn fn = static_cast<Fn>(at - names.begin());
    int args[3] = {-1, -1, -1};
    TENON_OK(in_.expect("("));
    for (int i = 0; i < arity_of(fn); ++i) {
      if (i) TENON_OK(in_.expect(","));
      TENON_TRY(arg, value(depth + 1));
      args[i] = arg;
    }
    TENON_OK(in_.expect(")"));
    if (fn != Fn::cast && fn != Fn::cast_saturate) return expr_.add(fn, args[0], args[1], args[2]);
    TENON_TRY(to, type());
    return expr_.add_cast(args[0], to, fn == Fn::cast_saturate);
  }

  Scanner& in_;
  Expr expr_;
  std::vector<int> named_;
};

}  // namespace

std::string to_string(const Expr& expr) {
  if (const auto status = verify(expr); !status.ok()) return strf("{{invalid: {}}}", status.error().message());
  return Printer(expr).text();
}

Result<Expr> parse_expr(Scanner& in) { return Parser(in).parse(); }

const TypeRow& TypeOf<Expr>::row() {
  static const TypeRow row = [] {
    TypeRow r;
    r.kind = TypeRow::Kind::leaf;
    r.name = "expr";
    r.print = [](const void* v, std::string& out) { out += to_string(*static_cast<const Expr*>(v)); };
    r.parse = [](Scanner& in, void* v) -> Result<void> {
      TENON_TRY(expr, parse_expr(in));
      *static_cast<Expr*>(v) = std::move(expr);
      return {};
    };
    return r;
  }();
  return row;
}

}  // namespace tenon
