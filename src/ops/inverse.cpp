#include "ops/inverse.h"

#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Inverse&, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(x.dtype(), Shape::unknown())};
  const int64_t rank = x.rank();
  if (rank < 2 || ctx.symbols->known_equal(x.shape()[rank - 1], x.shape()[rank - 2]) == Known::no)
    return fail("wants square matrices, got {}", to_string(x.shape()));
  return Facts{Fact(x.type)};
}

Result<void> eval(const Inverse& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  TENON_TRY(x, convert(in[0].tensor, DType::f64));
  TENON_OK(prepare_output(out[0], in[0].tensor.dtype, dims));
  TENON_TRY(y, Tensor::allocate(DType::f64, dims));
  const int64_t n = x.dims.back(), matrices = n == 0 ? 0 : y.elems() / (n * n);
  for (int64_t m = 0; m < matrices; ++m) {
    std::vector<double> a(x.as<double>().begin() + m * n * n, x.as<double>().begin() + (m + 1) * n * n);
    const auto at = [&](int64_t i, int64_t j) -> double& { return a[static_cast<size_t>(i * n + j)]; };
    const auto to = [&](int64_t i, int64_t j) -> double& { return y.as<double>()[static_cast<size_t>(m * n * n + i * n + j)]; };
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) to(i, j) = i == j ? 1 : 0;
    for (int64_t k = 0; k < n; ++k) {  // Gauss and Jordan with partial pivoting; a singular matrix gives no numbers
      int64_t pivot = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (std::abs(at(i, k)) > std::abs(at(pivot, k))) pivot = i;
      for (int64_t j = 0; j < n && pivot != k; ++j) {
        std::swap(at(k, j), at(pivot, j));
        std::swap(to(k, j), to(pivot, j));
      }
      const double diagonal = at(k, k);
      for (int64_t j = 0; j < n; ++j) {
        at(k, j) /= diagonal;
        to(k, j) /= diagonal;
      }
      for (int64_t i = 0; i < n; ++i) {
        const double factor = i == k ? 0 : at(i, k);
        for (int64_t j = 0; j < n && factor != 0; ++j) {
          at(i, j) -= factor * at(k, j);
          to(i, j) -= factor * to(k, j);
        }
      }
    }
  }
  return store(y, out[0].tensor);
}

template OpRow make_row<Inverse>();

}  // namespace tenon::ops
