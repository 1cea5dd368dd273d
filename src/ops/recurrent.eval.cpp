#include <algorithm>
#include <cmath>

#include "ops/move.h"
#include "ops/recurrent.h"

namespace tenon::ops {
namespace {

/// One activation of ONNX RNN-7 with its two parameters.
template <class T>
struct Activation {
  T (*apply)(T x, T alpha, T beta) = nullptr;
  T alpha = 0, beta = 0;
  T operator()(T x) const { return apply(x, alpha, beta); }
};

template <class T>
struct Named {
  std::string_view name;
  int parameters = 0;
  T alpha = 0, beta = 0;  // defaults
  T (*apply)(T x, T alpha, T beta) = nullptr;
};

template <class T>
constexpr Named<T> kActivations[] = {
    {"sigmoid", 0, 0, 0, [](T x, T, T) { return 1 / (1 + std::exp(-x)); }},
    {"tanh", 0, 0, 0, [](T x, T, T) { return std::tanh(x); }},
    {"relu", 0, 0, 0, [](T x, T, T) { return x > 0 ? x : T(0); }},
    {"affine", 2, 1, 0, [](T x, T a, T b) { return a * x + b; }},
    {"leakyrelu", 1, T(0.01), 0, [](T x, T a, T) { return x >= 0 ? x : a * x; }},
    {"thresholdedrelu", 1, 1, 0, [](T x, T a, T) { return x >= a ? x : T(0); }},
    {"scaledtanh", 2, 1, 1, [](T x, T a, T b) { return a * std::tanh(b * x); }},
    {"hardsigmoid", 2, T(0.2), T(0.5), [](T x, T a, T b) { return std::min(std::max(a * x + b, T(0)), T(1)); }},
    {"elu", 1, 1, 0, [](T x, T a, T) { return x >= 0 ? x : a * (std::exp(x) - 1); }},
    {"softsign", 0, 0, 0, [](T x, T, T) { return x / (1 + std::abs(x)); }},
    {"softplus", 0, 0, 0, [](T x, T, T) { return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x))); }},
};

/// Functions of all directions; alpha and beta are consumed in order by those that take them.
template <class T, class Op>
Result<std::vector<Activation<T>>> activations_of(const Op& op, const std::vector<std::string>& defaults, size_t directions) {
  std::vector<std::string> names = op.activations;
  if (names.empty())
    for (size_t d = 0; d < directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != defaults.size() * directions) return fail("{} activations, wanted {}", names.size(), defaults.size() * directions);
  std::vector<Activation<T>> out;
  size_t alphas = 0, betas = 0;
  for (std::string name : names) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto found = std::ranges::find(kActivations<T>, name, &Named<T>::name);
    if (found == std::end(kActivations<T>)) return fail("there is no activation '{}'", name);
    Activation<T> one{found->apply, found->alpha, found->beta};
    if (found->parameters >= 1 && alphas < op.alpha.size()) one.alpha = static_cast<T>(op.alpha[alphas++]);
    if (found->parameters >= 2 && betas < op.beta.size()) one.beta = static_cast<T>(op.beta[betas++]);
    out.push_back(one);
  }
  return out;
}

struct Sizes {
  int64_t seq = 0, batch = 0, input = 0, hidden = 0, directions = 1, gates = 1;
};

/// Operands of one direction, widened. Absent ones are null.
template <class T>
struct Weights {
  const T *w = nullptr, *r = nullptr, *b = nullptr, *p = nullptr;
};

/// y[rows] = m[rows, columns] · x + y.
template <class T>
void add_product(const T* m, const T* x, int64_t rows, int64_t columns, T* y) {
  for (int64_t i = 0; i < rows; ++i) {
    T sum = 0;
    for (int64_t k = 0; k < columns; ++k) sum += m[i * columns + k] * x[k];
    y[i] += sum;
  }
}

/// What a step needs besides its operands.
template <class T>
struct Step {
  Sizes sizes;
  Weights<T> weights;
  const Activation<T>* f = nullptr;
  std::optional<double> clip;
  std::vector<T> from_x, from_h;  // gates * hidden: W x + Wb, R h + Rb

  T bounded(T x) const {
    if (!clip) return x;
    const T limit = static_cast<T>(*clip);
    return std::clamp(x, -limit, limit);
  }
  void load(const T* x, const T* h) {
    const int64_t rows = sizes.gates * sizes.hidden;
    from_x.assign(static_cast<size_t>(rows), 0);
    from_h.assign(static_cast<size_t>(rows), 0);
    for (int64_t i = 0; weights.b && i < rows; ++i) {
      from_x[static_cast<size_t>(i)] = weights.b[i];
      from_h[static_cast<size_t>(i)] = weights.b[rows + i];
    }
    add_product(weights.w, x, rows, sizes.input, from_x.data());
    add_product(weights.r, h, rows, sizes.hidden, from_h.data());
  }
  T sum(int64_t gate, int64_t i) const {
    const auto at = static_cast<size_t>(gate * sizes.hidden + i);
    return from_x[at] + from_h[at];
  }
};

/// One step of one batch element: reads x, updates h (and c).
template <class T>
void advance(const RNN&, Step<T>& step, const T* x, T* h, T*) {
  step.load(x, h);
  for (int64_t i = 0; i < step.sizes.hidden; ++i) h[i] = step.f[0](step.bounded(step.sum(0, i)));
}

template <class T>
void advance(const GRU& op, Step<T>& step, const T* x, T* h, T*) {
  const int64_t hidden = step.sizes.hidden;
  step.load(x, h);
  std::vector<T> z(static_cast<size_t>(hidden)), r(z.size()), gated(z.size()), candidate(z.size());
  for (int64_t i = 0; i < hidden; ++i) {
    const auto at = static_cast<size_t>(i);
    z[at] = step.f[0](step.bounded(step.sum(0, i)));
    r[at] = step.f[0](step.bounded(step.sum(1, i)));
    gated[at] = r[at] * h[i];
  }
  if (op.linear_before_reset) {
    for (size_t i = 0; i < candidate.size(); ++i) candidate[i] = r[i] * step.from_h[static_cast<size_t>(2 * hidden) + i];
  } else {
    for (int64_t i = 0; step.weights.b && i < hidden; ++i) candidate[static_cast<size_t>(i)] = step.weights.b[5 * hidden + i];
    add_product(step.weights.r + 2 * hidden * hidden, gated.data(), hidden, hidden, candidate.data());
  }
  for (int64_t i = 0; i < hidden; ++i) {
    const auto at = static_cast<size_t>(i);
    const T fresh = step.f[1](step.bounded(step.from_x[static_cast<size_t>(2 * hidden + i)] + candidate[at]));
    h[i] = (1 - z[at]) * fresh + z[at] * h[i];
  }
}

template <class T>
void advance(const LSTM& op, Step<T>& step, const T* x, T* h, T* c) {
  const int64_t hidden = step.sizes.hidden;
  step.load(x, h);
  for (int64_t i = 0; i < hidden; ++i) {
    const T* p = step.weights.p;
    const auto peep = [&](int64_t gate, T cell) { return p ? p[gate * hidden + i] * cell : T(0); };
    const T in = step.f[0](step.bounded(step.sum(0, i) + peep(0, c[i])));
    const T forget = op.input_forget ? 1 - in : step.f[0](step.bounded(step.sum(2, i) + peep(2, c[i])));
    const T fresh = step.f[1](step.bounded(step.sum(3, i)));
    c[i] = forget * c[i] + in * fresh;
    const T out = step.f[0](step.bounded(step.sum(1, i) + peep(1, c[i])));
    h[i] = out * step.f[2](c[i]);
  }
}

/// Operand i widened, or an undefined tensor; error where its dims are not the wanted ones.
Result<Tensor> operand(std::span<const HostValue> in, size_t i, const Dims& wanted, std::string_view name) {
  if (i >= in.size() || in[i].kind != HostValue::Kind::tensor) return Tensor();
  if (in[i].tensor.dims != wanted) return fail("{} is {}, wanted {}", name, to_string(in[i].tensor.dims), to_string(wanted));
  return widen(in[i].tensor);
}

template <class T, class Op>
Result<void> run(const Op& op, Sizes s, const std::vector<std::string>& functions, std::span<const HostValue> in,
                 std::span<HostValue> out) {
  constexpr bool lstm = std::is_same_v<Op, LSTM>;
  const int64_t rows = s.gates * s.hidden;
  TENON_TRY(f, activations_of<T>(op, functions, static_cast<size_t>(s.directions)));
  TENON_TRY(x, operand(in, 0, in[0].tensor.dims, "X"));
  TENON_TRY(w, operand(in, 1, {s.directions, rows, s.input}, "W"));
  TENON_TRY(r, operand(in, 2, {s.directions, rows, s.hidden}, "R"));
  TENON_TRY(b, operand(in, 3, {s.directions, 2 * rows}, "B"));
  TENON_TRY(lengths, operand(in, 4, {s.batch}, "sequence_lens"));
  const Dims state = op.batch_first ? Dims{s.batch, s.directions, s.hidden} : Dims{s.directions, s.batch, s.hidden};
  TENON_TRY(h0, operand(in, 5, state, "initial_h"));
  Tensor c0, p;
  if constexpr (lstm) {
    TENON_TRY(given, operand(in, 6, state, "initial_c"));
    TENON_TRY(peepholes, operand(in, 7, {s.directions, 3 * s.hidden}, "P"));
    c0 = given;
    p = peepholes;
  }
  for (int64_t i = 0; lengths.defined() && i < s.batch; ++i)
    if (const int64_t length = element_as_int(lengths, i); length < 0 || length > s.seq)
      return fail("sequence length {} of {} steps", length, s.seq);

  const DType dtype = in[0].tensor.dtype;
  TENON_TRY(y, Tensor::allocate(
                   x.dtype, op.batch_first ? Dims{s.batch, s.seq, s.directions, s.hidden} : Dims{s.seq, s.directions, s.batch, s.hidden}));
  TENON_TRY(y_h, Tensor::allocate(x.dtype, state));
  TENON_TRY(y_c, Tensor::allocate(x.dtype, state));
  clear(y);
  const auto data = [](const Tensor& t) { return t.defined() ? reinterpret_cast<const T*>(t.data) : nullptr; };
  const auto mutable_data = [](Tensor& t) { return reinterpret_cast<T*>(t.data); };
  std::vector<T> h(static_cast<size_t>(s.hidden)), c(h.size());
  for (int64_t d = 0; d < s.directions; ++d) {
    Step<T> step{.sizes = s, .f = f.data() + static_cast<size_t>(d) * functions.size(), .clip = op.clip};
    step.weights = {data(w) + d * rows * s.input, data(r) + d * rows * s.hidden, b.defined() ? data(b) + d * 2 * rows : nullptr,
                    p.defined() ? data(p) + d * 3 * s.hidden : nullptr};
    const bool backwards = op.direction == RnnDirection::reverse || d == 1;
    for (int64_t n = 0; n < s.batch; ++n) {
      const int64_t at_state = (op.batch_first ? n * s.directions + d : d * s.batch + n) * s.hidden;
      const auto start = [&](const Tensor& from, std::vector<T>& to) {
        std::ranges::fill(to, T(0));
        if (from.defined()) std::copy_n(data(from) + at_state, s.hidden, to.begin());
      };
      start(h0, h);
      start(c0, c);
      const int64_t steps = lengths.defined() ? element_as_int(lengths, n) : s.seq;
      for (int64_t k = 0; k < steps; ++k) {
        const int64_t t = backwards ? steps - 1 - k : k;
        advance(op, step, data(x) + (op.batch_first ? n * s.seq + t : t * s.batch + n) * s.input, h.data(), c.data());
        std::ranges::copy(
            h, mutable_data(y) + (op.batch_first ? (n * s.seq + t) * s.directions + d : (t * s.directions + d) * s.batch + n) * s.hidden);
      }
      std::ranges::copy(h, mutable_data(y_h) + at_state);
      std::ranges::copy(c, mutable_data(y_c) + at_state);
    }
  }
  const Tensor* all[] = {&y, &y_h, &y_c};
  for (size_t i = 0; i < out.size() && i < (lstm ? 3U : 2U); ++i) {
    TENON_OK(prepare_output(out[i], dtype, all[i]->dims));
    TENON_OK(store(*all[i], out[i].tensor));
  }
  return {};
}

template <class Op>
Result<void> run(const Op& op, int64_t gates, const std::vector<std::string>& functions, std::span<const HostValue> in,
                 std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));  // also checks ranks
  const Tensor &x = in[0].tensor, &r = in[2].tensor;
  const Sizes sizes{.seq = x.dims[op.batch_first ? 1 : 0],
                    .batch = x.dims[op.batch_first ? 0 : 1],
                    .input = x.dims[2],
                    .hidden = r.dims[2],
                    .directions = op.direction == RnnDirection::bidirectional ? 2 : 1,
                    .gates = gates};
  if (dims.back() != sizes.hidden) return fail("hidden_size is {}, R is {}", dims.back(), to_string(r.dims));
  if (!is_float(x.dtype)) return fail("X is of type {}, wanted a float", to_string(x.dtype));
  for (size_t i = 0; i < in.size(); ++i)
    if (i != 4 && in[i].kind == HostValue::Kind::tensor && in[i].tensor.dtype != x.dtype)
      return fail("input {} is of type {}, X of {}", i, to_string(in[i].tensor.dtype), to_string(x.dtype));
  return x.dtype == DType::f64 ? run<double>(op, sizes, functions, in, out) : run<float>(op, sizes, functions, in, out);
}

}  // namespace

Result<void> eval(const RNN& op, std::span<const HostValue> in, std::span<HostValue> out) { return run(op, 1, {"tanh"}, in, out); }
Result<void> eval(const GRU& op, std::span<const HostValue> in, std::span<HostValue> out) {
  return run(op, 3, {"sigmoid", "tanh"}, in, out);
}
Result<void> eval(const LSTM& op, std::span<const HostValue> in, std::span<HostValue> out) {
  return run(op, 4, {"sigmoid", "tanh", "tanh"}, in, out);
}

}  // namespace tenon::ops
