// Shape: the dims of a tensor, or an unknown rank; and small helpers on dims that are known numbers.
#pragma once
#include <span>

#include "tensor/dim.h"

namespace tenon {

using Dims = std::vector<int64_t>;

class Shape {
 public:
  Shape() = default;  // rank 0
  Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  static Shape unknown() {
    Shape s;
    s.ranked_ = false;
    return s;
  }
  static Shape of(std::span<const int64_t> dims) { return Shape(std::vector<Dim>(dims.begin(), dims.end())); }

  bool has_rank() const { return ranked_; }
  /// Only of a shape whose rank is known.
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  const std::vector<Dim>& dims() const { return dims_; }
  std::vector<Dim>& dims() { return dims_; }
  const Dim& operator[](int64_t i) const { return dims_[static_cast<size_t>(i)]; }
  Dim& operator[](int64_t i) { return dims_[static_cast<size_t>(i)]; }
  Dim elems() const;
  std::optional<Dims> constant() const;
  friend bool operator==(const Shape& a, const Shape& b) { return a.ranked_ == b.ranked_ && a.dims_ == b.dims_; }

 private:
  std::vector<Dim> dims_;
  bool ranked_ = true;
};

/// "[n, 3, 224]", "[...]" for an unknown rank.
std::string to_string(const Shape& shape);
std::string to_string(const Dims& dims);
Result<Shape> parse_shape(Scanner& in);

/// Of a tensor and of each of its dims, so that a few of them may be added and multiplied by small numbers.
inline constexpr int64_t kMostElems = int64_t{1} << 60;
/// Product; errors: negative dims, more than kMostElems.
Result<int64_t> checked_elems(std::span<const int64_t> dims);
/// Product of dims already checked.
int64_t elems_of(std::span<const int64_t> dims);
/// Row-major strides in elements.
Dims strides_of(std::span<const int64_t> dims);
/// -rank..rank-1 → 0..rank-1; error names the value.
Result<int64_t> normalize_axis(int64_t axis, int64_t rank);
/// ONNX multidirectional broadcasting of known dims.
Result<Dims> broadcast_dims(std::span<const int64_t> a, std::span<const int64_t> b);
/// The same on symbolic shapes; dims that cannot be compared: a constant > 1 wins, else equal names, else max(a, b).
Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);
Result<Dims> evaluate(const Shape& shape, const DimValues& values);

template <>
struct TypeOf<Shape> {
  static const TypeRow& row();
};

}  // namespace tenon
