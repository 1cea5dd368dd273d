// Recurrence: the steps of RNN, GRU and LSTM behind the product of all inputs with W. Operands and results are those of
// engine::RecurrentProblem; an optional operand that no flag names is left out, so every input is there.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct Recurrence {
  engine::CellKind cell = engine::CellKind::lstm;
  int64_t directions = 1;
  bool reverse = false, batch_first = false, linear_before_reset = false, input_forget = false;
  bool has_bias = false, has_lengths = false, has_h = false, has_c = false, has_peepholes = false;
  std::vector<engine::Activation> activations;
  std::optional<double> clip;
  static constexpr std::string_view kName = "Recurrence";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{Field{1, "cell", &Recurrence::cell},
                                         Field{2, "directions", &Recurrence::directions},
                                         Field{3, "reverse", &Recurrence::reverse},
                                         Field{4, "batch_first", &Recurrence::batch_first},
                                         Field{5, "linear_before_reset", &Recurrence::linear_before_reset},
                                         Field{6, "input_forget", &Recurrence::input_forget},
                                         Field{7, "has_bias", &Recurrence::has_bias},
                                         Field{8, "has_lengths", &Recurrence::has_lengths},
                                         Field{9, "has_h", &Recurrence::has_h},
                                         Field{10, "has_c", &Recurrence::has_c},
                                         Field{11, "has_peepholes", &Recurrence::has_peepholes},
                                         Field{12, "activations", &Recurrence::activations},
                                         Field{13, "clip", &Recurrence::clip}};
};
Result<Facts> infer(const Recurrence& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Recurrence& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
