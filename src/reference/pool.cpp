#include <cmath>
#include <limits>

#include "ops/move.h"
#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

using engine::PoolKind;

/// Along one dim: the taps [first, last) of the window at `start` that fall inside [low, high).
struct Taps {
  int64_t first, last;
};
Taps taps_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t low, int64_t high) {
  const int64_t first = start < low ? (low - start + dilation - 1) / dilation : 0;
  const int64_t last = high > start ? (high - start + dilation - 1) / dilation : 0;
  return {std::min(first, kernel), std::clamp(last, std::min(first, kernel), kernel)};
}

struct PoolSizes {
  Dims in, out, pads, pads_end, kernel, strides, dilations;
  int64_t planes = 0;
};

/// x: channels first.
Result<PoolSizes> sizes_of(const engine::PoolProblem& p, const Tensor& x, std::span<const HostValue> out) {
  PoolSizes s{.in = Dims(x.dims.begin() + 2, x.dims.end()), .kernel = p.kernel, .strides = p.strides, .dilations = p.dilations};
  TENON_TRY(pads, numbers(p.pads, "the padding"));
  TENON_TRY(pads_end, numbers(p.pads_end, "the padding"));
  s.pads = pads, s.pads_end = pads_end;
  if (auto known = Shape(p.out_spatial).constant()) {
    s.out = *known;
  } else if (!out.empty() && out[0].tensor.data && out[0].tensor.rank() == x.rank()) {
    s.out.assign(out[0].tensor.dims.begin() + (p.channels_last ? 1 : 2), out[0].tensor.dims.end() - (p.channels_last ? 1 : 0));
  } else {
    return fail("the output size {} of the problem is not bound to numbers", to_string(Shape(p.out_spatial)));
  }
  const size_t rank = s.in.size();
  for (const Dims* dims : {&s.out, &s.pads, &s.pads_end, &s.kernel, &s.strides, &s.dilations})
    if (dims->size() != rank)
      return fail("output size, pads, kernel, strides and dilations must have {} entries, got {}", rank, to_string(*dims));
  TENON_TRY(planes, checked_elems(std::span(x.dims).first(2)));
  s.planes = planes;
  TENON_OK(checked_elems(s.out));
  for (size_t d = 0; d < rank; ++d) {
    if (s.kernel[d] < 1 || s.strides[d] < 1 || s.dilations[d] < 1) return fail("kernel, strides and dilations must be at least 1");
    TENON_OK(check_extent(s.pads[d], s.out[d], s.strides[d]));
    TENON_OK(check_extent(s.pads_end[d], s.kernel[d], s.dilations[d]));
  }
  return s;
}

/// What one window collects.
template <class T>
struct Window {
  PoolKind kind;
  double p;
  double sum = 0;
  T most = std::numeric_limits<T>::lowest();
  int64_t at = -1;

  void take(const T* row, int64_t first, int64_t count, int64_t step, int64_t offset) {
    for (int64_t i = 0; i < count; ++i) {
      const T x = row[first + i * step];
      switch (kind) {
        case PoolKind::max:
          if (at < 0 || x > most || (x != x && most == most)) {
            most = x;
            at = offset + first + i * step;
          }
          break;
        case PoolKind::average: sum += static_cast<double>(x); break;
        case PoolKind::lp:
          sum += p == 2 ? static_cast<double>(x) * static_cast<double>(x) : std::pow(std::fabs(static_cast<double>(x)), p);
          break;
      }
    }
  }
};

/// ONNX MaxPool storage_order=1: the first spatial dim runs fastest.
int64_t column_major(int64_t at, const Dims& dims) {
  int64_t out = 0;
  Dims steps(dims.size());
  int64_t step = 1;
  for (size_t d = 0; d < dims.size(); ++d) {
    steps[d] = step;
    step *= dims[d];
  }
  for (size_t d = dims.size(); d-- > 0; at /= dims[d]) out += at % dims[d] * steps[d];
  return out;
}

template <class T>
void pool(const engine::PoolProblem& p, const PoolSizes& s, const T* x, T* y, int64_t* indices) {
  const size_t rank = s.in.size(), last = rank - 1;
  const int64_t plane = elems_of(s.in), results = elems_of(s.out);
  std::vector<Taps> taps(rank);
  Dims start(rank), counts(last), rows;
  int64_t result = 0;
  for (ops::Odometer at(s.out); at.inside(); at.next(), ++result) {
    int64_t inside = 1;
    double padded = 1;
    for (size_t d = 0; d < rank; ++d) {
      start[d] = at[d] * s.strides[d] - s.pads[d];
      taps[d] = taps_inside(start[d], s.kernel[d], s.dilations[d], 0, s.in[d]);
      inside *= taps[d].last - taps[d].first;
      const Taps with_pads = taps_inside(start[d], s.kernel[d], s.dilations[d], -s.pads[d], s.in[d] + s.pads_end[d]);
      padded *= static_cast<double>(with_pads.last - with_pads.first);
      if (d < last) counts[d] = taps[d].last - taps[d].first;
    }
    // Offsets in a plane of the rows that the window meets.
    rows.clear();
    for (ops::Odometer row(inside > 0 ? counts : Dims{0}); row.inside(); row.next()) {
      int64_t offset = 0;
      for (size_t d = 0; d < last; ++d) offset = offset * s.in[d] + start[d] + (taps[d].first + row[d]) * s.dilations[d];
      rows.push_back(offset * s.in[last]);
    }
    const int64_t first = start[last] + taps[last].first * s.dilations[last], width = taps[last].last - taps[last].first;
    for (int64_t c = 0; c < s.planes; ++c) {
      Window<T> window{.kind = p.kind, .p = static_cast<double>(p.p)};
      for (const int64_t offset : rows) window.take(x + c * plane + offset, first, width, s.dilations[last], offset);
      const int64_t to = c * results + result;
      switch (p.kind) {
        case PoolKind::max:
          y[to] = inside > 0 || !std::numeric_limits<T>::has_infinity ? window.most : -std::numeric_limits<T>::infinity();
          break;
        case PoolKind::average: y[to] = element_of<T>(window.sum / (p.count_include_pad ? padded : static_cast<double>(inside))); break;
        case PoolKind::lp:
          y[to] = element_of<T>(p.p == 2 ? std::sqrt(window.sum) : std::pow(window.sum, 1 / static_cast<double>(p.p)));
          break;
      }
      if (indices) indices[to] = window.at < 0 ? 0 : c * plane + (p.column_major_index ? column_major(window.at, s.in) : window.at);
    }
  }
}

}  // namespace

Result<void> run(const engine::PoolProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(tensor, operand(in, 0, "x", 3));
  const bool with_index = out.size() > 1 && p.epilogue.expr.empty();
  if (with_index && p.channels_last) return fail("with channels_last there are no indices");
  if (with_index && (p.kind != PoolKind::max || out.size() > 2)) return fail("the problem has no {} outputs", out.size());
  TENON_TRY(x, widen(*tensor));
  if (p.channels_last) {
    TENON_TRY(planes, channels_first(x));
    x = planes;
  }
  TENON_TRY(s, sizes_of(p, x, out));
  Dims dims = {x.dims[0], x.dims[1]}, out_dims = {x.dims[0]};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  out_dims.insert(out_dims.end(), s.out.begin(), s.out.end());
  out_dims.push_back(x.dims[1]);
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(result, begin_result(x.dtype, p.channels_last ? out_dims : dims, p.type, p.epilogue, out));
  Tensor y = result;
  if (p.channels_last) {
    TENON_TRY(planes, Tensor::allocate(x.dtype, dims));
    y = planes;
  }
  int64_t* indices = nullptr;
  if (with_index) {
    TENON_OK(fit_output(out[1], DType::i64, dims));
    indices = out[1].tensor.as<int64_t>().data();
  }
  if (elems > 0) {
    if (x.dtype == DType::f32) pool(p, s, x.as<float>().data(), y.as<float>().data(), indices);
    if (x.dtype == DType::f64) pool(p, s, x.as<double>().data(), y.as<double>().data(), indices);
    if (x.dtype == DType::i64) pool(p, s, x.as<int64_t>().data(), y.as<int64_t>().data(), indices);
  }
  if (p.channels_last) store_channels_last(y, result);
  return finish(result, p.type, p.epilogue, in.subspan(1), out);
}

}  // namespace tenon::reference
