#include "reference/common.h"

#include <algorithm>
#include <bit>

#include "tensor/convert.h"

namespace tenon::reference {

Result<const Tensor*> operand(std::span<const HostValue> in, size_t i, std::string_view name, int64_t rank) {
  if (i >= in.size() || in[i].kind != HostValue::Kind::tensor || !in[i].tensor.data) return fail("{} (input {}) is missing", name, i);
  const Tensor& tensor = in[i].tensor;
  if (!is_real(tensor.dtype)) return fail("{} has elements of type {}, wanted real numbers", name, to_string(tensor.dtype));
  if (tensor.rank() < rank) return fail("{} must have at least {} dims, got {}", name, rank, to_string(tensor.dims));
  return &tensor;
}

Result<Dims> numbers(std::span<const Dim> dims, std::string_view name) {
  Dims out;
  for (const Dim& dim : dims) {
    const auto value = dim.constant();
    if (!value) return fail("{} {} of the problem is not bound to a number", name, to_string(dim));
    out.push_back(*value);
  }
  return out;
}

Result<Dims> dims_like(const Shape& pattern, const Tensor& tensor) {
  if (!pattern.has_rank() || pattern.rank() == tensor.rank()) return tensor.dims;
  // A bound pattern says it all.
  if (const auto known = pattern.constant()) {
    const auto elems = checked_elems(*known);
    if (elems.ok() && *elems == tensor.elems()) return *known;
  }
  // Else dims of 1 come and go, and the others keep their order.
  Dims left, out;
  for (const int64_t dim : tensor.dims)
    if (dim != 1) left.push_back(dim);
  size_t at = 0;
  const auto open =
      static_cast<size_t>(std::count_if(pattern.dims().begin(), pattern.dims().end(), [](const Dim& d) { return !(d == Dim(1)); }));
  for (const Dim& dim : pattern.dims()) out.push_back(!(dim == Dim(1)) && at < left.size() ? left[at++] : 1);
  if (at != left.size() || (!left.empty() && left.size() != open))
    return fail("an operand of shape {} does not fit {}", to_string(tensor.dims), to_string(pattern));
  return out;
}

DType common_type(DType a, DType b) {
  const DType x = widened(a), y = widened(b);
  if (x == DType::f64 || y == DType::f64) return DType::f64;
  return x == DType::f32 || y == DType::f32 ? DType::f32 : DType::i64;
}

Result<Tensor> rounded(const Tensor& in, DType type, const Math& math) {
  DType through = DType::none;
  switch (math.operand_rounding) {
    case Rounding::bf16: through = DType::bf16; break;
    case Rounding::f16: through = DType::f16; break;
    case Rounding::f8e4m3: through = DType::f8e4m3fn; break;
    case Rounding::f8e5m2: through = DType::f8e5m2; break;
    case Rounding::tf32: {
      if (!is_float(in.dtype) || bits_of(in.dtype) < 32) break;
      TENON_TRY(wide, convert(in, DType::f32));
      TENON_TRY(out, Tensor::allocate(DType::f32, in.dims));
      for (size_t i = 0; i < out.as<float>().size(); ++i) {  // 10 bits of mantissa stay, to nearest even
        const uint32_t bits = std::bit_cast<uint32_t>(wide.as<float>()[i]);
        const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
        out.as<float>()[i] = std::bit_cast<float>(finite ? (bits + 0xfffu + ((bits >> 13) & 1u)) & ~0x1fffu : bits);
      }
      return convert(out, type);
    }
    case Rounding::f32:
    case Rounding::i8: break;
  }
  if (through == DType::none || !is_float(in.dtype) || bits_of(in.dtype) <= bits_of(through)) return convert(in, type);
  TENON_TRY(narrow, convert(in, through, Narrow::saturate));
  return convert(narrow, type);
}

namespace {

/// Each of `count` matrices [rows, columns] transposed.
template <class T>
void transpose_each(int64_t count, int64_t rows, int64_t columns, const T* from, T* to) {
  for (int64_t i = 0; i < count; ++i, from += rows * columns, to += rows * columns)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
}

void transpose_each(int64_t count, int64_t rows, int64_t columns, const Tensor& from, Tensor& to) {
  if (from.elems() == 0) return;
  if (from.dtype == DType::f32) {
    transpose_each(count, rows, columns, reinterpret_cast<const uint32_t*>(from.data), reinterpret_cast<uint32_t*>(to.data));
  } else {
    transpose_each(count, rows, columns, reinterpret_cast<const uint64_t*>(from.data), reinterpret_cast<uint64_t*>(to.data));
  }
}

}  // namespace

Result<Tensor> channels_first(const Tensor& in) {
  Dims dims = {in.dims.front(), in.dims.back()};
  dims.insert(dims.end(), in.dims.begin() + 1, in.dims.end() - 1);
  TENON_TRY(out, Tensor::allocate(in.dtype, dims));
  transpose_each(dims[0], elems_of(std::span(dims).subspan(2)), dims[1], in, out);
  return out;
}

void store_channels_last(const Tensor& in, Tensor& out) {
  transpose_each(in.dims[0], in.dims[1], elems_of(std::span(in.dims).subspan(2)), in, out);
}

Result<Dims> fit_output(HostValue& out, DType type, const Dims& dims) {
  if (out.kind == HostValue::Kind::tensor && out.tensor.data && out.tensor.dtype == type) {
    TENON_TRY(elems, checked_elems(dims));
    if (elems == out.tensor.elems()) return out.tensor.dims;
  }
  TENON_OK(prepare_output(out, type, dims));
  return dims;
}

Result<Tensor> begin_result(DType type, const Dims& dims, DType out_type, const engine::Epilogue& epilogue, std::span<HostValue> out) {
  if (out.empty()) return fail("the problem has no output");
  if (!epilogue.expr.empty() || type != out_type) return Tensor::allocate(type, dims);
  TENON_OK(fit_output(out[0], out_type, dims));
  return Tensor::wrap(type, dims, out[0].tensor.data, out[0].tensor.owner);
}

Result<void> finish(const Tensor& result, DType out_type, const engine::Epilogue& epilogue, std::span<const HostValue> operands,
                    std::span<HostValue> out) {
  if (epilogue.expr.empty()) {
    TENON_OK(fit_output(out[0], out_type, result.dims));
    return out[0].tensor.data == result.data ? Result<void>() : store(result, out[0].tensor);
  }
  const Expr& expr = epilogue.expr;
  TENON_OK(verify(expr));
  if (expr.results.size() != out.size()) return fail("the epilogue has {} results, the step {} outputs", expr.results.size(), out.size());
  std::vector<Tensor> outs, ins;
  for (size_t i = 0; i < out.size(); ++i) {
    TENON_OK(fit_output(out[i], expr.type_of(expr.results[i]), result.dims));
    outs.push_back(out[i].tensor);
  }
  // The operands broadcast to the dims that the output has in the graph.
  ins.push_back(Tensor::wrap(result.dtype, outs[0].dims, result.data, result.owner));
  for (Tensor& tensor : outs) tensor.dims = outs[0].dims;
  for (size_t i = 0; i < operands.size(); ++i) {
    TENON_TRY(tensor, operand(operands, i, "an operand of the epilogue"));
    const Shape pattern = i < epilogue.operands.size() ? epilogue.operands[i] : Shape::unknown();
    TENON_TRY(dims, dims_like(pattern, *tensor));
    ins.push_back(Tensor::wrap(tensor->dtype, dims, tensor->data, tensor->owner));
  }
  return evaluate(expr, ins, outs);
}

Result<void> check_extent(int64_t first, int64_t steps, int64_t step) {
  int64_t reach = 0;
  constexpr int64_t kMost = int64_t{1} << 60;
  if (first > kMost || first < -kMost || __builtin_mul_overflow(steps, step, &reach) || reach > kMost || reach < -kMost)
    return fail("{} steps of {} from {} reach too far", steps, step, first);
  return {};
}

}  // namespace tenon::reference
