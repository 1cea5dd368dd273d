#include "ops/recurrent.h"

#include <algorithm>

namespace tenon::ops {
namespace {

/// Y, Y_h and `states - 1` more states; every size from X, and the hidden size from R where the attribute leaves it out.
template <class T>
Result<Facts> outputs(const T& op, std::span<const Fact> in, size_t states, int64_t gates) {
  if (in.size() < 3) return fail("X, W and R are wanted, got {} inputs", in.size());
  const Fact &x = in[0], &r = in[2];
  const DType dtype = x.dtype();
  Facts out(1 + states, Fact(dtype, Shape::unknown()));
  if (x.has_rank() && x.rank() != 3) return fail("X must be [seq, batch, input], got {}", to_string(x.shape()));
  if (r.has_rank() && r.rank() != 3) return fail("R must be [directions, gates * hidden, hidden], got {}", to_string(r.shape()));
  const Dim directions(op.direction == RnnDirection::bidirectional ? 2 : 1);
  Dim hidden(op.hidden_size);
  if (op.hidden_size == 0) {
    if (!r.has_rank()) return out;
    hidden = r.shape()[2];
  }
  if (hidden.is_constant() && *hidden.constant() < 0) return fail("hidden_size is {}", to_string(hidden));
  const Shape wanted{directions, hidden * Dim(gates), hidden};
  for (int64_t i = 0; r.has_rank() && i < 3; ++i)
    if (r.shape()[i].is_constant() && wanted[i].is_constant() && r.shape()[i] != wanted[i])
      return fail("R is {}, wanted {}", to_string(r.shape()), to_string(wanted));
  if (!x.has_rank()) return out;
  const Dim seq = x.shape()[op.batch_first ? 1 : 0], batch = x.shape()[op.batch_first ? 0 : 1];
  out[0].type.shape = op.batch_first ? Shape{batch, seq, directions, hidden} : Shape{seq, directions, batch, hidden};
  for (size_t i = 1; i < out.size(); ++i)
    out[i].type.shape = op.batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  return out;
}

struct ActivationRow {
  std::string_view name;
  engine::Activation defaults;
  int parameters = 0;
};
using enum engine::ActivationKind;
constexpr ActivationRow kActivations[] = {
    {"sigmoid", {sigmoid}, 0},
    {"tanh", {tanh}, 0},
    {"relu", {relu}, 0},
    {"affine", {affine, 1, 0}, 2},
    {"leakyrelu", {leaky_relu, 0.01F}, 1},
    {"thresholdedrelu", {thresholded_relu, 1}, 1},
    {"scaledtanh", {scaled_tanh, 1, 1}, 2},
    {"hardsigmoid", {hard_sigmoid, 0.2F, 0.5}, 2},
    {"elu", {elu, 1}, 1},
    {"softsign", {softsign}, 0},
    {"softplus", {softplus}, 0},
};

/// Functions of all directions; alpha and beta are consumed in order by those that take them.
template <class Op>
Result<std::vector<engine::Activation>> activations_of(const Op& op, const std::vector<std::string>& defaults, size_t directions) {
  std::vector<std::string> names = op.activations;
  if (names.empty())
    for (size_t d = 0; d < directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != defaults.size() * directions) return fail("{} activations, wanted {}", names.size(), defaults.size() * directions);
  std::vector<engine::Activation> out;
  size_t alphas = 0, betas = 0;
  for (std::string name : names) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto found = std::ranges::find(kActivations, name, &ActivationRow::name);
    if (found == std::end(kActivations)) return fail("there is no activation '{}'", name);
    engine::Activation one = found->defaults;
    if (found->parameters >= 1 && alphas < op.alpha.size()) one.alpha = op.alpha[alphas++];
    if (found->parameters >= 2 && betas < op.beta.size()) one.beta = op.beta[betas++];
    out.push_back(one);
  }
  return out;
}

template <class Op>
Result<Recurrence> steps(const Op& op, engine::CellKind cell, const std::vector<std::string>& functions) {
  Recurrence out{.cell = cell, .directions = op.direction == RnnDirection::bidirectional ? 2 : 1};
  out.reverse = op.direction == RnnDirection::reverse;
  out.batch_first = op.batch_first;
  out.clip = op.clip;
  TENON_TRY(activations, activations_of(op, functions, static_cast<size_t>(out.directions)));
  out.activations = std::move(activations);
  return out;
}

}  // namespace

Result<Recurrence> steps_of(const RNN& op) { return steps(op, engine::CellKind::rnn, {"tanh"}); }
Result<Recurrence> steps_of(const GRU& op) {
  TENON_TRY(out, steps(op, engine::CellKind::gru, {"sigmoid", "tanh"}));
  out.linear_before_reset = op.linear_before_reset;
  return out;
}
Result<Recurrence> steps_of(const LSTM& op) {
  TENON_TRY(out, steps(op, engine::CellKind::lstm, {"sigmoid", "tanh", "tanh"}));
  out.input_forget = op.input_forget;
  return out;
}

Result<Facts> infer(const RNN& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 1, 1); }
Result<Facts> infer(const GRU& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 1, 3); }
Result<Facts> infer(const LSTM& op, std::span<const Fact> in, InferCtx&) { return outputs(op, in, 2, 4); }

template OpRow make_row<RNN>();
template OpRow make_row<GRU>();
template OpRow make_row<LSTM>();

}  // namespace tenon::ops
