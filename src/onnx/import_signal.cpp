// Signals: Fourier transforms and what surrounds them.
#include <numbers>

#include "onnx/import_attrs.h"
#include "ops/dft.h"
#include "ops/gather.h"
#include "ops/mel_weight_matrix.h"
#include "ops/range.h"
#include "ops/reshape.h"

namespace tenon::onnx {
namespace {

ValueId number(NodeImport& n, int64_t value) { return n.constant(make_tensor<int64_t>(DType::i64, {}, std::span(&value, 1))); }

/// a0 - a1 · cos(2πi / N) + a2 · cos(4πi / N), N being the size, or the size - 1 for windows that are symmetric.
ValueId window(NodeImport& n, double a0, double a1, double a2) {
  const ValueId size = n.cast(n.required(0, "size"), DType::i64);
  const DType type = n.dtype_attr("output_datatype", DType::f32);
  const bool periodic = n.int_attr("periodic", 1) != 0;
  const ValueId scalar = n.emit(ops::Reshape{}, {size, n.int_list({})});
  const ValueId steps = n.emit(ops::Range{}, {number(n, 0), scalar, number(n, 1)});
  return n.pointwise({steps, scalar}, [&](const std::vector<Term>& t) {
    const DType wide = DType::f64;
    const Term period = (periodic ? t[1] : t[1] - 1).cast(wide);
    const Term angle = t[0].cast(wide) * (2 * std::numbers::pi) / period;
    Term y = angle.constant(a0) - apply(Fn::cos, angle) * a1;
    if (a2 != 0) y = y + apply(Fn::cos, angle * 2) * a2;
    return y.cast(type);
  });
}

/// Frames of a signal [batch, length, 1 or 2], weighted and transformed: [batch, frames, bins, 2].
ValueId stft(NodeImport& n, ValueId signal, ValueId frame_step, ValueId weights, ValueId frame_length, bool onesided) {
  const auto scalar = [&](ValueId value) { return n.emit(ops::Reshape{}, {n.cast(value, DType::i64), n.int_list({})}); };
  ValueId length = frame_length == ValueId::none ? ValueId::none : scalar(frame_length);
  if (length == ValueId::none && weights == ValueId::none) n.refuse("window and frame_length are both missing");
  if (length == ValueId::none) length = n.emit(ops::Squeeze{.axes = {{0}}}, {dim_of(n, weights, 0)});
  const ValueId step = scalar(frame_step), total = n.emit(ops::Squeeze{.axes = {{0}}}, {dim_of(n, signal, 1)});
  const ValueId frames = n.pointwise({total, length, step}, [](const std::vector<Term>& t) { return (t[0] - t[1]) / t[2] + 1; });
  const ValueId starts = n.emit(ops::Unsqueeze{.axes = {1}}, {n.emit(ops::Range{}, {number(n, 0), frames, number(n, 1)})});
  const ValueId offsets = n.emit(ops::Range{}, {number(n, 0), length, number(n, 1)});
  const ValueId indices = n.pointwise({starts, step, offsets}, [](const std::vector<Term>& t) { return t[0] * t[1] + t[2]; });
  ValueId x = n.emit(ops::Gather{.axis = 1}, {signal, indices});
  if (weights != ValueId::none) {
    const ValueId column = n.emit(ops::Unsqueeze{.axes = {1}}, {weights});
    x = n.pointwise({x, column}, [](const std::vector<Term>& t) { return t[0] * t[1].cast(t[0].type()); });
  }
  return n.emit(ops::Dft{.axis = 2, .onesided = onesided}, {x});
}

}  // namespace

Result<Values> import_hann_window(NodeImport& n) { return Values{window(n, 0.5, 0.5, 0)}; }
Result<Values> import_hamming_window(NodeImport& n) { return Values{window(n, 25.0 / 46, 1 - 25.0 / 46, 0)}; }
Result<Values> import_blackman_window(NodeImport& n) { return Values{window(n, 0.42, 0.5, 0.08)}; }

Result<Values> import_dft(NodeImport& n) {
  ops::Dft dft{.inverse = n.int_attr("inverse", 0) != 0, .onesided = n.int_attr("onesided", 0) != 0};
  dft.axis = n.opset() >= 20 ? -2 : n.int_attr("axis", 1);
  Values in{n.required(0, "input"), n.input(1)};
  if (const auto axis = n.ints(n.input(2)); axis && axis->size() == 1) {
    dft.axis = (*axis)[0];
  } else if (n.has_input(2)) {
    in.push_back(n.input(2));
  }
  return Values{n.emit(dft, std::move(in))};
}
Result<Values> import_stft(NodeImport& n) {
  return Values{stft(n, n.required(0, "signal"), n.required(1, "frame_step"), n.input(2), n.input(3), n.int_attr("onesided", 1) != 0)};
}
/// The experiment that became STFT-17: a signal without the last dim, and its inputs in another order.
Result<Values> import_early_stft(NodeImport& n) {
  ValueId signal = n.required(0, "signal");
  if (n.rank(signal) == 2) signal = n.emit(ops::Unsqueeze{.axes = {2}}, {signal});
  return Values{stft(n, signal, n.required(3, "frame_step"), n.input(1), n.input(2), n.int_attr("onesided", 1) != 0)};
}
Result<Values> import_mel_weight_matrix(NodeImport& n) {
  const ops::MelWeightMatrix op{.dtype = n.dtype_attr("output_datatype", DType::f32)};
  Values in;
  for (size_t i = 0; i < 5; ++i) in.push_back(n.required(i, "a parameter"));
  return Values{n.emit(op, std::move(in))};
}

}  // namespace tenon::onnx
