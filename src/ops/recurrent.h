// RNN, GRU, LSTM: X [seq, batch, input], W, R, B?, sequence_lens?, initial_h?, and for LSTM initial_c?, P? → Y [seq, directions, batch,
// hidden], Y_h and, for LSTM, Y_c [directions, batch, hidden]. Weights as ONNX orders them: gates iofc (LSTM), zrh (GRU).
#pragma once
#include "ops/recurrence.h"

namespace tenon::ops {

enum class RnnDirection : uint8_t { forward, reverse, bidirectional };
constexpr auto enum_names(RnnDirection) { return std::array<std::string_view, 3>{"forward", "reverse", "bidirectional"}; }

struct RNN {
  RnnDirection direction = RnnDirection::forward;
  int64_t hidden_size = 0;
  std::vector<std::string> activations;  // per direction; empty: the defaults of the specification
  std::vector<double> alpha;             // of the activations that take one, in order
  std::vector<double> beta;
  std::optional<double> clip;
  bool batch_first = false;  // layout 1: X [batch, seq, input], Y [batch, seq, directions, hidden], states [batch, directions, hidden]
  static constexpr std::string_view kName = "RNN";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "direction", &RNN::direction},
                                         Field{2, "hidden_size", &RNN::hidden_size},
                                         Field{3, "activations", &RNN::activations},
                                         Field{4, "alpha", &RNN::alpha},
                                         Field{5, "beta", &RNN::beta},
                                         Field{6, "clip", &RNN::clip},
                                         Field{7, "batch_first", &RNN::batch_first}};
};
Result<Facts> infer(const RNN& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const RNN& op, std::span<const HostValue> in, std::span<HostValue> out);

struct GRU {
  RnnDirection direction = RnnDirection::forward;
  int64_t hidden_size = 0;
  std::vector<std::string> activations;  // per direction; empty: the defaults of the specification
  std::vector<double> alpha;             // of the activations that take one, in order
  std::vector<double> beta;
  std::optional<double> clip;
  bool batch_first = false;  // layout 1: X [batch, seq, input], Y [batch, seq, directions, hidden], states [batch, directions, hidden]
  bool linear_before_reset = false;
  static constexpr std::string_view kName = "GRU";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "direction", &GRU::direction},
                                         Field{2, "hidden_size", &GRU::hidden_size},
                                         Field{3, "activations", &GRU::activations},
                                         Field{4, "alpha", &GRU::alpha},
                                         Field{5, "beta", &GRU::beta},
                                         Field{6, "clip", &GRU::clip},
                                         Field{7, "batch_first", &GRU::batch_first},
                                         Field{8, "linear_before_reset", &GRU::linear_before_reset}};
};
Result<Facts> infer(const GRU& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const GRU& op, std::span<const HostValue> in, std::span<HostValue> out);

struct LSTM {
  RnnDirection direction = RnnDirection::forward;
  int64_t hidden_size = 0;
  std::vector<std::string> activations;  // per direction; empty: the defaults of the specification
  std::vector<double> alpha;             // of the activations that take one, in order
  std::vector<double> beta;
  std::optional<double> clip;
  bool batch_first = false;   // layout 1: X [batch, seq, input], Y [batch, seq, directions, hidden], states [batch, directions, hidden]
  bool input_forget = false;  // couples the input and forget gates
  static constexpr std::string_view kName = "LSTM";
  static constexpr OpTraits kTraits{.operands = 3};
  static constexpr auto kFields = Fields{Field{1, "direction", &LSTM::direction},
                                         Field{2, "hidden_size", &LSTM::hidden_size},
                                         Field{3, "activations", &LSTM::activations},
                                         Field{4, "alpha", &LSTM::alpha},
                                         Field{5, "beta", &LSTM::beta},
                                         Field{6, "clip", &LSTM::clip},
                                         Field{7, "batch_first", &LSTM::batch_first},
                                         Field{8, "input_forget", &LSTM::input_forget}};
};
Result<Facts> infer(const LSTM& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const LSTM& op, std::span<const HostValue> in, std::span<HostValue> out);

/// The steps behind the product with W, activations by their names resolved; which operands are there is not told yet.
Result<Recurrence> steps_of(const RNN& op);
Result<Recurrence> steps_of(const GRU& op);
Result<Recurrence> steps_of(const LSTM& op);

}  // namespace tenon::ops
