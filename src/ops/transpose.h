// Transpose: output dim i is input dim perm[i].
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Transpose {
  std::vector<int64_t> perm;  // one entry per dim
  static constexpr std::string_view kName = "Transpose";
  static constexpr auto kFields = Fields{Field{1, "perm", &Transpose::perm}};
};
Result<Facts> infer(const Transpose& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Transpose& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
