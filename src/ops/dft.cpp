#include "ops/dft.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Dft& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  int64_t along = op.axis;
  if (in.size() > 2 && in[2].dtype() != DType::none) {
    const auto given = in[2].ints();
    if (!given) return Facts{Fact(x.dtype(), Shape::unknown())};
    if (given->size() != 1) return fail("the axis is {}, wanted a scalar", to_string(*given));
    along = (*given)[0];
  }
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  if (x.rank() < 2) return fail("x must be [..., n, ..., 1 or 2], got {}", to_string(x.shape()));
  TENON_TRY(axis, normalize_axis(along, x.rank()));
  if (axis == x.rank() - 1) return fail("the last dim holds real and imaginary parts");
  if (const auto last = x.shape()[x.rank() - 1].constant(); last && *last != 1 && *last != 2)
    return fail("the last dim of {} is neither 1 nor 2", to_string(x.shape()));
  Shape shape = x.shape();
  Dim& size = shape[axis];
  if (in.size() > 1 && in[1].dtype() != DType::none) {
    size = in[1].elems && in[1].elems->size() == 1 ? (*in[1].elems)[0] : ctx.mint("dft");
  } else if (op.inverse && op.onesided) {
    size = (size - Dim(1)) * Dim(2);
  }
  if (op.onesided && !op.inverse) size = floordiv(size, Dim(2)) + Dim(1);
  shape[x.rank() - 1] = Dim(op.inverse && op.onesided ? 1 : 2);
  return Facts{Fact(x.dtype(), std::move(shape))};
}

namespace {

using Complex = std::complex<double>;

/// In place. Powers of two split in halves; other lengths sum directly.
void transform(std::vector<Complex>& x, bool inverse) {
  const size_t n = x.size();
  if (n < 2) return;
  const double turn = (inverse ? 2 : -2) * std::numbers::pi / static_cast<double>(n);
  if (n % 2 == 0) {
    std::vector<Complex> even(n / 2), odd(n / 2);
    for (size_t i = 0; i < n / 2; ++i) {
      even[i] = x[2 * i];
      odd[i] = x[2 * i + 1];
    }
    transform(even, inverse);
    transform(odd, inverse);
    for (size_t i = 0; i < n / 2; ++i) {
      const Complex turned = std::polar(1.0, turn * static_cast<double>(i)) * odd[i];
      x[i] = even[i] + turned;
      x[i + n / 2] = even[i] - turned;
    }
    return;
  }
  std::vector<Complex> roots(n), sums(n);
  for (size_t i = 0; i < n; ++i) roots[i] = std::polar(1.0, turn * static_cast<double>(i));
  for (size_t k = 0; k < n; ++k)
    for (size_t i = 0; i < n; ++i) sums[k] += x[i] * roots[i * k % n];
  x = std::move(sums);
}

}  // namespace

Result<void> eval(const Dft& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  const bool has_axis = in.size() > 2 && in[2].kind == HostValue::Kind::tensor;
  TENON_TRY(axis, normalize_axis(has_axis ? element_as_int(in[2].tensor, 0) : op.axis, x.rank()));
  const auto along = static_cast<size_t>(axis);
  const int64_t parts = x.dims.back(), given = x.dims[along], made = dims[along], out_parts = dims.back();
  int64_t length = op.inverse && op.onesided ? made : given;
  if (in.size() > 1 && in[1].kind == HostValue::Kind::tensor) length = element_as_int(in[1].tensor, 0);
  if (length < 0 || made > length || length > (int64_t{1} << 32)) return fail("a transform of {} values", length);
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const int64_t outer = elems_before(x.dims, axis), inner = elems_after(x.dims, axis) / std::max<int64_t>(parts, 1);
  const double* from = x.as<double>().data();
  double* to = y.as<double>().data();
  std::vector<Complex> row;
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < inner; ++j) {
      row.assign(static_cast<size_t>(length), Complex());
      const int64_t read = op.inverse && op.onesided ? std::min(given, length / 2 + 1) : std::min(given, length);
      for (int64_t k = 0; k < read; ++k) {
        const double* at = from + ((i * given + k) * inner + j) * parts;
        row[static_cast<size_t>(k)] = {at[0], parts > 1 ? at[1] : 0.0};
      }
      if (op.inverse && op.onesided)  // a real signal's spectrum mirrors
        for (int64_t k = length / 2 + 1; k < length; ++k) row[static_cast<size_t>(k)] = std::conj(row[static_cast<size_t>(length - k)]);
      transform(row, op.inverse);
      const double scale = op.inverse && length > 0 ? 1 / static_cast<double>(length) : 1;
      for (int64_t k = 0; k < made; ++k) {
        double* at = to + ((i * made + k) * inner + j) * out_parts;
        at[0] = row[static_cast<size_t>(k)].real() * scale;
        if (out_parts > 1) at[1] = row[static_cast<size_t>(k)].imag() * scale;
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<Dft>();

}  // namespace tenon::ops
