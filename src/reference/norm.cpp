#include <cmath>
#include <limits>

#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

using engine::NormKind;

/// x as [outer, size, inner]: each slice along the middle is normalised for itself.
struct Slices {
  int64_t outer, size, inner;
};

/// exp(x - max) / sum: the shift keeps exp in range and cancels.
template <class T>
void softmax(bool log, const Slices& s, const T* x, T* y) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const T* from = x + o * s.size * s.inner + i;
      T* to = y + o * s.size * s.inner + i;
      T most = -std::numeric_limits<T>::infinity();
      for (int64_t k = 0; k < s.size; ++k)
        most = from[k * s.inner] > most || from[k * s.inner] != from[k * s.inner] ? from[k * s.inner] : most;
      double sum = 0;
      for (int64_t k = 0; k < s.size; ++k) {
        const T e = std::exp(from[k * s.inner] - most);
        to[k * s.inner] = e;
        sum += static_cast<double>(e);
      }
      const auto total = static_cast<T>(sum);
      const auto shift = static_cast<T>(std::log(sum));
      for (int64_t k = 0; k < s.size; ++k) to[k * s.inner] = log ? (from[k * s.inner] - most) - shift : to[k * s.inner] / total;
    }
}

/// Moments in double, two passes: no cancellation.
template <class T>
void normalize(bool rms, double epsilon, const Slices& s, const T* x, T* y, T* means, T* inverses) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const T* from = x + o * s.size * s.inner + i;
      T* to = y + o * s.size * s.inner + i;
      double mean = 0, square = 0;
      for (int64_t k = 0; !rms && k < s.size; ++k) mean += static_cast<double>(from[k * s.inner]);
      if (!rms) mean /= static_cast<double>(s.size);
      for (int64_t k = 0; k < s.size; ++k) {
        const double d = static_cast<double>(from[k * s.inner]) - mean;
        square += d * d;
      }
      const double inverse = 1 / std::sqrt(square / static_cast<double>(s.size) + epsilon);
      for (int64_t k = 0; k < s.size; ++k) to[k * s.inner] = static_cast<T>((static_cast<double>(from[k * s.inner]) - mean) * inverse);
      if (means) means[o * s.inner + i] = static_cast<T>(mean);
      if (inverses) inverses[o * s.inner + i] = static_cast<T>(inverse);
    }
}

/// y · scale + bias, broadcast over the normalised dims: their last one meets the operand's last one.
Result<void> scale_and_shift(const engine::NormProblem& p, std::span<const HostValue> in, Tensor& y) {
  Expr expr;
  std::vector<Tensor> ins = {y};
  int value = expr.add_input(0, y.dtype);
  size_t next = 1;
  for (const Fn fn : {Fn::mul, Fn::add}) {
    if (!(fn == Fn::mul ? p.has_scale : p.has_bias)) {
      next += fn == Fn::mul && in.size() > 2 && in[1].kind == HostValue::Kind::absent;  // an absent scale keeps its place
      continue;
    }
    TENON_TRY(tensor, operand(in, next++, fn == Fn::mul ? "scale" : "bias"));
    TENON_TRY(wide, convert(*tensor, y.dtype));
    wide.dims.insert(wide.dims.end(), y.dims.size() - static_cast<size_t>(p.axis + p.axes), 1);
    const int operand_node = expr.add_input(static_cast<int>(ins.size()), y.dtype);
    value = expr.add(fn, value, operand_node);
    ins.push_back(wide);
  }
  expr.results = {value};
  return ins.size() == 1 ? Result<void>() : evaluate(expr, ins, std::span<Tensor>(&y, 1));
}

size_t operand_count(const engine::NormProblem& p, std::span<const HostValue> in) {
  size_t count = 1 + (p.has_scale || (p.has_bias && in.size() > 2 && in[1].kind == HostValue::Kind::absent)) + p.has_bias;
  // Absent optional inputs at the end, as the operator has them.
  while (count < in.size() && count < 3 && in[count].kind == HostValue::Kind::absent) ++count;
  return std::min(count, in.size());
}

template <class T>
void compute(const engine::NormProblem& p, const Slices& s, const Tensor& x, Tensor& y, Tensor& mean, Tensor& inverse) {
  const T* from = reinterpret_cast<const T*>(x.data);
  T* to = reinterpret_cast<T*>(y.data);
  if (p.kind == NormKind::softmax || p.kind == NormKind::log_softmax) {
    softmax(p.kind == NormKind::log_softmax, s, from, to);
  } else {
    normalize(p.kind == NormKind::rms, p.epsilon, s, from, to, reinterpret_cast<T*>(mean.data), reinterpret_cast<T*>(inverse.data));
  }
}

}  // namespace

Result<void> run(const engine::NormProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(tensor, operand(in, 0, "x"));
  if (p.axis < 0 || p.axes < 0 || p.axis > tensor->rank() || p.axes > tensor->rank() - p.axis)
    return fail("dims [{}, {} + {}) of {}", p.axis, p.axis, p.axes, to_string(tensor->dims));
  const DType type = tensor->dtype == DType::f64 ? DType::f64 : DType::f32;
  TENON_TRY(x, convert(*tensor, type));
  const auto axis = static_cast<size_t>(p.axis), end = static_cast<size_t>(p.axis + p.axes);
  const Slices s{elems_of(std::span(x.dims).first(axis)), elems_of(std::span(x.dims).subspan(axis, end - axis)),
                 elems_of(std::span(x.dims).subspan(end))};
  const bool moments = p.kind == NormKind::layer || p.kind == NormKind::rms;
  const bool more = moments && p.epilogue.expr.empty();
  if (p.epilogue.expr.empty() && out.size() > (more ? 3u : 1u)) return fail("the problem has no {} outputs", out.size());
  TENON_TRY(y, begin_result(type, x.dims, p.type, p.epilogue, out));
  Tensor statistics[2];
  Dims reduced = x.dims;
  std::fill(reduced.begin() + static_cast<std::ptrdiff_t>(axis), reduced.begin() + static_cast<std::ptrdiff_t>(end), 1);
  for (size_t i = 1; more && i < out.size(); ++i) {
    TENON_OK(fit_output(out[i], type, reduced));
    statistics[i - 1] = out[i].tensor;
  }
  const bool work = x.elems() > 0 || (more && out.size() > 1);  // the moments of empty slices are NaN
  if (work && type == DType::f32) compute<float>(p, s, x, y, statistics[0], statistics[1]);
  if (work && type == DType::f64) compute<double>(p, s, x, y, statistics[0], statistics[1]);
  if (moments) TENON_OK(scale_and_shift(p, in, y));
  return finish(y, p.type, p.epilogue, in.subspan(moments ? operand_count(p, in) : 1), out);
}

}  // namespace tenon::reference
