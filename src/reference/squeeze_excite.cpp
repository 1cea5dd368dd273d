#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

/// y[n, rows] = x[n, columns] · w[rows, columns]ᵀ + b[rows].
Result<Tensor> layer(const Tensor& x, const Tensor& w, const Tensor& b, int64_t rows, int64_t columns) {
  TENON_TRY(weights, convert(w, DType::f64));
  TENON_TRY(bias, convert(b, DType::f64));
  TENON_TRY(y, Tensor::allocate(DType::f64, {x.dims[0], rows}));
  for (int64_t n = 0; n < x.dims[0]; ++n)
    for (int64_t r = 0; r < rows; ++r) {
      double sum = bias.as<double>()[static_cast<size_t>(r)];
      for (int64_t c = 0; c < columns; ++c)
        sum += x.as<double>()[static_cast<size_t>(n * columns + c)] * weights.as<double>()[static_cast<size_t>(r * columns + c)];
      y.as<double>()[static_cast<size_t>(n * rows + r)] = sum;
    }
  return y;
}

}  // namespace

Result<void> run(const engine::SqueezeExciteProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  constexpr std::string_view kNames[] = {"x", "w1", "w2", "b1", "b2"};
  const Tensor* given[5] = {};
  for (size_t i = 0; i < 5; ++i) {
    TENON_TRY(tensor, operand(in, i, kNames[i], i == 0 ? 3 : 1));
    given[i] = tensor;
  }
  const Tensor& x = *given[0];
  const int64_t n = x.dims.front(), c = x.dims.back(), m = given[3]->elems();
  if (given[1]->elems() != m * c || given[2]->elems() != m * c || given[4]->elems() != c)
    return fail("weights {} and {} and biases of {} and {} do not fit {} channels", to_string(given[1]->dims), to_string(given[2]->dims), m,
                given[4]->elems(), c);
  const int64_t area = c == 0 || n == 0 ? 0 : x.elems() / n / c;
  TENON_TRY(wide, convert(x, DType::f64));
  TENON_TRY(means, Tensor::allocate(DType::f64, {n, c}));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < c; ++k) {
      double sum = 0;
      for (int64_t a = 0; a < area; ++a) sum += wide.as<double>()[static_cast<size_t>((i * area + a) * c + k)];
      means.as<double>()[static_cast<size_t>(i * c + k)] = sum / static_cast<double>(area);
    }
  TENON_TRY(squeezed, layer(means, *given[1], *given[3], m, c));
  Tensor hidden = squeezed;
  if (!p.inner.empty()) {
    std::vector<HostValue> inner(1);
    TENON_TRY(narrow, convert(squeezed, p.type));  // the expression reads elements of a layer
    TENON_OK(finish(narrow, p.type, {.expr = p.inner, .operands = {}}, {}, inner));
    TENON_TRY(wide_again, convert(inner[0].tensor, DType::f64));
    hidden = wide_again;
  }
  TENON_TRY(gates, layer(hidden, *given[2], *given[4], c, m));
  gates.dims = {n};
  gates.dims.insert(gates.dims.end(), x.dims.size() - 2, 1);
  gates.dims.push_back(c);
  TENON_TRY(result, convert(gates, p.type));
  return finish(result, p.type, p.epilogue, in.subspan(5), out);
}

}  // namespace tenon::reference
