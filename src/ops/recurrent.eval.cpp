// RNN, GRU and LSTM: the product with W here, the steps by the evaluator of recurrent problems.
#include "ops/recurrent.h"
#include "ops/move.h"
#include "reference/reference.h"

namespace tenon::ops {
namespace {

struct RnnSizes {
  int64_t seq = 0, batch = 0, input = 0, hidden = 0, directions = 1, gates = 1;
};

/// Operand i widened, or an undefined tensor; error where its dims are not the wanted ones.
Result<Tensor> rnn_operand(std::span<const HostValue> in, size_t i, const Dims& wanted, std::string_view name) {
  if (!present(in, i)) return Tensor();
  if (in[i].tensor.dims != wanted) return fail("{} is {}, wanted {}", name, to_string(in[i].tensor.dims), to_string(wanted));
  return widen(in[i].tensor);
}

/// W x + Wb + Rb of all steps; of linear_before_reset, Rb of the last gate goes into `bias`.
template <class T>
Result<Tensor> gates_of_steps(const Recurrence& op, const RnnSizes& s, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& bias) {
  const int64_t rows = s.gates * s.hidden;
  Dims dims = x.dims;
  dims[2] = s.directions * rows;
  TENON_TRY(out, Tensor::allocate(x.dtype, dims));
  if (b.defined() && op.linear_before_reset) {
    TENON_TRY(last, Tensor::allocate(x.dtype, {s.directions, s.hidden}));
    bias = last;
    for (int64_t d = 0; d < s.directions; ++d)
      std::copy_n(b.as<T>().data() + d * 2 * rows + rows + 2 * s.hidden, s.hidden, bias.as<T>().data() + d * s.hidden);
  }
  T* y = out.template as<T>().data();
  for (int64_t step = 0; step < s.seq * s.batch; ++step)
    for (int64_t d = 0; d < s.directions; ++d)
      for (int64_t row = 0; row < rows; ++row, ++y) {
        const T *of_w = w.as<T>().data() + (d * rows + row) * s.input, *of_x = x.as<T>().data() + step * s.input;
        *y = 0;
        if (b.defined()) {
          const T* of_b = b.as<T>().data() + d * 2 * rows + row;
          *y = of_b[0];
          if (!bias.defined() || row < 2 * s.hidden) *y += of_b[rows];
        }
        T sum = 0;
        for (int64_t k = 0; k < s.input; ++k) sum += of_w[k] * of_x[k];
        *y += sum;
      }
  return out;
}

Result<void> run_rnn(Recurrence op, const RnnSizes& s, std::span<const HostValue> in, std::span<HostValue> out) {
  const bool lstm = op.cell == engine::CellKind::lstm;
  const int64_t rows = s.gates * s.hidden;
  const Dims state = op.batch_first ? Dims{s.batch, s.directions, s.hidden} : Dims{s.directions, s.batch, s.hidden};
  TENON_TRY(x, rnn_operand(in, 0, in[0].tensor.dims, "X"));
  TENON_TRY(w, rnn_operand(in, 1, {s.directions, rows, s.input}, "W"));
  TENON_TRY(r, rnn_operand(in, 2, {s.directions, rows, s.hidden}, "R"));
  TENON_TRY(b, rnn_operand(in, 3, {s.directions, 2 * rows}, "B"));
  TENON_TRY(lengths, rnn_operand(in, 4, {s.batch}, "sequence_lens"));
  TENON_TRY(h, rnn_operand(in, 5, state, "initial_h"));
  Tensor c, p, bias;
  if (lstm) {
    TENON_TRY(given, rnn_operand(in, 6, state, "initial_c"));
    TENON_TRY(peepholes, rnn_operand(in, 7, {s.directions, 3 * s.hidden}, "P"));
    c = given;
    p = peepholes;
  }
  TENON_TRY(gates, x.dtype == DType::f64 ? gates_of_steps<double>(op, s, x, w, b, bias) : gates_of_steps<float>(op, s, x, w, b, bias));
  std::vector<HostValue> operands = {HostValue(gates), HostValue(r)};
  const auto add = [&](const Tensor& tensor) {
    if (tensor.defined()) operands.push_back(HostValue(tensor));
    return tensor.defined();
  };
  op.has_bias = add(bias), op.has_lengths = add(lengths), op.has_h = add(h), op.has_c = add(c), op.has_peepholes = add(p);
  TENON_TRY(steps, problem(op, facts_of(operands), {}));
  std::vector<HostValue> results(std::min<size_t>(out.size(), lstm ? 3 : 2));
  TENON_OK(reference::run(steps, operands, results));
  for (size_t i = 0; i < results.size(); ++i) {
    TENON_OK(prepare_output(out[i], in[0].tensor.dtype, results[i].tensor.dims));
    TENON_OK(store(results[i].tensor, out[i].tensor));
  }
  return {};
}

template <class Op>
Result<void> eval_rnn(const Op& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));  // also checks ranks
  TENON_TRY(steps, steps_of(op));
  const Tensor &x = in[0].tensor, &r = in[2].tensor;
  const RnnSizes sizes{.seq = x.dims[op.batch_first ? 1 : 0],
                       .batch = x.dims[op.batch_first ? 0 : 1],
                       .input = x.dims[2],
                       .hidden = r.dims[2],
                       .directions = steps.directions,
                       .gates = engine::gates_of(steps.cell)};
  if (dims.back() != sizes.hidden) return fail("hidden_size is {}, R is {}", dims.back(), to_string(r.dims));
  if (!is_float(x.dtype)) return fail("X is of type {}, wanted a float", to_string(x.dtype));
  for (size_t i = 0; i < in.size(); ++i)
    if (i != 4 && present(in, i) && in[i].tensor.dtype != x.dtype)
      return fail("input {} is of type {}, X of {}", i, to_string(in[i].tensor.dtype), to_string(x.dtype));
  return run_rnn(std::move(steps), sizes, in, out);
}

}  // namespace

Result<void> eval(const RNN& op, std::span<const HostValue> in, std::span<HostValue> out) { return eval_rnn(op, in, out); }
Result<void> eval(const GRU& op, std::span<const HostValue> in, std::span<HostValue> out) { return eval_rnn(op, in, out); }
Result<void> eval(const LSTM& op, std::span<const HostValue> in, std::span<HostValue> out) { return eval_rnn(op, in, out); }

}  // namespace tenon::ops
