// TensorScatter: cache, update, write_indices? [batch] (none: 0) → the cache with update written along `axis` from the indices on.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct TensorScatter {
  int64_t axis = -2;
  bool circular = false;  // wraps around the end instead of failing
  static constexpr std::string_view kName = "TensorScatter";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "axis", &TensorScatter::axis}, Field{2, "circular", &TensorScatter::circular}};
};
Result<Facts> infer(const TensorScatter& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const TensorScatter& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
