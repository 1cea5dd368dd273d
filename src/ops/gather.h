// Gather and its relatives: data and i32 or i64 indices, negative ones from the end.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

/// out[a, i, b] = data[a, indices[i], b], i over all dims of indices.
struct Gather {
  int64_t axis = 0;
  static constexpr std::string_view kName = "Gather";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &Gather::axis}};
};
Result<Facts> infer(const Gather& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Gather& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const Gather& op, std::span<const HostValue> in, std::span<HostValue> out);

/// out has the shape of indices: out[…i…] = data[…indices[…i…]…] along `axis`.
struct GatherElements {
  int64_t axis = 0;
  static constexpr std::string_view kName = "GatherElements";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &GatherElements::axis}};
};
Result<Facts> infer(const GatherElements& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const GatherElements& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const GatherElements& op, std::span<const HostValue> in, std::span<HostValue> out);

/// The last dim of indices holds coordinates of data, after batch_dims common dims.
struct GatherND {
  int64_t batch_dims = 0;
  static constexpr std::string_view kName = "GatherND";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "batch_dims", &GatherND::batch_dims}};
};
Result<Facts> infer(const GatherND& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const GatherND& op, std::span<const Fact> in, std::span<const Fact> out);
Result<void> eval(const GatherND& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
