#include <cmath>

#include "reference/common.h"
#include "reference/multiply.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

struct GemmSizes {
  int64_t m = 1, n = 1, k = 1;
  Dims a_batch, b_batch, batch;
};

/// The problem's numbers, where it has them: a tensor may group its dims otherwise. Else the tensors' dims.
Result<GemmSizes> sizes_of(const engine::GemmProblem& p, const Tensor& a, const Tensor& b) {
  const auto m = p.m.constant(), n = p.n.constant(), k = p.k.constant();
  const auto batch = Shape(p.batch).constant(), a_batch = Shape(p.a_batch).constant(), b_batch = Shape(p.b_batch).constant();
  if (m && n && k && batch && a_batch && b_batch) return GemmSizes{*m, *n, *k, *a_batch, *b_batch, *batch};
  if (a.rank() < 1 || b.rank() < 1) return fail("a and b must have dims, got {} and {}", to_string(a.dims), to_string(b.dims));
  GemmSizes s;
  const auto side = [](const Tensor& t, bool transposed, bool is_a, int64_t& outer, int64_t& inner, Dims& lead) {
    if (t.rank() == 1) {
      inner = t.dims[0];
      return;
    }
    lead.assign(t.dims.begin(), t.dims.end() - 2);
    outer = t.dims[t.dims.size() - (is_a != transposed ? 2 : 1)];
    inner = t.dims[t.dims.size() - (is_a != transposed ? 1 : 2)];
  };
  int64_t k_b = 1;
  side(a, p.trans_a, true, s.m, s.k, s.a_batch);
  side(b, p.trans_b, false, s.n, k_b, s.b_batch);
  if (s.k != k_b) return fail("a {} and b {} disagree on k: {} and {}", to_string(a.dims), to_string(b.dims), s.k, k_b);
  TENON_TRY(joined, broadcast_dims(s.a_batch, s.b_batch));
  s.batch = joined;
  s.a_batch.insert(s.a_batch.begin(), joined.size() - s.a_batch.size(), 1);
  s.b_batch.insert(s.b_batch.begin(), joined.size() - s.b_batch.size(), 1);
  return s;
}

/// The operands hold exactly the elements that the sizes name.
Result<void> check(const GemmSizes& s, const Tensor& a, const Tensor& b) {
  const auto holds = [](Dims dims, int64_t rows, int64_t columns, const Tensor& t) {
    dims.push_back(rows), dims.push_back(columns);
    const auto elems = checked_elems(dims);
    return elems.ok() && *elems == t.elems();
  };
  if (s.a_batch.size() != s.batch.size() || s.b_batch.size() != s.batch.size())
    return fail("batches {}, {} and {} differ in rank", to_string(s.batch), to_string(s.a_batch), to_string(s.b_batch));
  for (size_t d = 0; d < s.batch.size(); ++d)
    if ((s.a_batch[d] != s.batch[d] && s.a_batch[d] != 1) || (s.b_batch[d] != s.batch[d] && s.b_batch[d] != 1))
      return fail("batches {} and {} do not broadcast to {}", to_string(s.a_batch), to_string(s.b_batch), to_string(s.batch));
  if (!holds(s.a_batch, s.m, s.k, a)) return fail("a {} is no {} x [{}, {}]", to_string(a.dims), to_string(s.a_batch), s.m, s.k);
  if (!holds(s.b_batch, s.k, s.n, b)) return fail("b {} is no {} x [{}, {}]", to_string(b.dims), to_string(s.b_batch), s.k, s.n);
  return {};
}

template <class T>
Result<void> product(const engine::GemmProblem& p, const GemmSizes& s, const Tensor& a, const Tensor& b, Tensor& out) {
  TENON_TRY(workspace, Workspace<T>::make(s.m, s.n, s.k));
  const Dims a_strides = strides_of(s.a_batch), b_strides = strides_of(s.b_batch), steps = strides_of(s.batch);
  const int64_t count = elems_of(s.batch);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at_a = 0, at_b = 0;
    for (size_t d = 0; d < s.batch.size(); ++d) {
      const int64_t at = i / steps[d] % s.batch[d];
      if (s.a_batch[d] != 1) at_a += at * a_strides[d];
      if (s.b_batch[d] != 1) at_b += at * b_strides[d];
    }
    const T* x = reinterpret_cast<const T*>(a.data) + at_a * s.m * s.k;
    const T* y = reinterpret_cast<const T*>(b.data) + at_b * s.k * s.n;
    const Dense<T> left = p.trans_a ? Dense<T>{x, 1, s.m} : Dense<T>{x, s.k, 1};
    const Dense<T> right = p.trans_b ? Dense<T>{y, 1, s.k} : Dense<T>{y, s.n, 1};
    multiply(s.m, s.n, s.k, left, right, reinterpret_cast<T*>(out.data) + i * s.m * s.n, s.n, workspace);
  }
  return {};
}

/// Of each row of a: the mean that is taken away and the inverse deviation.
template <class T>
std::pair<double, double> moments(const engine::GemmProblem& p, const T* row, int64_t k) {
  double sum = 0, square = 0;
  for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(row[i]);
  const double mean = p.row_norm == engine::RowNorm::layer ? sum / static_cast<double>(k) : 0;
  for (int64_t i = 0; i < k; ++i) square += (static_cast<double>(row[i]) - mean) * (static_cast<double>(row[i]) - mean);
  return {mean, 1 / std::sqrt(square / static_cast<double>(k) + p.epsilon)};
}

template <class T>
void normalise(const engine::GemmProblem& p, const GemmSizes& s, const Tensor& a, const float* sums, Tensor& out) {
  const Dims a_strides = strides_of(s.a_batch), steps = strides_of(s.batch);
  const int64_t count = elems_of(s.batch);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at_a = 0;
    for (size_t d = 0; d < s.batch.size(); ++d)
      if (s.a_batch[d] != 1) at_a += i / steps[d] % s.batch[d] * a_strides[d];
    for (int64_t row = 0; row < s.m; ++row) {
      const auto [mean, inverse] = moments(p, reinterpret_cast<const T*>(a.data) + (at_a * s.m + row) * s.k, s.k);
      T* const to = reinterpret_cast<T*>(out.data) + (i * s.m + row) * s.n;
      for (int64_t c = 0; c < s.n; ++c)
        to[c] = static_cast<T>((static_cast<double>(to[c]) - (sums ? mean * static_cast<double>(sums[c]) : 0)) * inverse);
    }
  }
}

Result<void> normalise(const engine::GemmProblem& p, const GemmSizes& s, const Tensor& a, std::span<const HostValue> in, Tensor& out) {
  if (p.trans_a || (out.dtype != DType::f32 && out.dtype != DType::f64)) return fail("rows to normalise must be rows of floats");
  const float* sums = nullptr;
  if (p.row_norm == engine::RowNorm::layer) {
    TENON_TRY(of_b, operand(in, 2, "sums of b"));
    if (of_b->dtype != DType::f32 || of_b->elems() != s.n) return fail("the sums of b must be f32[{}]", s.n);
    sums = reinterpret_cast<const float*>(of_b->data);
  }
  out.dtype == DType::f32 ? normalise<float>(p, s, a, sums, out) : normalise<double>(p, s, a, sums, out);
  return {};
}

}  // namespace

Result<void> run(const engine::GemmProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(a, operand(in, 0, "a"));
  TENON_TRY(b, operand(in, 1, "b"));
  TENON_TRY(sizes, sizes_of(p, *a, *b));
  TENON_OK(check(sizes, *a, *b));
  const DType type = common_type(a->dtype, b->dtype);
  TENON_TRY(left, rounded(*a, type, p.math));
  TENON_TRY(right, rounded(*b, type, p.math));
  Dims dims = sizes.batch;
  dims.push_back(sizes.m), dims.push_back(sizes.n);
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(result, begin_result(type, dims, p.out, p.epilogue, out));
  if (elems > 0) {
    if (type == DType::f32) TENON_OK(product<float>(p, sizes, left, right, result));
    if (type == DType::f64) TENON_OK(product<double>(p, sizes, left, right, result));
    if (type == DType::i64) TENON_OK(product<uint64_t>(p, sizes, left, right, result));
  }
  if (in.size() < p.own_inputs()) return fail("{} inputs are wanted, got {}", p.own_inputs(), in.size());
  if (p.row_norm != engine::RowNorm::none) TENON_OK(normalise(p, sizes, left, in, result));
  return finish(result, p.out, p.epilogue, in.subspan(p.own_inputs()), out);
}

}  // namespace tenon::reference
