// What dims come to: values and intervals of symbols.
#include "tensor/dim.h"
#include "tensor/saturate.h"

namespace tenon {
namespace {

Result<int64_t> atom_value(const DimAtom& atom, const DimValues& values) {
  if (atom.kind == DimAtom::Kind::symbol) {
    const auto at = values.find(atom.text);
    if (at == values.end()) return fail("the size '{}' is not known yet", atom.text);
    return at->second;
  }
  TENON_TRY(a, evaluate(atom.a, values));
  TENON_TRY(b, evaluate(atom.b, values));
  if (atom.kind == DimAtom::Kind::min) return std::min(a, b);
  if (atom.kind == DimAtom::Kind::max) return std::max(a, b);
  if (atom.kind == DimAtom::Kind::broadcast) {
    if (a != b && a != 1 && b != 1) return fail("sizes {} and {} do not broadcast", a, b);
    return a == 1 ? b : a;
  }
  if (b == 0) return fail("{} divides by zero", atom.text);
  return atom.kind == DimAtom::Kind::floordiv ? floor_div(a, b) : floor_mod(a, b);
}

}  // namespace

Result<int64_t> evaluate(const Dim& dim, const DimValues& values) {
  int64_t sum = dim.constant_term();
  for (const Dim::Term& term : dim.terms()) {
    int64_t product = term.factor;
    for (const DimAtomRef& atom : term.atoms) {
      TENON_TRY(value, atom_value(*atom, values));
      product = clamp_mul(product, value);
    }
    sum = clamp_add(sum, product);
  }
  if (sum >= kLargest || sum <= -kLargest) return fail("the size {} is beyond 2^62", to_string(dim));
  return sum;
}

Dim substitute(const Dim& dim, const std::map<std::string, Dim, std::less<>>& with) {
  Dim out(dim.constant_term());
  for (const Dim::Term& term : dim.terms()) {
    Dim product(term.factor);
    for (const DimAtomRef& atom : term.atoms) {
      if (atom->kind == DimAtom::Kind::symbol) {
        const auto at = with.find(atom->text);
        product = product * (at == with.end() ? Dim::symbol(atom->text) : at->second);
        continue;
      }
      product = product * apply(atom->kind, substitute(atom->a, with), substitute(atom->b, with));
    }
    out = out + product;
  }
  return out;
}

Dim Symbols::mint(std::string_view stem) {
  std::string name;
  do {
    name = strf("{}.{}", stem, minted++);
  } while (rows.contains(name));
  rows[name] = {};
  return Dim::symbol(name);
}

Interval Symbols::interval(const Dim& dim) const {
  Interval sum{dim.constant_term(), dim.constant_term()};
  for (const Dim::Term& term : dim.terms()) {
    Interval product{1, 1};
    for (const DimAtomRef& atom : term.atoms) {
      Interval x{0, kLargest};
      if (atom->kind == DimAtom::Kind::symbol) {
        if (const auto at = rows.find(atom->text); at != rows.end()) x = at->second;
      } else if (atom->kind == DimAtom::Kind::min || atom->kind == DimAtom::Kind::max) {
        const Interval a = interval(atom->a), b = interval(atom->b);
        x = atom->kind == DimAtom::Kind::min ? Interval{std::min(a.least, b.least), std::min(a.most, b.most)}
                                             : Interval{std::max(a.least, b.least), std::max(a.most, b.most)};
      } else if (atom->kind == DimAtom::Kind::broadcast) {
        const Interval a = interval(atom->a), b = interval(atom->b);
        x = {std::min(a.least, b.least), std::max(a.most, b.most)};
      } else if (const auto by = atom->b.constant(); by && *by > 0) {
        const Interval a = interval(atom->a);
        x = atom->kind == DimAtom::Kind::mod ? Interval{0, *by - 1} : Interval{floor_div(a.least, *by), floor_div(a.most, *by)};
      } else {
        x = {-kLargest, kLargest};
      }
      const int64_t ends[] = {clamp_mul(product.least, x.least), clamp_mul(product.least, x.most), clamp_mul(product.most, x.least),
                              clamp_mul(product.most, x.most)};
      product = {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
    }
    const int64_t a = clamp_mul(term.factor, product.least), b = clamp_mul(term.factor, product.most);
    sum = {clamp_add(sum.least, std::min(a, b)), clamp_add(sum.most, std::max(a, b))};
  }
  return sum;
}

Known Symbols::known_equal(const Dim& a, const Dim& b) const {
  if (a == b) return Known::yes;
  const Interval difference = interval(a - b);
  return difference.least > 0 || difference.most < 0 ? Known::no : Known::unknown;
}

Known Symbols::known_less(const Dim& a, const Dim& b) const {
  const Interval difference = interval(a - b);
  if (difference.most < 0) return Known::yes;
  return difference.least >= 0 ? Known::no : Known::unknown;
}

}  // namespace tenon
