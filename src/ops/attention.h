// Attention: softmax(scale · q · kᵀ + mask) · v for each head. q [batch, heads, tq, d], k [batch, kv_heads, tk, d],
// v [batch, kv_heads, tk, dv], mask? broadcast to [batch, heads, tq, tk] → [batch, heads, tq, dv]. heads is a multiple of kv_heads.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Attention {
  double scale = 1;
  bool causal = false;  // query i sees keys up to i + tk - tq
  static constexpr std::string_view kName = "Attention";
  static constexpr auto kFields = std::tuple{Field{1, "scale", &Attention::scale}, Field{2, "causal", &Attention::causal}};
  static constexpr OpTraits kTraits = {.anchor = true, .operands = 3};
};
Result<Facts> infer(const Attention& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Attention& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
