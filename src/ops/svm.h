// What support vector machines compute that is no product of matrices.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

/// x [N, F], y [S, F], the same float type → [N, S]: the sum over F of (x - y)².
struct SquaredDistance {
  static constexpr std::string_view kName = "SquaredDistance";
  static constexpr auto kFields = Fields{};
  static constexpr OpTraits kTraits{.operands = 2};
};
Result<Facts> infer(const SquaredDistance& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const SquaredDistance& op, std::span<const HostValue> in, std::span<HostValue> out);

/// x f32 [N, classes · (classes - 1) / 2]: for each pair i < j of classes, in order, the probability of i where it is one of the two.
/// → f32 [N, classes]: the probabilities that agree with these best, found as LIBSVM finds them (Wu, Lin, Weng: Probability Estimates
/// for Multi-class Classification by Pairwise Coupling, 2004, the second method), with its stopping rule.
struct PairCoupling {
  int64_t classes = 2;
  static constexpr std::string_view kName = "PairCoupling";
  static constexpr auto kFields = Fields{Field{1, "classes", &PairCoupling::classes}};
};
Result<Facts> infer(const PairCoupling& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const PairCoupling& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
