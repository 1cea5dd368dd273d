#include <algorithm>
#include <cstring>

#include "ops/move.h"
#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

/// A value that any bytes are moved from: strings and complex numbers too.
Result<const Tensor*> source(std::span<const HostValue> in) {
  if (in.empty() || in[0].kind != HostValue::Kind::tensor || !in[0].tensor.data || !in[0].tensor.defined())
    return fail("the input is missing");
  return &in[0].tensor;
}

/// Every element that the strides reach lies inside [0, elems). Exact in 128 bits: dims and strides come from a file.
Result<void> check_reach(int64_t offset, const Dims& dims, const Dims& strides, int64_t elems) {
  __int128 least = offset, most = offset;
  for (size_t d = 0; d < dims.size(); ++d) {
    const __int128 reach = static_cast<__int128>(dims[d] - 1) * strides[d];
    (reach < 0 ? least : most) += reach;
  }
  if (least < 0 || most >= elems)
    return fail("a copy of {} with strides {} from {} leaves its {} elements", to_string(dims), to_string(strides), offset, elems);
  return {};
}

struct Loop {
  Dims dims, strides;
};
/// Joins neighbours that are walked evenly, drops dims of 1.
Loop collapse(const Dims& dims, const Dims& strides) {
  Loop out;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 1) continue;
    if (!out.dims.empty() && out.strides.back() == strides[d] * dims[d]) {
      out.dims.back() *= dims[d];
      out.strides.back() = strides[d];
    } else {
      out.dims.push_back(dims[d]);
      out.strides.push_back(strides[d]);
    }
  }
  if (out.dims.empty()) out = {{1}, {1}};
  return out;
}

template <class T>
void copy_row(const std::byte* from, int64_t at, int64_t step, int64_t count, std::byte* to, int64_t first) {
  const T* x = reinterpret_cast<const T*>(from) + at;
  T* y = reinterpret_cast<T*>(to) + first;
  for (int64_t i = 0; i < count; ++i) y[i] = x[i * step];
}

struct Pair {
  uint64_t low, high;
};

void copy_run(const Tensor& from, int64_t at, int64_t step, int64_t count, Tensor& to, int64_t first) {
  if (step == 1) return ops::copy_elems(from, at, to, first, count);
  switch (bits_of(from.dtype)) {
    case 8: return copy_row<uint8_t>(from.data, at, step, count, to.data, first);
    case 16: return copy_row<uint16_t>(from.data, at, step, count, to.data, first);
    case 32: return copy_row<uint32_t>(from.data, at, step, count, to.data, first);
    case 64: return copy_row<uint64_t>(from.data, at, step, count, to.data, first);
    case 128: return copy_row<Pair>(from.data, at, step, count, to.data, first);
    default:
      for (int64_t i = 0; i < count; ++i) ops::copy_elems(from, at + i * step, to, first + i, 1);
  }
}

}  // namespace

Result<void> run(const engine::CopyProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(x, source(in));
  if (out.empty()) return fail("the problem has no output");
  const auto offset = p.offset.constant();
  if (!offset) return fail("the offset {} of the problem is not bound to a number", to_string(p.offset));
  TENON_TRY(strides, numbers(p.strides, "the stride"));
  Dims dims;
  if (auto known = p.shape.constant()) {
    dims = *known;
  } else if (out[0].tensor.data) {
    dims = out[0].tensor.dims;
  } else {
    return fail("the shape {} of the problem is not bound to numbers", to_string(p.shape));
  }
  if (strides.size() != dims.size()) return fail("{} strides for the shape {}", strides.size(), to_string(dims));
  TENON_TRY(count, checked_elems(dims));
  TENON_OK(fit_output(out[0], x->dtype, dims));
  if (count == 0) return {};
  TENON_OK(check_reach(*offset, dims, strides, x->elems()));
  const Loop loop = collapse(dims, strides);
  const int64_t run = loop.dims.back(), step = loop.strides.back();
  const Dims outer_strides(loop.strides.begin(), loop.strides.end() - 1);
  int64_t first = 0;
  for (ops::Odometer at(Dims(loop.dims.begin(), loop.dims.end() - 1)); at.inside(); at.next(), first += run)
    copy_run(*x, *offset + at.dot(outer_strides), step, run, out[0].tensor, first);
  return {};
}

Result<void> run(const engine::TransferProblem&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(x, source(in));
  if (out.empty()) return fail("the problem has no output");
  TENON_OK(fit_output(out[0], x->dtype, x->dims));
  ops::copy_all(*x, out[0].tensor);
  return {};
}

}  // namespace tenon::reference
