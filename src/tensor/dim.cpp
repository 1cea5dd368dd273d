#include "tensor/dim.h"

#include <algorithm>

#include "tensor/saturate.h"

namespace tenon {
namespace {

/// The functions, as they are spelled.
std::optional<DimAtom::Kind> function_kind(std::string_view name) {
  if (name == "floordiv") return DimAtom::Kind::floordiv;
  if (name == "mod") return DimAtom::Kind::mod;
  if (name == "min") return DimAtom::Kind::min;
  if (name == "max") return DimAtom::Kind::max;
  if (name == "broadcast") return DimAtom::Kind::broadcast;
  return std::nullopt;
}

bool is_identifier(std::string_view name) {
  if (name.empty() || function_kind(name)) return false;
  Scanner in(name);
  return in.identifier() == name;
}

std::string key_of(const std::vector<DimAtomRef>& atoms) {
  std::string out;
  for (const DimAtomRef& atom : atoms) {
    if (!out.empty()) out += '*';
    out += atom->kind != DimAtom::Kind::symbol || is_identifier(atom->text) ? atom->text : quote(atom->text);
  }
  return out;
}

Dim atom_dim(DimAtom atom);

}  // namespace

Dim make_dim(int64_t constant, std::vector<Dim::Term> terms) {
  std::vector<std::pair<std::string, Dim::Term>> keyed;
  for (Dim::Term& term : terms) {
    std::sort(term.atoms.begin(), term.atoms.end(), [](const DimAtomRef& a, const DimAtomRef& b) { return a->text < b->text; });
    std::string key = key_of(term.atoms);
    auto at = std::find_if(keyed.begin(), keyed.end(), [&](const auto& k) { return k.first == key; });
    if (at == keyed.end()) {
      keyed.emplace_back(std::move(key), std::move(term));
    } else {
      at->second.factor = clamp_add(at->second.factor, term.factor);
    }
  }
  std::erase_if(keyed, [](const auto& k) { return k.second.factor == 0; });
  std::sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Dim out(std::clamp(constant, -kLargest, kLargest));
  if (keyed.empty()) return out;
  auto list = std::make_shared<std::vector<Dim::Term>>();
  for (auto& [key, term] : keyed) list->push_back(std::move(term));
  out.terms_ = std::move(list);
  return out;
}

namespace {

Dim atom_dim(DimAtom atom) {
  Dim::Term term;
  term.atoms.push_back(std::make_shared<const DimAtom>(std::move(atom)));
  return make_dim(0, {std::move(term)});
}

Dim opaque(DimAtom::Kind kind, std::string_view name, const Dim& a, const Dim& b) {
  return atom_dim({kind, strf("{}({}, {})", name, to_string(a), to_string(b)), a, b});
}

}  // namespace

Dim Dim::symbol(std::string_view name) { return atom_dim({DimAtom::Kind::symbol, std::string(name), 0, 0}); }

const std::vector<Dim::Term>& Dim::terms() const {
  static const std::vector<Term> none;
  return terms_ ? *terms_ : none;
}

std::optional<std::string_view> Dim::as_symbol() const {
  if (!terms_ || constant_ != 0 || terms_->size() != 1) return std::nullopt;
  const Term& term = terms_->front();
  if (term.factor != 1 || term.atoms.size() != 1 || term.atoms[0]->kind != DimAtom::Kind::symbol) return std::nullopt;
  return term.atoms[0]->text;
}

void Dim::collect(std::vector<std::string>& names) const {
  for (const Term& term : terms()) {
    for (const DimAtomRef& atom : term.atoms) {
      if (atom->kind == DimAtom::Kind::symbol) {
        if (std::find(names.begin(), names.end(), atom->text) == names.end()) names.push_back(atom->text);
      } else {
        atom->a.collect(names);
        atom->b.collect(names);
      }
    }
  }
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(clamp_add(a.constant_, b.constant_));
  std::vector<Dim::Term> terms = a.terms();
  terms.insert(terms.end(), b.terms().begin(), b.terms().end());
  return make_dim(clamp_add(a.constant_, b.constant_), std::move(terms));
}

Dim operator-(const Dim& a, const Dim& b) { return a + Dim(-1) * b; }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) return Dim(clamp_mul(a.constant_, b.constant_));
  std::vector<Dim::Term> left = a.terms(), right = b.terms(), terms;
  if (a.constant_ != 0) left.push_back({a.constant_, {}});
  if (b.constant_ != 0) right.push_back({b.constant_, {}});
  int64_t constant = 0;
  for (const Dim::Term& x : left) {
    for (const Dim::Term& y : right) {
      Dim::Term product{clamp_mul(x.factor, y.factor), x.atoms};
      product.atoms.insert(product.atoms.end(), y.atoms.begin(), y.atoms.end());
      if (product.atoms.empty()) {
        constant = clamp_add(constant, product.factor);
      } else {
        terms.push_back(std::move(product));
      }
    }
  }
  return make_dim(constant, std::move(terms));
}

std::optional<Dim> exact_div(const Dim& a, const Dim& b) {
  if (b == Dim(0)) return std::nullopt;
  if (a == b) return Dim(1);
  if (b == Dim(-1)) return Dim(0) - a;
  Dim::Term divisor{b.constant_, {}};
  if (!b.is_constant()) {
    if (b.constant_ != 0 || b.terms().size() != 1) return std::nullopt;
    divisor = b.terms().front();
  }
  std::vector<Dim::Term> terms = a.terms();
  if ((a.constant_ != 0 && !divisor.atoms.empty()) || a.constant_ % divisor.factor != 0) return std::nullopt;
  int64_t constant = a.constant_ / divisor.factor;
  std::vector<Dim::Term> out;
  for (Dim::Term& term : terms) {
    if (term.factor % divisor.factor != 0) return std::nullopt;
    term.factor /= divisor.factor;
    for (const DimAtomRef& atom : divisor.atoms) {
      auto at = std::find_if(term.atoms.begin(), term.atoms.end(), [&](const DimAtomRef& x) { return x->text == atom->text; });
      if (at == term.atoms.end()) return std::nullopt;
      term.atoms.erase(at);
    }
    if (term.atoms.empty()) {
      constant = clamp_add(constant, term.factor);
    } else {
      out.push_back(std::move(term));
    }
  }
  return make_dim(constant, std::move(out));
}

Dim floordiv(const Dim& a, const Dim& b) {
  if (b == Dim(1)) return a;
  if (a.is_constant() && b.is_constant() && b.constant_ != 0) return Dim(floor_div(a.constant_, b.constant_));
  if (auto exact = exact_div(a, b)) return *exact;
  if (b.is_constant() && b.constant_ > 1) {  // floor((k*q + r) / k) = q + floor(r / k): whole multiples come out
    std::vector<Dim::Term> whole, rest;
    for (const Dim::Term& term : a.terms()) (term.factor % b.constant_ == 0 ? whole : rest).push_back(term);
    const int64_t out = floor_div(a.constant_, b.constant_);
    if (!whole.empty() || out != 0) {
      for (Dim::Term& term : whole) term.factor /= b.constant_;
      const Dim inner = make_dim(floor_mod(a.constant_, b.constant_), std::move(rest));
      return make_dim(out, std::move(whole)) + floordiv(inner, b);
    }
  }
  return opaque(DimAtom::Kind::floordiv, "floordiv", a, b);
}

Dim ceildiv(const Dim& a, const Dim& b) { return floordiv(a + b - 1, b); }

Dim mod(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant() && b.constant_ != 0) return Dim(floor_mod(a.constant_, b.constant_));
  if (exact_div(a, b)) return Dim(0);
  return opaque(DimAtom::Kind::mod, "mod", a, b);
}

namespace {

/// The one min or max that the dim is, else null.
const DimAtom* atom_of(const Dim& dim, DimAtom::Kind kind) {
  if (dim.is_constant() || dim.constant_term() != 0 || dim.terms().size() != 1) return nullptr;
  const Dim::Term& term = dim.terms().front();
  return term.factor == 1 && term.atoms.size() == 1 && term.atoms.front()->kind == kind ? term.atoms.front().get() : nullptr;
}

/// The operands of nested ones: max(a, max(b, c)) has three.
void collect_operands(const Dim& dim, DimAtom::Kind kind, std::vector<Dim>& out) {
  if (const DimAtom* atom = atom_of(dim, kind)) {
    collect_operands(atom->a, kind, out);
    collect_operands(atom->b, kind, out);
  } else {
    out.push_back(dim);
  }
}

/// Whether max(x, y) is y (min: of the smaller one): they differ by a number, or x is a min that has y as an operand.
bool yields(const Dim& x, const Dim& y, DimAtom::Kind kind) {
  const bool is_max = kind == DimAtom::Kind::max;
  if (const auto difference = (x - y).constant()) return is_max ? *difference <= 0 : *difference >= 0;
  const DimAtom::Kind other = is_max ? DimAtom::Kind::min : DimAtom::Kind::max;
  if (!atom_of(x, other)) return false;
  std::vector<Dim> operands;
  collect_operands(x, other, operands);
  return std::find(operands.begin(), operands.end(), y) != operands.end();
}

Dim extreme(DimAtom::Kind kind, std::string_view name, const Dim& a, const Dim& b) {
  std::vector<Dim> operands, kept;
  collect_operands(a, kind, operands);
  collect_operands(b, kind, operands);
  for (const Dim& operand : operands) {
    if (std::any_of(kept.begin(), kept.end(), [&](const Dim& other) { return yields(operand, other, kind); })) continue;
    std::erase_if(kept, [&](const Dim& other) { return yields(other, operand, kind); });
    kept.push_back(operand);
  }
  std::sort(kept.begin(), kept.end(), [](const Dim& x, const Dim& y) { return to_string(x) < to_string(y); });
  Dim out = kept.back();
  for (size_t i = kept.size() - 1; i-- > 0;) out = opaque(kind, name, kept[i], out);
  return out;
}

}  // namespace

Dim min(const Dim& a, const Dim& b) { return extreme(DimAtom::Kind::min, "min", a, b); }
Dim max(const Dim& a, const Dim& b) { return extreme(DimAtom::Kind::max, "max", a, b); }

namespace {

/// Whether y adds nothing to x where both broadcast: it is min(x, numbers from 1 on), so x, or less and then 1.
bool adds_nothing(const Dim& y, const Dim& x) {
  if (!atom_of(y, DimAtom::Kind::min)) return false;
  std::vector<Dim> operands;
  collect_operands(y, DimAtom::Kind::min, operands);
  const auto fits = [&](const Dim& operand) { return operand == x || operand.constant().value_or(0) >= 1; };
  return std::find(operands.begin(), operands.end(), x) != operands.end() && std::all_of(operands.begin(), operands.end(), fits);
}

}  // namespace

Dim broadcast(const Dim& a, const Dim& b) {
  std::vector<Dim> operands, kept;
  collect_operands(a, DimAtom::Kind::broadcast, operands);
  collect_operands(b, DimAtom::Kind::broadcast, operands);
  for (const Dim& operand : operands) {
    if (operand.is_constant() && operand.constant() != 1) return operand;  // the others are the same number or 1
    if (operand.constant() != 1 && std::find(kept.begin(), kept.end(), operand) == kept.end()) kept.push_back(operand);
  }
  if (kept.empty()) return Dim(1);
  const std::vector<Dim> all = kept;
  std::erase_if(kept, [&](const Dim& y) { return std::any_of(all.begin(), all.end(), [&](const Dim& x) { return adds_nothing(y, x); }); });
  std::sort(kept.begin(), kept.end(), [](const Dim& x, const Dim& y) { return to_string(x) < to_string(y); });
  Dim out = kept.back();
  for (size_t i = kept.size() - 1; i-- > 0;) out = opaque(DimAtom::Kind::broadcast, "broadcast", kept[i], out);
  return out;
}

Dim apply(DimAtom::Kind kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case DimAtom::Kind::floordiv: return floordiv(a, b);
    case DimAtom::Kind::mod: return mod(a, b);
    case DimAtom::Kind::min: return min(a, b);
    case DimAtom::Kind::max: return max(a, b);
    default: return broadcast(a, b);
  }
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.constant_ != b.constant_ || a.is_constant() != b.is_constant()) return false;
  if (a.is_constant() || a.terms_ == b.terms_) return true;
  const auto &left = a.terms(), &right = b.terms();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const Dim::Term& x, const Dim::Term& y) {
    return x.factor == y.factor && std::equal(x.atoms.begin(), x.atoms.end(), y.atoms.begin(), y.atoms.end(),
                                              [](const DimAtomRef& p, const DimAtomRef& q) { return p == q || p->text == q->text; });
  });
}

std::string to_string(const Dim& dim) {
  std::string out;
  for (const Dim::Term& term : dim.terms()) {
    if (!out.empty() && term.factor >= 0) out += '+';
    if (term.factor == -1) {
      out += '-';
    } else if (term.factor != 1) {
      out += strf("{}*", term.factor);
    }
    out += key_of(term.atoms);
  }
  const int64_t constant = dim.constant_term();
  if (out.empty()) return strf("{}", constant);
  if (constant != 0) out += strf("{:+}", constant);
  return out;
}

namespace {

constexpr int kMaxNesting = 100;

Result<Dim> parse_sum(Scanner& in, int depth);

Result<Dim> parse_factor(Scanner& in, int depth) {
  const char next = in.peek();
  if (next >= '0' && next <= '9') {
    TENON_TRY(value, in.integer());
    return Dim(value);
  }
  if (in.accept("(")) {
    TENON_TRY(inner, parse_sum(in, depth + 1));
    TENON_OK(in.expect(")"));
    return inner;
  }
  if (next == '"') {  // a symbol whose name is no identifier
    TENON_TRY(name, in.quoted());
    return Dim::symbol(name);
  }
  const std::string name(in.identifier());
  if (name.empty()) return in.error("wanted a dim");
  const auto function = function_kind(name);
  if (!function || !in.accept("(")) return Dim::symbol(name);
  TENON_TRY(a, parse_sum(in, depth + 1));
  TENON_OK(in.expect(","));
  TENON_TRY(b, parse_sum(in, depth + 1));
  TENON_OK(in.expect(")"));
  return apply(*function, a, b);
}

Result<Dim> parse_product(Scanner& in, int depth) {
  TENON_TRY(first, parse_factor(in, depth));
  Dim out = first;
  while (in.accept("*")) {
    TENON_TRY(next, parse_factor(in, depth));
    out = out * next;
  }
  return out;
}

Result<Dim> parse_sum(Scanner& in, int depth) {
  if (depth > kMaxNesting) return in.error("a dim is nested too deeply");
  Dim out(0);
  bool negative = in.accept("-");
  while (true) {
    TENON_TRY(term, parse_product(in, depth));
    out = negative ? out - term : out + term;
    if (in.accept("+")) {
      negative = false;
    } else if (in.accept("-")) {
      negative = true;
    } else {
      return out;
    }
  }
}

}  // namespace

Result<Dim> parse_dim(Scanner& in) { return parse_sum(in, 0); }

const TypeRow& TypeOf<Dim>::row() {
  static const TypeRow row = [] {
    TypeRow r;
    r.kind = TypeRow::Kind::leaf;
    r.name = "dim";
    r.print = [](const void* v, std::string& out) { out += to_string(*static_cast<const Dim*>(v)); };
    r.parse = [](Scanner& in, void* v) -> Result<void> {
      TENON_TRY(dim, parse_dim(in));
      *static_cast<Dim*>(v) = dim;
      return {};
    };
    return r;
  }();
  return row;
}

}  // namespace tenon
