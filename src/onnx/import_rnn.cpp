// Recurrent layers.
#include <algorithm>

#include "onnx/node_import.h"
#include "ops/recurrent.h"

namespace tenon::onnx {
namespace {

template <class T>
T layer(NodeImport& n) {
  T op;
  op.direction = n.enum_attr("direction", op.direction);
  op.hidden_size = n.int_attr("hidden_size", 0);
  op.activations = n.strings_attr("activations");
  op.alpha = n.floats_attr("activation_alpha");
  op.beta = n.floats_attr("activation_beta");
  if (n.has_attr("clip")) op.clip = n.float_attr("clip", 0);
  op.batch_first = n.int_attr("layout", 0) != 0;
  return op;
}

template <class T>
Values emit(NodeImport& n, T op, size_t most_inputs, size_t outputs) {
  Values in{n.required(0, "X"), n.required(1, "W"), n.required(2, "R")};
  for (size_t i = 3; i < most_inputs; ++i) in.push_back(n.input(i));
  while (in.size() > 3 && in.back() == ValueId::none) in.pop_back();
  return n.emit(std::move(op), std::move(in), std::min(outputs, std::max<size_t>(n.output_count(), 1)));
}

}  // namespace

Result<Values> import_rnn(NodeImport& n) { return emit(n, layer<ops::RNN>(n), 6, 2); }
Result<Values> import_gru(NodeImport& n) {
  auto op = layer<ops::GRU>(n);
  op.linear_before_reset = n.int_attr("linear_before_reset", 0) != 0;
  return emit(n, std::move(op), 6, 2);
}
Result<Values> import_lstm(NodeImport& n) {
  auto op = layer<ops::LSTM>(n);
  op.input_forget = n.int_attr("input_forget", 0) != 0;
  return emit(n, std::move(op), 8, 3);
}

}  // namespace tenon::onnx
