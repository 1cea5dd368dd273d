#include "ops/svm.h"

#include <algorithm>
#include <cmath>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const SquaredDistance&, std::span<const Fact> in, InferCtx&) {
  const DType type = in[0].dtype();
  if (!is_float(type) || in[1].dtype() != type) return fail("x and y are {} and {}", to_string(type), to_string(in[1].dtype()));
  if (!in[0].has_rank() || !in[1].has_rank()) return Facts{Fact(type, Shape::unknown())};
  if (in[0].rank() != 2 || in[1].rank() != 2)
    return fail("x and y must be matrices, got {} and {}", to_string(in[0].shape()), to_string(in[1].shape()));
  return Facts{Fact(type, Shape{in[0].shape()[0], in[1].shape()[0]})};
}

Result<void> eval(const SquaredDistance&, std::span<const HostValue> in, std::span<HostValue> out) {
  const DType type = in[0].tensor.dtype;
  if (!is_float(type) || in[1].tensor.dtype != type) return fail("x and y must be floats of one type");
  TENON_TRY(x, widen(in[0].tensor));
  TENON_TRY(y, widen(in[1].tensor));
  if (x.rank() != 2 || y.rank() != 2 || x.dims[1] != y.dims[1])
    return fail("x and y must be [N, F] and [S, F], got {} and {}", to_string(x.dims), to_string(y.dims));
  const Dims dims{x.dims[0], y.dims[0]};
  TENON_OK(prepare_output(out[0], type, dims));
  TENON_TRY(sums, Tensor::allocate(x.dtype, dims));
  const auto fill = [&]<class T>(T) {
    const auto width = static_cast<size_t>(x.dims[1]), columns = static_cast<size_t>(dims[1]);
    for (size_t i = 0; i < sums.as<T>().size(); ++i) {
      const auto a = x.as<T>().subspan(i / columns * width, width), b = y.as<T>().subspan(i % columns * width, width);
      T sum = 0;
      for (size_t k = 0; k < width; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
      sums.as<T>()[i] = sum;
    }
  };
  if (x.dtype == DType::f64) fill(double());
  if (x.dtype == DType::f32) fill(float());
  return store(sums, out[0].tensor);
}

namespace {

int64_t pairs_of(int64_t classes) { return classes * (classes - 1) / 2; }
constexpr int64_t kMostClasses = 1 << 12;  // classes² numbers are kept for a row

/// One row. r[i, j] is the probability of i against j; Q[i, i] = sum of r[j, i]², Q[i, j] = -r[j, i] r[i, j]; p minimises p Q p.
/// In single precision, as where it stops shows in the result.
void couple(std::span<const float> pairs, std::span<float> p) {
  const size_t k = p.size();
  std::vector<float> r(k * k, 0.0F), q(k * k, 0.0F), qp(k, 0.0F);
  size_t pair = 0;
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = i + 1; j < k; ++j, ++pair) {
      r[i * k + j] = pairs[pair];
      r[j * k + i] = 1 - pairs[pair];
    }
  }
  for (size_t i = 0; i < k; ++i) {
    p[i] = 1.0F / static_cast<float>(k);
    for (size_t j = 0; j < k; ++j) {
      if (j == i) continue;
      q[i * k + i] += r[j * k + i] * r[j * k + i];
      q[i * k + j] = -r[j * k + i] * r[i * k + j];
    }
  }
  const float enough = 0.005F / static_cast<float>(k);
  for (size_t round = 0; round < std::max<size_t>(100, k); ++round) {
    float pqp = 0, worst = 0;
    for (size_t i = 0; i < k; ++i) {
      qp[i] = 0;
      for (size_t j = 0; j < k; ++j) qp[i] += q[i * k + j] * p[j];
      pqp += p[i] * qp[i];
    }
    for (size_t i = 0; i < k; ++i) worst = std::max(worst, std::abs(qp[i] - pqp));
    if (worst < enough) break;
    for (size_t i = 0; i < k; ++i) {
      const float step = (pqp - qp[i]) / q[i * k + i];
      p[i] += step;
      pqp = (pqp + step * (step * q[i * k + i] + 2 * qp[i])) / (1 + step) / (1 + step);
      for (size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + step * q[i * k + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
}

}  // namespace

Result<Facts> infer(const PairCoupling& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].dtype() != DType::f32) return fail("x is {}, wanted f32", to_string(in[0].dtype()));
  if (op.classes < 2 || op.classes > kMostClasses) return fail("{} classes", op.classes);
  if (!in[0].has_rank()) return Facts{Fact(DType::f32, Shape::unknown())};
  if (in[0].rank() != 2) return fail("x must be [N, pairs], got {}", to_string(in[0].shape()));
  return Facts{Fact(DType::f32, Shape{in[0].shape()[0], Dim(op.classes)})};
}

Result<void> eval(const PairCoupling& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  if (op.classes < 2 || op.classes > kMostClasses) return fail("{} classes", op.classes);
  if (x.dtype != DType::f32 || x.rank() != 2 || x.dims[1] != pairs_of(op.classes))
    return fail("x must be f32 [N, {}], got {}", pairs_of(op.classes), to_string(x.dims));
  TENON_OK(prepare_output(out[0], DType::f32, {x.dims[0], op.classes}));
  const auto pairs = static_cast<size_t>(x.dims[1]), classes = static_cast<size_t>(op.classes);
  for (size_t n = 0; n < static_cast<size_t>(x.dims[0]); ++n)
    couple(x.as<float>().subspan(n * pairs, pairs), out[0].tensor.as<float>().subspan(n * classes, classes));
  return {};
}

template OpRow make_row<PairCoupling>();
template OpRow make_row<SquaredDistance>();

}  // namespace tenon::ops
