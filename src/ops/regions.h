// What operators with regions and containers share: the type that several alternatives have in common.
#pragma once
#include <set>

#include "tensor/op.h"

namespace tenon::ops {

/// Equal parts stay, the rest becomes unknown: dims that differ make the whole shape unknown.
ValueType join_types(const ValueType& a, const ValueType& b);

/// The fact of a value that comes from one of two places. Dims that differ become new symbols.
Result<Fact> join_facts(const Fact& a, const Fact& b, std::string_view stem, InferCtx& ctx);

/// A value that a body takes and gives back, step after step.
class Carried {
 public:
  explicit Carried(Fact initial);
  /// What every step may assume of it.
  const Fact& fact() const { return fact_; }
  /// Generalises to what a step gives back; true if that changed the fact, so that the body must be looked at again.
  Result<bool> meet(const Fact& back, InferCtx& ctx);
  /// After the last step: sizes that change from step to step get names of their own.
  Fact after(InferCtx& ctx) const;

 private:
  Fact fact_;
  std::set<size_t> loose_;  // dims that change from step to step
};

/// Carried values and the other facts that the body takes → facts of the body's outputs, when nothing changes any more.
/// `first`: the body's inputs before the carried ones, `last` those behind; `skip`: outputs of the body before the carried ones.
Result<Facts> settle(std::vector<Carried>& carried, const Facts& first, const Facts& last, size_t skip, InferCtx& ctx);

/// Dims that name a symbol which only the body knows become new symbols: `outside` are the facts of the node's inputs.
Shape without_local_symbols(const Shape& shape, std::span<const Fact> outside, std::string_view stem, InferCtx& ctx);

}  // namespace tenon::ops
