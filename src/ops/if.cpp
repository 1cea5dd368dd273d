#include "ops/if.h"

#include "ops/regions.h"

namespace tenon::ops {

Result<Facts> infer(const If&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty() || (in[0].dtype() != DType::boolean && in[0].dtype() != DType::none)) return fail("the condition is no bool");
  const Facts captures(in.begin() + 1, in.end());
  TENON_TRY(then, ctx.region(0, captures));
  TENON_TRY(otherwise, ctx.region(1, captures));
  if (then.size() != otherwise.size()) return fail("the bodies give {} and {} values", then.size(), otherwise.size());
  Facts out;
  for (size_t i = 0; i < then.size(); ++i) {
    TENON_TRY(joined, join_facts(then[i], otherwise[i], "if", ctx));
    joined.constant = nullptr;
    out.push_back(std::move(joined));
  }
  return out;
}

template OpRow make_row<If>();

}  // namespace tenon::ops
