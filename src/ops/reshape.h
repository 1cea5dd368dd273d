// Views: the same elements under other dims. Reshape takes its dims as an attribute (final numbers or symbols) or, without it, as a
// second input in ONNX's form (-1: what is left, 0: as in the input). Squeeze and Unsqueeze take axes from a second input if given.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Reshape {
  bool allowzero = false;                 // a 0 of the shape input means zero
  std::optional<std::vector<Dim>> shape;  // in place of the second input; no -1, no 0 that copies
  static constexpr std::string_view kName = "Reshape";
  static constexpr OpTraits kTraits{.view = true};
  static constexpr auto kFields = Fields{Field{1, "allowzero", &Reshape::allowzero}, Field{2, "shape", &Reshape::shape}};
};
Result<Facts> infer(const Reshape& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Reshape& op, std::span<const HostValue> in, std::span<HostValue> out);

struct Squeeze {
  std::optional<std::vector<int64_t>> axes;  // none, and no second input: every dim of 1
  static constexpr std::string_view kName = "Squeeze";
  static constexpr OpTraits kTraits{.view = true};
  static constexpr auto kFields = Fields{Field{1, "axes", &Squeeze::axes}};
};
Result<Facts> infer(const Squeeze& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Squeeze& op, std::span<const HostValue> in, std::span<HostValue> out);

struct Unsqueeze {
  std::vector<int64_t> axes;  // of the output
  static constexpr std::string_view kName = "Unsqueeze";
  static constexpr OpTraits kTraits{.view = true};
  static constexpr auto kFields = Fields{Field{1, "axes", &Unsqueeze::axes}};
};
Result<Facts> infer(const Unsqueeze& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Unsqueeze& op, std::span<const HostValue> in, std::span<HostValue> out);

/// Rank 2: the dims before `axis`, and the others.
struct Flatten {
  int64_t axis = 1;
  static constexpr std::string_view kName = "Flatten";
  static constexpr OpTraits kTraits{.view = true};
  static constexpr auto kFields = Fields{Field{1, "axis", &Flatten::axis}};
};
Result<Facts> infer(const Flatten& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const Flatten& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
