// Products that keep their precision whatever the build asks for.
#pragma once
#include "ir/rewriter.h"
#include "ops/mat_mul.h"

namespace tenon::passes {

/// Frequencies times positions: the angles need their bits, and there is no sum to win time in.
inline bool is_outer_product(const ir::Rewriter& rw, const ir::Node& node) {
  const auto* product = node.op.as<ops::MatMul>();
  const Fact& a = rw.fact(node.in[0]);
  return product && a.has_rank() && a.rank() > 1 && a.shape()[a.rank() - (product->trans_a ? 2 : 1)] == Dim(1);
}

}  // namespace tenon::passes
