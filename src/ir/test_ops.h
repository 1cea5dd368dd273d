// Operators for tests of ir alone: a unary anchor, a concatenation of anything, a branch with regions, a size that only data tells.
#pragma once
#include "ir/graph.h"
#include "ops/row.h"

namespace tenon::test_ops {

struct Unary {
  int64_t alpha = 0;
  double beta = 1;
  std::string mode;
  std::vector<int64_t> axes;
  static constexpr std::string_view kName = "Unary";
  static constexpr auto kFields = Fields{Field{1, "alpha", &Unary::alpha}, Field{2, "beta", &Unary::beta}, Field{3, "mode", &Unary::mode},
                                         Field{4, "axes", &Unary::axes}};
  static constexpr ops::OpTraits kTraits{.anchor = true};
};
inline Result<Facts> infer(const Unary&, std::span<const Fact> in, InferCtx&) {
  if (in.empty()) return fail("wants an input");
  return Facts{Fact(in[0].type)};
}

struct Join {  // any inputs, any number of outputs, all like the first input
  static constexpr std::string_view kName = "Join";
  static constexpr auto kFields = Fields{};
};
inline Result<Facts> infer(const Join&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty()) return fail("wants inputs");
  return Facts(static_cast<size_t>(ctx.output_count), Fact(in[0].type));
}

struct Find {  // [x] → i64[fresh]
  static constexpr std::string_view kName = "Find";
  static constexpr auto kFields = Fields{};
};
inline Result<Facts> infer(const Find&, std::span<const Fact>, InferCtx& ctx) { return Facts{Fact(DType::i64, Shape{ctx.mint("found")})}; }

struct Branch {  // condition, captures…; regions then, else
  static constexpr std::string_view kName = "Branch";
  static constexpr auto kFields = Fields{};
  static constexpr ops::OpTraits kTraits{.has_regions = true};
};
inline Result<Facts> infer(const Branch&, std::span<const Fact> in, InferCtx& ctx) {
  if (in.empty()) return fail("wants a condition");
  const Facts captures(in.begin() + 1, in.end());
  TENON_OK(ctx.region(1, captures));
  return ctx.region(0, captures);
}

inline const std::vector<OpRow>& table() {
  static const std::vector<OpRow> rows = {ops::make_row<Unary>(), ops::make_row<Join>(), ops::make_row<Find>(), ops::make_row<Branch>()};
  return rows;
}
template <class T>
Op make_op(T attributes = {}) {
  for (const OpRow& row : table())
    if (row.name == T::kName) return Op(row, std::make_shared<T>(std::move(attributes)));
  return {};
}

}  // namespace tenon::test_ops
