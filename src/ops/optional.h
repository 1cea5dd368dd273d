// Optional values: full or empty.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Optional {
  ValueType type;  // of an empty one
  static constexpr std::string_view kName = "Optional";
  static constexpr OpTraits kTraits{.operands = 0, .containers = true};
  static constexpr auto kFields = Fields{Field{1, "type", &Optional::type}};
};
Result<Facts> infer(const Optional& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Optional& op, std::span<const HostValue> in, std::span<HostValue> out);

struct OptionalHasElement {
  static constexpr std::string_view kName = "OptionalHasElement";
  static constexpr OpTraits kTraits{.operands = 0, .containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const OptionalHasElement& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const OptionalHasElement& op, std::span<const HostValue> in, std::span<HostValue> out);

struct OptionalGetElement {
  static constexpr std::string_view kName = "OptionalGetElement";
  static constexpr OpTraits kTraits{.containers = true};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const OptionalGetElement& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const OptionalGetElement& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
