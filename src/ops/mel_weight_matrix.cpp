#include "ops/mel_weight_matrix.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const MelWeightMatrix& op, std::span<const Fact> in, InferCtx& ctx) {
  const auto scalar = [](const Fact& fact) {
    return fact.elems && fact.elems->size() == 1 ? std::optional((*fact.elems)[0]) : std::nullopt;
  };
  const auto bins = scalar(in[0]), length = scalar(in[1]);
  return Facts{Fact(op.dtype, Shape{length ? floordiv(*length, Dim(2)) + Dim(1) : ctx.mint("bins"), bins ? *bins : ctx.mint("mel")})};
}

/// ONNX MelWeightMatrix-17: triangles between the bins of equidistant mel frequencies.
Result<void> eval(const MelWeightMatrix& op, std::span<const HostValue> in, std::span<HostValue> out) {
  for (const HostValue& value : in)
    if (value.kind != HostValue::Kind::tensor || value.tensor.elems() != 1) return fail("wants five scalars");
  const int64_t bins = element_as_int(in[0].tensor, 0), length = element_as_int(in[1].tensor, 0), rate = element_as_int(in[2].tensor, 0);
  if (bins < 0 || bins > (1 << 24) || length < 0 || rate < 1) return fail("{} bins of {} values at {} Hz", bins, length, rate);
  const double lower = element_as_double(in[3].tensor, 0), upper = element_as_double(in[4].tensor, 0);
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double first = mel(lower), step = (mel(upper) - first) / static_cast<double>(bins + 2);
  const int64_t rows = length / 2 + 1;
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < bins + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + first) / 2595) - 1);
    const double edge = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    edges.push_back(std::isfinite(edge) ? static_cast<int64_t>(std::clamp(edge, -1.0, static_cast<double>(rows))) : 0);
  }
  TENON_OK(prepare_output(out[0], op.dtype, {rows, bins}));
  TENON_TRY(y, Tensor::allocate(DType::f64, {rows, bins}));
  clear(y);
  const auto put = [&](int64_t row, int64_t bin, double weight) {
    if (row >= 0 && row < rows) y.as<double>()[static_cast<size_t>(row * bins + bin)] = weight;
  };
  for (int64_t i = 0; i < bins; ++i) {
    const int64_t low = edges[static_cast<size_t>(i)], center = edges[static_cast<size_t>(i + 1)], high = edges[static_cast<size_t>(i + 2)];
    if (low == center) put(center, i, 1);
    for (int64_t row = low; low != center && row <= center; ++row)
      put(row, i, static_cast<double>(row - low) / static_cast<double>(center - low));
    for (int64_t row = center; row < high; ++row) put(row, i, static_cast<double>(high - row) / static_cast<double>(high - center));
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<MelWeightMatrix>();

}  // namespace tenon::ops
