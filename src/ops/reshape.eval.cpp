#include "ops/reshape.h"
#include "ops/move.h"

namespace tenon::ops {
namespace {

Result<void> view(const Tensor& x, const Dims& dims, HostValue& out) {
  if (elems_of(dims) != x.elems()) return fail("{} has not as many elements as {}", to_string(x.dims), to_string(dims));
  TENON_OK(prepare_output(out, x.dtype, dims));
  copy_all(x, out.tensor);
  return {};
}

/// Dims from an attribute with symbols: one of them follows from the number of elements, more from the memory that the plan gave.
Result<Dims> resolve(const std::vector<Dim>& shape, const Tensor& x, const HostValue& out) {
  Dims dims;
  std::optional<size_t> open;
  int64_t others = 1;
  for (const Dim& dim : shape) {
    const auto number = dim.constant();
    if (!number && (open || others == 0)) {
      if (out.kind == HostValue::Kind::tensor && out.tensor.rank() == static_cast<int64_t>(shape.size())) return out.tensor.dims;
      return fail("the symbols of {} have no values here", to_string(Shape(shape)));
    }
    if (!number) open = dims.size();
    others *= number.value_or(1);
    dims.push_back(number.value_or(1));
  }
  if (open) dims[*open] = others == 0 ? 0 : x.elems() / others;
  return dims;
}

}  // namespace

Result<void> eval(const Reshape& op, std::span<const HostValue> in, std::span<HostValue> out) {
  if (op.shape) {
    TENON_TRY(dims, resolve(*op.shape, in[0].tensor, out[0]));
    return view(in[0].tensor, dims, out[0]);
  }
  TENON_TRY(dims, known_dims(op, in));
  return view(in[0].tensor, dims, out[0]);
}
Result<void> eval(const Squeeze& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  return view(in[0].tensor, dims, out[0]);
}
Result<void> eval(const Unsqueeze& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  return view(in[0].tensor, dims, out[0]);
}
Result<void> eval(const Flatten& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(dims, known_dims(op, in));
  return view(in[0].tensor, dims, out[0]);
}

}  // namespace tenon::ops
