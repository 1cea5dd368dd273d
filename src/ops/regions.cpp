#include "ops/regions.h"

#include <algorithm>

namespace tenon::ops {

ValueType join_types(const ValueType& a, const ValueType& b) {
  if (a.is_tensor() && a.dtype == DType::none) return b;
  if (b.is_tensor() && b.dtype == DType::none) return a;
  if (a.kind != b.kind) return a.kind == ValueType::Kind::optional ? a : b.kind == ValueType::Kind::optional ? b : ValueType();
  ValueType out = a;
  if (a.dtype != b.dtype) out.dtype = DType::none;
  if (!(a.shape == b.shape)) out.shape = Shape::unknown();
  if (a.element && b.element) out.element = std::make_shared<const ValueType>(join_types(*a.element, *b.element));
  if (!a.element) out.element = b.element;
  return out;
}

Result<Fact> join_facts(const Fact& a, const Fact& b, std::string_view stem, InferCtx& ctx) {
  if (a.type.is_tensor() && b.type.is_tensor() && a.dtype() != DType::none && b.dtype() != DType::none && a.dtype() != b.dtype())
    return fail("a result is {} in one body and {} in the other", to_string(a.type), to_string(b.type));
  if (!a.has_rank() || !b.has_rank() || a.rank() != b.rank()) return Fact(join_types(a.type, b.type));
  Fact out(a.dtype() == DType::none ? b.dtype() : a.dtype(), a.shape());
  for (int64_t i = 0; i < a.rank(); ++i)
    if (!(a.shape()[i] == b.shape()[i])) out.type.shape[i] = ctx.mint(stem);
  if (a.elems && b.elems && *a.elems == *b.elems) out.elems = a.elems;
  return out;
}

Carried::Carried(Fact initial) : fact_(std::move(initial)) {
  fact_.constant = nullptr;
  fact_.elems.reset();
}

Result<bool> Carried::meet(const Fact& back, InferCtx& ctx) {
  ValueType& type = fact_.type;
  if (!type.is_tensor() || !back.type.is_tensor() || type.dtype == DType::none) {
    ValueType joined = join_types(type, back.type);
    const bool changed = !(joined == type);
    type = std::move(joined);
    return changed;
  }
  if (back.dtype() != DType::none && back.dtype() != type.dtype)
    return fail("a carried value is {}, the body gives back {}", to_string(type), to_string(back.type));
  if (!type.shape.has_rank()) return false;
  if (!back.has_rank() || back.rank() != type.shape.rank()) {
    type.shape = Shape::unknown();
    return true;
  }
  bool changed = false;
  for (int64_t i = 0; i < type.shape.rank(); ++i) {
    if (loose_.contains(static_cast<size_t>(i)) || type.shape[i] == back.shape()[i]) continue;
    loose_.insert(static_cast<size_t>(i));
    type.shape[i] = ctx.mint("carried");
    changed = true;
  }
  return changed;
}

Fact Carried::after(InferCtx& ctx) const {
  Fact out = fact_;
  for (const size_t i : loose_)
    if (out.has_rank()) out.type.shape[static_cast<int64_t>(i)] = ctx.mint("carried");
  return out;
}

Result<Facts> settle(std::vector<Carried>& carried, const Facts& first, const Facts& last, size_t skip, InferCtx& ctx) {
  // Every round loosens a dim or a rank for good, so this ends; the bound is for bodies that carry very many values.
  for (int round = 0; round < 64; ++round) {
    Facts in = first;
    for (const Carried& value : carried) in.push_back(value.fact());
    in.insert(in.end(), last.begin(), last.end());
    TENON_TRY(out, ctx.region(0, in));
    if (out.size() < skip + carried.size()) return fail("the body gives {} values, wanted at least {}", out.size(), skip + carried.size());
    bool changed = false;
    for (size_t i = 0; i < carried.size(); ++i) {
      TENON_TRY(one, carried[i].meet(out[skip + i], ctx));
      changed = changed || one;
    }
    if (!changed) return std::move(out);
  }
  return fail("the shapes of the carried values do not settle");
}

Shape without_local_symbols(const Shape& shape, std::span<const Fact> outside, std::string_view stem, InferCtx& ctx) {
  if (!shape.has_rank()) return shape;
  std::vector<std::string> known;
  for (const Fact& fact : outside) {
    if (fact.has_rank())
      for (const Dim& dim : fact.shape().dims()) dim.collect(known);
    if (fact.elems)
      for (const Dim& dim : *fact.elems) dim.collect(known);
  }
  Shape out = shape;
  for (Dim& dim : out.dims()) {
    std::vector<std::string> names;
    dim.collect(names);
    for (const std::string& name : names) {
      if (std::ranges::find(known, name) != known.end()) continue;
      dim = ctx.mint(stem);
      break;
    }
  }
  return out;
}

}  // namespace tenon::ops
