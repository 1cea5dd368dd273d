// Dim: a size that may depend on symbols. A canonical polynomial with integer coefficients over symbols and opaque
// floordiv, mod, min, max and broadcast terms; two equal polynomials print the same text. A dim names its symbols.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace tenon {

struct DimAtom;
using DimAtomRef = std::shared_ptr<const DimAtom>;

class Dim {
 public:
  Dim(int64_t constant = 0) : constant_(constant) {}
  static Dim symbol(std::string_view name);

  std::optional<int64_t> constant() const { return terms_ ? std::nullopt : std::optional<int64_t>(constant_); }
  bool is_constant() const { return !terms_; }
  /// The name, when this dim is one symbol and nothing else.
  std::optional<std::string_view> as_symbol() const;
  /// Adds the names of all symbols in it, in order, without repeats.
  void collect(std::vector<std::string>& names) const;

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floordiv(const Dim& a, const Dim& b);
  friend Dim ceildiv(const Dim& a, const Dim& b);
  friend Dim mod(const Dim& a, const Dim& b);  // result has the sign of b, as floordiv rounds down
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  /// The size that a and b have together under ONNX broadcasting: one of them, where both are equal or one is 1.
  friend Dim broadcast(const Dim& a, const Dim& b);
  /// a / b when b divides every term exactly, else nothing.
  friend std::optional<Dim> exact_div(const Dim& a, const Dim& b);
  /// Same canonical form. Different forms may still be equal: see `known_equal`.
  friend bool operator==(const Dim& a, const Dim& b);

  struct Term {
    int64_t factor = 1;
    std::vector<DimAtomRef> atoms;  // sorted by text, repeats stand for powers
  };
  const std::vector<Term>& terms() const;
  int64_t constant_term() const { return constant_; }

 private:
  friend Dim make_dim(int64_t constant, std::vector<Term> terms);
  int64_t constant_ = 0;
  std::shared_ptr<const std::vector<Term>> terms_;  // null for a constant; sorted by text
};

struct DimAtom {
  enum class Kind : uint8_t { symbol, floordiv, mod, min, max, broadcast };
  Kind kind = Kind::symbol;
  std::string text;  // the symbol's name, or "floordiv(a, b)": also the sort key
  Dim a, b;
};

/// The function of this kind, of two dims.
Dim apply(DimAtom::Kind kind, const Dim& a, const Dim& b);

std::string to_string(const Dim& dim);
Result<Dim> parse_dim(Scanner& in);

/// Values of symbols. Evaluation of a dim with a symbol that stands in none fails.
using DimValues = std::map<std::string, int64_t, std::less<>>;
/// The value; errors: an unbound symbol, division by zero, sizes that do not broadcast, a result beyond 62 bits.
Result<int64_t> evaluate(const Dim& dim, const DimValues& values);
/// Replaces bound symbols, keeps the others.
Dim substitute(const Dim& dim, const std::map<std::string, Dim, std::less<>>& with);

enum class Known : uint8_t { no, yes, unknown };
/// Intervals of symbols: a symbol that is not listed lies in [0, 2^62).
struct Interval {
  int64_t least = 0, most = INT64_MAX / 2;
};
struct Symbols {
  std::map<std::string, Interval, std::less<>> rows;
  int64_t minted = 0;

  /// A fresh symbol, named `stem` and a number.
  Dim mint(std::string_view stem);
  Interval interval(const Dim& dim) const;
  Known known_equal(const Dim& a, const Dim& b) const;
  Known known_less(const Dim& a, const Dim& b) const;
};

template <>
struct TypeOf<Dim> {
  static const TypeRow& row();
};

}  // namespace tenon
