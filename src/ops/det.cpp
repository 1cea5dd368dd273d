#include "ops/det.h"

#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Det&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  const int64_t rank = x.rank();
  if (rank < 2 || ctx.symbols->known_equal(x.shape()[rank - 1], x.shape()[rank - 2]) == Known::no)
    return fail("wants square matrices, got {}", to_string(x.shape()));
  return Facts{Fact(x.dtype(), Shape(std::vector<Dim>(x.shape().dims().begin(), x.shape().dims().end() - 2)))};
}

Result<void> eval(const Det& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const int64_t n = x.dims.back();
  for (int64_t m = 0; m < y.elems(); ++m) {
    std::vector<double> a(x.as<double>().begin() + m * n * n, x.as<double>().begin() + (m + 1) * n * n);
    const auto at = [&](int64_t i, int64_t j) -> double& { return a[static_cast<size_t>(i * n + j)]; };
    double det = 1;
    for (int64_t k = 0; k < n; ++k) {  // elimination with partial pivoting
      int64_t pivot = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (std::abs(at(i, k)) > std::abs(at(pivot, k))) pivot = i;
      if (pivot != k) {
        for (int64_t j = 0; j < n; ++j) std::swap(at(k, j), at(pivot, j));
        det = -det;
      }
      det *= at(k, k);
      if (at(k, k) == 0) break;
      for (int64_t i = k + 1; i < n; ++i) {
        const double factor = at(i, k) / at(k, k);
        for (int64_t j = k; j < n; ++j) at(i, j) -= factor * at(k, j);
      }
    }
    y.as<double>()[static_cast<size_t>(m)] = det;
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<Det>();

}  // namespace tenon::ops
