#include "ops/cum_sum.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const CumSum&, std::span<const Fact> in, InferCtx&) {
  if (const auto axis = in[1].ints(); axis && axis->size() == 1 && in[0].has_rank()) TENON_OK(normalize_axis((*axis)[0], in[0].rank()));
  return Facts{Fact(in[0].type)};
}

namespace {

template <class T>
void run(const CumSum& op, const T* from, T* to, int64_t size, int64_t stride) {
  T sum = op.product ? T(1) : T(0);
  for (int64_t i = 0; i < size; ++i) {
    const int64_t at = (op.reverse ? size - 1 - i : i) * stride;
    const T next = op.product ? sum * from[at] : sum + from[at];
    to[at] = op.exclusive ? sum : next;
    sum = next;
  }
}

}  // namespace

Result<void> eval(const CumSum& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  if (in[1].tensor.elems() != 1) return fail("the axis has shape {}, wanted one element", to_string(in[1].tensor.dims));
  TENON_TRY(axis, normalize_axis(element_as_int(in[1].tensor, 0), x.rank()));
  TENON_TRY(wide, widen(x));
  TENON_TRY(sums, Tensor::allocate(wide.dtype, wide.dims));
  TENON_OK(prepare_output(out[0], x.dtype, x.dims));
  const int64_t size = x.dims[static_cast<size_t>(axis)], outer = elems_before(x.dims, axis), inner = elems_after(x.dims, axis);
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < inner; ++j) {
      const int64_t at = i * size * inner + j;
      if (wide.dtype == DType::i64) {  // unsigned: sums wrap
        run(op, reinterpret_cast<const uint64_t*>(wide.data) + at, reinterpret_cast<uint64_t*>(sums.data) + at, size, inner);
      } else if (wide.dtype == DType::f64) {
        run(op, reinterpret_cast<const double*>(wide.data) + at, reinterpret_cast<double*>(sums.data) + at, size, inner);
      } else {
        run(op, reinterpret_cast<const float*>(wide.data) + at, reinterpret_cast<float*>(sums.data) + at, size, inner);
      }
    }
  }
  return store(sums, out[0].tensor);
}

template OpRow make_row<CumSum>();

}  // namespace tenon::ops
