// Attention: softmax(scale · q · kᵀ + mask) · v for each head. q [batch, heads, tq, d], k [batch, kv_heads, tk, d],
// v [batch, kv_heads, tk, dv], mask? broadcast to [batch, heads, tq, tk] → [batch, heads, tq, dv]. heads is a multiple of kv_heads.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Attention {
  double scale = 1;
  bool causal = false;        // query i sees keys up to i + tk - tq
  std::vector<Dim> sizes;     // batch, heads, kv_heads, tq, tk, d, dv where an operand is a larger tensor; else its dims say them
  engine::HeadsView q, k, v;  // where an operand lies in such a tensor
  std::vector<int64_t> perm;  // dim i of the result is dim perm[i] of [batch, heads, tq, dv], the last is the last; empty: as they are
  bool nan_to_zero = false;   // a row of weights that are no numbers, as of a query that sees no key, counts as zeros
  static constexpr std::string_view kName = "Attention";
  static constexpr auto kFields = Fields{Field{1, "scale", &Attention::scale}, Field{2, "causal", &Attention::causal},
                                         Field{3, "sizes", &Attention::sizes}, Field{4, "q", &Attention::q},
                                         Field{5, "k", &Attention::k},         Field{6, "v", &Attention::v},
                                         Field{7, "perm", &Attention::perm},   Field{8, "nan_to_zero", &Attention::nan_to_zero}};
  static constexpr OpTraits kTraits = {.anchor = true, .operands = 3};
};
Result<Facts> infer(const Attention& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Attention& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
