#include "tensor/shape.h"

#include <algorithm>

namespace tenon {

Dim Shape::elems() const {
  Dim out(1);
  for (const Dim& dim : dims_) out = out * dim;
  return out;
}

std::optional<Dims> Shape::constant() const {
  if (!ranked_) return std::nullopt;
  Dims out;
  for (const Dim& dim : dims_) {
    const auto value = dim.constant();
    if (!value) return std::nullopt;
    out.push_back(*value);
  }
  return out;
}

std::string to_string(const Shape& shape) {
  if (!shape.has_rank()) return "[...]";
  std::string out = "[";
  for (int64_t i = 0; i < shape.rank(); ++i) {
    if (i) out += ", ";
    out += to_string(shape[i]);
  }
  return out + "]";
}

std::string to_string(const Dims& dims) { return to_string(Shape::of(dims)); }

Result<Shape> parse_shape(Scanner& in) {
  TENON_OK(in.expect("["));
  if (in.accept("...")) {
    TENON_OK(in.expect("]"));
    return Shape::unknown();
  }
  std::vector<Dim> dims;
  while (!in.accept("]")) {
    if (!dims.empty()) TENON_OK(in.expect(","));
    TENON_TRY(dim, parse_dim(in));
    dims.push_back(dim);
  }
  return Shape(std::move(dims));
}

Result<int64_t> checked_elems(std::span<const int64_t> dims) {
  int64_t out = 1;
  bool zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return fail("the shape {} has a negative dim", to_string(Dims(dims.begin(), dims.end())));
    if (dim == 0) zero = true;
    if (dim > 0 && (__builtin_mul_overflow(out, dim, &out) || out > kMostElems))
      return fail("the shape {} has more than 2^60 elements", to_string(Dims(dims.begin(), dims.end())));
  }
  return zero ? 0 : out;
}

int64_t elems_of(std::span<const int64_t> dims) {
  int64_t out = 1;
  for (const int64_t dim : dims) out *= dim;
  return out;
}

Dims strides_of(std::span<const int64_t> dims) {
  Dims out(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    out[i] = stride;
    stride *= dims[i];
  }
  return out;
}

Result<int64_t> normalize_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return fail("axis {} is outside [{}, {}]", axis, -rank, rank - 1);
  return axis < 0 ? axis + rank : axis;
}

Result<Dims> broadcast_dims(std::span<const int64_t> a, std::span<const int64_t> b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      return fail("shapes {} and {} do not broadcast", to_string(Dims(a.begin(), a.end())), to_string(Dims(b.begin(), b.end())));
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

Result<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::unknown();
  std::vector<Dim> out(static_cast<size_t>(std::max(a.rank(), b.rank())));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    const Dim x = k < a.rank() ? a[a.rank() - 1 - k] : Dim(1), y = k < b.rank() ? b[b.rank() - 1 - k] : Dim(1);
    const auto xc = x.constant(), yc = y.constant();
    if (xc && yc && xc != yc && xc != 1 && yc != 1) return fail("shapes {} and {} do not broadcast", to_string(a), to_string(b));
    out[out.size() - 1 - i] = broadcast(x, y);
  }
  return Shape(std::move(out));
}

Result<Dims> evaluate(const Shape& shape, const DimValues& values) {
  if (!shape.has_rank()) return fail("the rank is not known");
  Dims out;
  for (const Dim& dim : shape.dims()) {
    TENON_TRY(value, evaluate(dim, values));
    out.push_back(value);
  }
  return out;
}

const TypeRow& TypeOf<Shape>::row() {
  static const TypeRow row = [] {
    TypeRow r;
    r.kind = TypeRow::Kind::leaf;
    r.name = "shape";
    r.print = [](const void* v, std::string& out) { out += to_string(*static_cast<const Shape*>(v)); };
    r.parse = [](Scanner& in, void* v) -> Result<void> {
      TENON_TRY(shape, parse_shape(in));
      *static_cast<Shape*>(v) = shape;
      return {};
    };
    return r;
  }();
  return row;
}

}  // namespace tenon
