// Softmax, LayerNorm (and RMS norm) and BatchNorm.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

/// exp(x) / sum(exp(x)) along one axis; log: its logarithm.
struct Softmax {
  int64_t axis = -1;
  bool log = false;
  static constexpr std::string_view kName = "Softmax";
  static constexpr auto kFields = Fields{Field{1, "axis", &Softmax::axis}, Field{2, "log", &Softmax::log}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const Softmax& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Softmax& op, std::span<const Fact> in, std::span<const Fact> out);

/// (x - mean) / sqrt(var + epsilon) · scale + bias over the dims from `axis` on; rms: x / sqrt(mean(x²) + epsilon) · scale.
/// Inputs x, scale?, bias?; outputs y, and optionally mean and 1 / deviation with the normalised dims as 1.
struct LayerNorm {
  int64_t axis = -1;
  double epsilon = 1e-5;
  bool rms = false;
  static constexpr std::string_view kName = "LayerNorm";
  static constexpr auto kFields =
      Fields{Field{1, "axis", &LayerNorm::axis}, Field{2, "epsilon", &LayerNorm::epsilon}, Field{3, "rms", &LayerNorm::rms}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const LayerNorm& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const LayerNorm& op, std::span<const Fact> in, std::span<const Fact> out);

/// Inference: scale · (x - mean) / sqrt(var + epsilon) + bias per channel (dim 1). Inputs x, scale, bias, mean, var.
struct BatchNorm {
  double epsilon = 1e-5;
  static constexpr std::string_view kName = "BatchNorm";
  static constexpr auto kFields = Fields{Field{1, "epsilon", &BatchNorm::epsilon}};
};
Result<Facts> infer(const BatchNorm& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const BatchNorm& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
