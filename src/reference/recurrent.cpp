#include <algorithm>
#include <cmath>

#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

using engine::ActivationKind;
using engine::CellKind;
using engine::RecurrentProblem;

template <class T>
T apply(const engine::Activation& f, T x) {
  const T a = static_cast<T>(f.alpha), b = static_cast<T>(f.beta);
  switch (f.kind) {
    case ActivationKind::sigmoid: return 1 / (1 + std::exp(-x));
    case ActivationKind::tanh: return std::tanh(x);
    case ActivationKind::relu: return x > 0 ? x : T(0);
    case ActivationKind::affine: return a * x + b;
    case ActivationKind::leaky_relu: return x >= 0 ? x : a * x;
    case ActivationKind::thresholded_relu: return x >= a ? x : T(0);
    case ActivationKind::scaled_tanh: return a * std::tanh(b * x);
    case ActivationKind::hard_sigmoid: return std::min(std::max(a * x + b, T(0)), T(1));
    case ActivationKind::elu: return x >= 0 ? x : a * (std::exp(x) - 1);
    case ActivationKind::softsign: return x / (1 + std::abs(x));
    case ActivationKind::softplus: return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

struct RecurrentSizes {
  int64_t seq = 0, batch = 0, hidden = 0, directions = 1, gates = 1;
  bool batch_first = false;

  int64_t of_step(int64_t t, int64_t n) const { return batch_first ? n * seq + t : t * batch + n; }
  int64_t of_state(int64_t d, int64_t n) const { return (batch_first ? n * directions + d : d * batch + n) * hidden; }
  int64_t of_y(int64_t t, int64_t d, int64_t n) const {
    return (batch_first ? (n * seq + t) * directions + d : (t * directions + d) * batch + n) * hidden;
  }
  Dims state() const { return batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden}; }
  Dims y() const { return batch_first ? Dims{batch, seq, directions, hidden} : Dims{seq, directions, batch, hidden}; }
};

/// Operands of one direction. Absent ones are null.
template <class T>
struct Cell {
  const RecurrentProblem& p;
  int64_t hidden = 0;
  const engine::Activation* f = nullptr;
  const T *r = nullptr, *bias = nullptr, *peepholes = nullptr;
  std::vector<T> of_h, next;  // R h of each gate; the next h

  T bounded(T x) const {
    if (!p.clip) return x;
    const T limit = static_cast<T>(*p.clip);
    return std::clamp(x, -limit, limit);
  }
  T act(size_t i, T x) const { return apply(f[i], bounded(x)); }
  T peep(int64_t gate, int64_t i, T cell) const { return peepholes ? peepholes[gate * hidden + i] * cell : T(0); }

  /// of_h of gates [first, last) from a state.
  void multiply(const T* state, int64_t first, int64_t last) {
    of_h.resize(static_cast<size_t>(engine::gates_of(p.kind) * hidden));
    for (int64_t row = first * hidden; row < last * hidden; ++row) {
      T sum = 0;
      for (int64_t k = 0; k < hidden; ++k) sum += r[row * hidden + k] * state[k];
      of_h[static_cast<size_t>(row)] = sum;
    }
  }

  /// x: the gates' share of this step's input. Updates h (and c).
  void step(const T* x, T* h, T* c) {
    const auto sum = [&](int64_t gate, int64_t i) { return x[gate * hidden + i] + of_h[static_cast<size_t>(gate * hidden + i)]; };
    switch (p.kind) {
      case CellKind::rnn:
        multiply(h, 0, 1);
        for (int64_t i = 0; i < hidden; ++i) h[i] = act(0, sum(0, i));
        return;
      case CellKind::gru: return gru(x, h);
      case CellKind::lstm:
        multiply(h, 0, 4);
        for (int64_t i = 0; i < hidden; ++i) {
          const T in = act(0, sum(0, i) + peep(0, i, c[i]));
          const T forget = p.input_forget ? 1 - in : act(0, sum(2, i) + peep(2, i, c[i]));
          c[i] = forget * c[i] + in * act(1, sum(3, i));
          // ONNX LSTM-7 clips what goes into the gates, not the state.
          h[i] = act(0, sum(1, i) + peep(1, i, c[i])) * apply(f[2], c[i]);
        }
    }
  }

  void gru(const T* x, T* h) {
    multiply(h, 0, p.linear_before_reset ? 3 : 2);
    next.resize(static_cast<size_t>(hidden));
    const auto reset = [&](int64_t i) { return act(0, x[hidden + i] + of_h[static_cast<size_t>(hidden + i)]); };
    if (!p.linear_before_reset) {
      for (int64_t i = 0; i < hidden; ++i) next[static_cast<size_t>(i)] = reset(i) * h[i];
      multiply(next.data(), 2, 3);
    }
    for (int64_t i = 0; i < hidden; ++i) {
      T candidate = of_h[static_cast<size_t>(2 * hidden + i)];
      if (p.linear_before_reset) candidate = reset(i) * (candidate + (bias ? bias[i] : T(0)));
      const T z = act(0, x[i] + of_h[static_cast<size_t>(i)]);
      next[static_cast<size_t>(i)] = (1 - z) * act(1, x[2 * hidden + i] + candidate) + z * h[i];
    }
    std::copy_n(next.begin(), hidden, h);
  }
};

/// The next input, widened to the type that the evaluator computes in.
struct Inputs {
  std::span<const HostValue> in;
  DType type;
  size_t next = 0;
  Result<Tensor> take(bool there, const Dims& wanted, std::string_view name) {
    if (!there) return Tensor();
    TENON_TRY(tensor, operand(in, next++, name));
    if (tensor->elems() != elems_of(wanted)) return fail("{} is {}, wanted {}", name, to_string(tensor->dims), to_string(wanted));
    return convert(*tensor, type);
  }
};

template <class T>
Result<void> run_recurrent(const RecurrentProblem& p, const RecurrentSizes& s, std::span<const HostValue> in, std::span<HostValue> out) {
  const int64_t rows = s.gates * s.hidden;
  Inputs inputs{.in = in, .type = sizeof(T) == 8 ? DType::f64 : DType::f32};
  TENON_TRY(gates, inputs.take(true, {s.seq, s.batch, s.directions * rows}, "gates"));
  TENON_TRY(r, inputs.take(true, {s.directions, rows, s.hidden}, "R"));
  TENON_TRY(bias, inputs.take(p.has_bias, {s.directions, s.hidden}, "the bias"));
  std::vector<int64_t> lengths(static_cast<size_t>(s.batch), s.seq);
  if (p.has_lengths) {
    TENON_TRY(given, operand(in, inputs.next++, "sequence_lens"));
    if (given->elems() != s.batch) return fail("sequence_lens is {}, wanted {}", to_string(given->dims), s.batch);
    for (int64_t n = 0; n < s.batch; ++n) {
      const int64_t length = element_as_int(*given, n);
      if (length < 0 || length > s.seq) return fail("sequence length {} of {} steps", length, s.seq);
      lengths[static_cast<size_t>(n)] = length;
    }
  }
  TENON_TRY(h0, inputs.take(p.has_h, s.state(), "initial_h"));
  TENON_TRY(c0, inputs.take(p.has_c, s.state(), "initial_c"));
  TENON_TRY(peepholes, inputs.take(p.has_peepholes, {s.directions, 3 * s.hidden}, "P"));
  TENON_TRY(y, Tensor::allocate(inputs.type, s.y()));
  TENON_TRY(y_h, Tensor::allocate(inputs.type, s.state()));
  TENON_TRY(y_c, Tensor::allocate(inputs.type, s.state()));
  std::fill(y.as<T>().begin(), y.as<T>().end(), T(0));
  std::vector<T> h(static_cast<size_t>(s.hidden)), c(h.size());
  const auto at = [](const Tensor& tensor, int64_t i) { return tensor.defined() ? tensor.as<T>().data() + i : nullptr; };
  const auto start = [&](const Tensor& from, int64_t i, std::vector<T>& to) {
    std::fill(to.begin(), to.end(), T(0));
    if (from.defined()) std::copy_n(at(from, i), s.hidden, to.begin());
  };
  for (int64_t d = 0; d < s.directions; ++d) {
    Cell<T> cell{.p = p, .hidden = s.hidden, .f = p.activations.data() + static_cast<size_t>(d) * engine::activations_of(p.kind)};
    cell.r = at(r, d * rows * s.hidden);
    cell.bias = at(bias, d * s.hidden);
    cell.peepholes = at(peepholes, d * 3 * s.hidden);
    const bool backwards = p.reverse || d == 1;
    for (int64_t n = 0; n < s.batch; ++n) {
      start(h0, s.of_state(d, n), h);
      start(c0, s.of_state(d, n), c);
      const int64_t steps = lengths[static_cast<size_t>(n)];
      for (int64_t k = 0; k < steps; ++k) {
        const int64_t t = backwards ? steps - 1 - k : k;
        cell.step(at(gates, (s.of_step(t, n) * s.directions + d) * rows), h.data(), c.data());
        std::copy(h.begin(), h.end(), y.as<T>().begin() + s.of_y(t, d, n));
      }
      std::copy(h.begin(), h.end(), y_h.as<T>().begin() + s.of_state(d, n));
      std::copy(c.begin(), c.end(), y_c.as<T>().begin() + s.of_state(d, n));
    }
  }
  const Tensor* all[] = {&y, &y_h, &y_c};
  for (size_t i = 0; i < out.size(); ++i) {
    TENON_OK(fit_output(out[i], p.type, all[i]->dims));
    TENON_OK(store(*all[i], out[i].tensor));
  }
  return {};
}

}  // namespace

Result<void> run(const RecurrentProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(gates, operand(in, 0, "gates", 3));
  TENON_TRY(r, operand(in, 1, "R", 3));
  if (p.directions != 1 && p.directions != 2) return fail("{} directions", p.directions);
  if (!is_float(p.type) || bits_of(p.type) < 16) return fail("a recurrent layer of {}", to_string(p.type));
  if (gates->rank() != 3 || r->rank() != 3) return fail("gates and R must have 3 dims, got {} and {}", gates->rank(), r->rank());
  if (p.activations.size() != engine::activations_of(p.kind) * static_cast<size_t>(p.directions))
    return fail("{} activations for {} directions", p.activations.size(), p.directions);
  if (out.empty() || out.size() > (p.kind == CellKind::lstm ? 3U : 2U)) return fail("{} outputs of a recurrent layer", out.size());
  if (p.clip && !(*p.clip >= 0)) return fail("clip is {}", *p.clip);
  const RecurrentSizes sizes{.seq = gates->dims[p.batch_first ? 1 : 0],
                             .batch = gates->dims[p.batch_first ? 0 : 1],
                             .hidden = r->dims[2],
                             .directions = p.directions,
                             .gates = engine::gates_of(p.kind),
                             .batch_first = p.batch_first};
  const Dims rows{sizes.directions, sizes.gates * sizes.hidden, sizes.hidden};
  if (r->dims != rows || gates->dims[2] != rows[0] * rows[1])
    return fail("gates {} and R {} do not fit", to_string(gates->dims), to_string(r->dims));
  return p.type == DType::f64 ? run_recurrent<double>(p, sizes, in, out) : run_recurrent<float>(p, sizes, in, out);
}

}  // namespace tenon::reference
