// Random: numbers of a distribution, in the shape that the input holds. A seed gives the same numbers in every run of a process.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class RandomKind : uint8_t { uniform, normal };
constexpr auto enum_names(RandomKind) { return std::array<std::string_view, 2>{"uniform", "normal"}; }

struct Random {
  RandomKind kind = RandomKind::uniform;
  DType dtype = DType::f32;
  double a = 0;  // uniform: least; normal: mean
  double b = 1;  // uniform: limit; normal: deviation
  std::optional<double> seed;
  static constexpr std::string_view kName = "Random";
  static constexpr OpTraits kTraits{.impure = true};
  static constexpr auto kFields = Fields{Field{1, "kind", &Random::kind}, Field{2, "dtype", &Random::dtype}, Field{3, "a", &Random::a},
                                         Field{4, "b", &Random::b}, Field{5, "seed", &Random::seed}};
};
Result<Facts> infer(const Random& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Random& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
