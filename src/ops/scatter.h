// ScatterElements and ScatterND: data, indices, updates; a copy of data with updates put or combined at indices.
#pragma once
#include <functional>

#include "ops/row.h"

namespace tenon::ops {

using engine::ScatterReduction;

struct ScatterElements {
  int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr std::string_view kName = "ScatterElements";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "axis", &ScatterElements::axis}, Field{2, "reduction", &ScatterElements::reduction}};
};
Result<Facts> infer(const ScatterElements& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const ScatterElements& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const ScatterElements& op, std::span<const HostValue> in, std::span<HostValue> out);

struct ScatterND {
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr std::string_view kName = "ScatterND";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "reduction", &ScatterND::reduction}};
};
Result<Facts> infer(const ScatterND& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const ScatterND& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const ScatterND& op, std::span<const HostValue> in, std::span<HostValue> out);

/// Calls body(target, updates): target begins as data, both are as they are or, where numbers are combined, widened; then stores target
/// into out, which has as many elements.
Result<void> scatter_into(ScatterReduction reduction, const Tensor& data, const Tensor& updates, Tensor& out,
                          const std::function<Result<void>(Tensor& target, const Tensor& updates)>& body);
/// For such a body: puts updates[i, i + count) at target[at, …) or combines them. is_unsigned: the data are 64-bit and without sign.
void put_updates(ScatterReduction reduction, bool is_unsigned, Tensor& target, int64_t at, const Tensor& updates, int64_t i, int64_t count);

}  // namespace tenon::ops
