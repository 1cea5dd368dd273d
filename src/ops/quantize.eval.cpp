#include <algorithm>
#include <cmath>

#include "ops/move.h"
#include "ops/quantize.h"

namespace tenon::ops {
namespace {

/// The scale that serves an element of x, by its flat index.
class ScaleIndex {
 public:
  template <class T>
  static Result<ScaleIndex> of(const T& op, const Tensor& x, const Tensor& scale) {
    ScaleIndex index;
    if (scale.elems() == 1) return index;
    TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
    const int64_t size = x.dims[static_cast<size_t>(axis)];
    index.inner_ = elems_after(x.dims, axis);
    index.size_ = size;
    if (op.block_size > 0) {
      Dims wanted = x.dims;
      wanted[static_cast<size_t>(axis)] = size / op.block_size + (size % op.block_size != 0);
      if (scale.dims != wanted)
        return fail("blocks of {} want a scale of {}, got {}", op.block_size, to_string(wanted), to_string(scale.dims));
      index.block_ = op.block_size;
      index.blocks_ = wanted[static_cast<size_t>(axis)];
    } else if (scale.rank() != 1 || scale.dims[0] != size) {
      return fail("axis {} of {} wants a scale of [{}], got {}", axis, to_string(x.dims), size, to_string(scale.dims));
    }
    return index;
  }
  int64_t operator()(int64_t i) const {
    if (size_ == 0) return 0;
    const int64_t at = i / inner_ % size_;
    return block_ == 0 ? at : (i / (inner_ * size_) * blocks_ + at / block_) * inner_ + i % inner_;
  }

 private:
  int64_t inner_ = 1, size_ = 0, block_ = 0, blocks_ = 0;  // size 0: one scale for all
};

Result<const Tensor*> zero_point(std::span<const HostValue> in) {
  if (in.size() < 3 || in[2].kind != HostValue::Kind::tensor) return nullptr;
  if (in[2].tensor.elems() != in[1].tensor.elems())
    return fail("scale {} and zero point {} differ", to_string(in[1].tensor.dims), to_string(in[2].tensor.dims));
  return &in[2].tensor;
}

}  // namespace

/// y = saturate(round(x / scale) + zero_point), halves to even.
Result<void> eval(const QuantizeLinear& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &x = in[0].tensor, &scale = in[1].tensor;
  TENON_TRY(scale_of, ScaleIndex::of(op, x, scale));
  TENON_TRY(zero, zero_point(in));
  const DType dtype = op.dtype != DType::none ? op.dtype : zero ? zero->dtype : DType::u8;
  const DType precision = op.precision != DType::none ? op.precision : scale.dtype == DType::f8e8m0 ? x.dtype : scale.dtype;
  // The division rounds to its own type; f32 holds every narrower one.
  TENON_TRY(xs, convert(x, DType::f32));
  TENON_TRY(scales, convert(scale, DType::f32));
  TENON_TRY(quotient, Tensor::allocate(DType::f32, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i)
    quotient.as<float>()[static_cast<size_t>(i)] =
        xs.as<float>()[static_cast<size_t>(i)] / scales.as<float>()[static_cast<size_t>(scale_of(i))];
  if (is_float(precision) && precision != DType::f32 && precision != DType::f64) {
    TENON_TRY(narrow, convert(quotient, precision));
    TENON_TRY(back, convert(narrow, DType::f32));
    quotient = back;
  }
  TENON_OK(prepare_output(out[0], dtype, x.dims));
  if (is_float(dtype)) {
    if (zero) {
      TENON_TRY(zeros, convert(*zero, DType::f32));
      for (int64_t i = 0; i < x.elems(); ++i)
        quotient.as<float>()[static_cast<size_t>(i)] += zeros.as<float>()[static_cast<size_t>(scale_of(i))];
    }
    return store(quotient, out[0].tensor, op.saturate ? Narrow::saturate : Narrow::wrap);
  }
  TENON_TRY(rounded, Tensor::allocate(DType::i64, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i) {
    const float value = std::nearbyint(quotient.as<float>()[static_cast<size_t>(i)]);
    const int64_t whole = std::isnan(value) ? 0 : static_cast<int64_t>(std::clamp(value, -1e15f, 1e15f));
    rounded.as<int64_t>()[static_cast<size_t>(i)] = whole + (zero ? element_as_int(*zero, scale_of(i)) : 0);
  }
  return store(rounded, out[0].tensor, Narrow::saturate);
}

/// y = (x - zero_point) · scale.
Result<void> eval(const DequantizeLinear& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &x = in[0].tensor, &scale = in[1].tensor;
  TENON_TRY(scale_of, ScaleIndex::of(op, x, scale));
  TENON_TRY(zero, zero_point(in));
  TENON_TRY(scales, convert(scale, DType::f32));
  TENON_TRY(xs, widen(x));
  TENON_OK(prepare_output(out[0], op.dtype != DType::none ? op.dtype : scale.dtype, x.dims));
  TENON_TRY(y, Tensor::allocate(DType::f32, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t k = scale_of(i);
    float value = 0;
    if (xs.dtype == DType::i64) {
      value = static_cast<float>(xs.as<int64_t>()[static_cast<size_t>(i)] - (zero ? element_as_int(*zero, k) : 0));
    } else {
      value = static_cast<float>(element_as_double(xs, i) - (zero ? element_as_double(*zero, k) : 0));
    }
    y.as<float>()[static_cast<size_t>(i)] = value * scales.as<float>()[static_cast<size_t>(k)];
  }
  return store(y, out[0].tensor);
}

}  // namespace tenon::ops
