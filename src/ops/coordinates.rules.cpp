#include <algorithm>
#include <numeric>

#include "ops/coordinates_rules.h"
#include "ops/range.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"

namespace tenon::ops {
namespace {

// Longer lists are made in a run: they would lie in the file.
constexpr int64_t kMostStored = 1 << 16;

ValueId as_column(Rewriter& rw, ValueId list, const Dim& size, int64_t behind) {
  if (behind == 0) return list;
  std::vector<Dim> dims(static_cast<size_t>(behind) + 1, 1);
  dims[0] = size;
  return rw.emit(Reshape{.shape = std::move(dims)}, {list})[0];
}

ValueId number(Rewriter& rw, int64_t value) {
  Tensor one = int64_tensor({value});
  one.dims.clear();
  return rw.constant(std::move(one));
}

}  // namespace

ValueId size_along(Rewriter& rw, ValueId x, int64_t axis) {
  if (const auto size = rw.fact(x).shape()[axis].constant()) return rw.constant(int64_tensor({*size}));
  return rw.emit(ShapeOf{.start = axis, .end = axis + 1}, {x})[0];
}

ValueId numbers_below(Rewriter& rw, const Dim& size, ValueId limit, int64_t behind) {
  const auto known = size.constant();
  if (!known || *known > kMostStored) return as_column(rw, rw.emit(Range{}, {number(rw, 0), limit, number(rw, 1)})[0], size, behind);
  Dims numbers(static_cast<size_t>(std::max<int64_t>(*known, 0)));
  std::iota(numbers.begin(), numbers.end(), 0);
  Tensor list = int64_tensor(numbers);
  list.dims.resize(static_cast<size_t>(behind) + 1, 1);
  return rw.constant(std::move(list));
}

ValueId numbers_along(Rewriter& rw, ValueId x, int64_t axis, int64_t behind) {
  const Dim size = rw.fact(x).shape()[axis];
  const bool stored = size.constant().value_or(INT64_MAX) <= kMostStored;
  return numbers_below(rw, size, stored ? ValueId::none : size_along(rw, x, axis), behind);
}

}  // namespace tenon::ops
