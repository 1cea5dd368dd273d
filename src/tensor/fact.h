// Fact: what is known of a value before it exists: its type, its shape, perhaps its contents.
#pragma once
#include <memory>
#include <optional>

#include "tensor/tensor.h"

namespace tenon {

struct ValueType {
  enum class Kind : uint8_t { tensor, sequence, optional, map };
  Kind kind = Kind::tensor;
  DType dtype = DType::none;  // element type; key type of a map
  Shape shape = Shape::unknown();
  std::shared_ptr<const ValueType> element;  // of a sequence, optional or map

  static ValueType tensor(DType dtype, Shape shape) { return {Kind::tensor, dtype, std::move(shape), nullptr}; }
  static ValueType sequence(ValueType element) {
    return {Kind::sequence, DType::none, Shape::unknown(), std::make_shared<const ValueType>(std::move(element))};
  }
  static ValueType optional(ValueType element) {
    return {Kind::optional, DType::none, Shape::unknown(), std::make_shared<const ValueType>(std::move(element))};
  }
  static ValueType map(DType key, ValueType element) {
    return {Kind::map, key, Shape::unknown(), std::make_shared<const ValueType>(std::move(element))};
  }
  bool is_tensor() const { return kind == Kind::tensor; }
  friend bool operator==(const ValueType& a, const ValueType& b);
};
/// "f32[n, 3]", "seq(f32[...])", "opt(f32[])", "map(i64, f32[])".
std::string to_string(const ValueType& type);
Result<ValueType> parse_value_type(Scanner& in);
template <>
struct TypeOf<ValueType> {
  static const TypeRow& row();
};

struct Fact {
  ValueType type;
  std::shared_ptr<const Tensor> constant;  // the contents, when frozen
  std::optional<std::vector<Dim>> elems;   // contents of a small integer tensor, row-major: shape arithmetic folds through it

  Fact() = default;
  Fact(ValueType t) : type(std::move(t)) {}
  Fact(DType dtype, Shape shape) : type(ValueType::tensor(dtype, std::move(shape))) {}
  /// A known tensor: fills `constant`, and `elems` where it is a small integer one (at most kMaxElems elements).
  static Fact of(Tensor tensor);
  static constexpr int64_t kMaxElems = 64;

  DType dtype() const { return type.dtype; }
  const Shape& shape() const { return type.shape; }
  bool has_rank() const { return type.is_tensor() && type.shape.has_rank(); }
  int64_t rank() const { return type.shape.rank(); }
  /// Contents as numbers, if all are known.
  std::optional<Dims> ints() const;
};
using Facts = std::vector<Fact>;

/// The fact of a value that exists.
Fact fact_of(const HostValue& value);

}  // namespace tenon
