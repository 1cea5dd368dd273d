// Moving elements without looking at them: what copies, gathers and scatters of any element type share, strings and sub-byte types
// included; and the dims of an output once its inputs exist.
#pragma once
#include <complex>

#include "tensor/op.h"

namespace tenon::ops {

/// to[j, j + count) = from[i, i + count): same element type, ranges inside both tensors.
void copy_elems(const Tensor& from, int64_t i, Tensor& to, int64_t j, int64_t count);
/// All elements; both have as many.
inline void copy_all(const Tensor& from, Tensor& to) { copy_elems(from, 0, to, 0, from.elems()); }
/// to[j, j + count) = the one element from[i].
void fill_elems(const Tensor& from, int64_t i, Tensor& to, int64_t j, int64_t count);
/// All bytes zero; strings empty.
void clear(Tensor& tensor);

/// An element of c64 or c128.
std::complex<double> element_as_complex(const Tensor& tensor, int64_t i);
/// The real (0) or imaginary (1) parts of complex numbers as floats of the same precision, and the other way round: to.part = from.
Result<Tensor> part_of(const Tensor& tensor, int part);
void set_part(Tensor& to, int part, const Tensor& from);

/// Walks all coordinates of `dims`, last fastest: for (Odometer at(dims); at.inside(); at.next()).
class Odometer {
 public:
  explicit Odometer(Dims dims) : dims_(std::move(dims)), at_(dims_.size(), 0), left_(elems_of(dims_)) {}
  bool inside() const { return left_ > 0; }
  void next();
  const Dims& operator*() const { return at_; }
  int64_t operator[](size_t i) const { return at_[i]; }
  int64_t dot(const Dims& strides) const;

 private:
  Dims dims_, at_;
  int64_t left_ = 0;
};

/// Products of dims [0, axis), and (axis, rank).
int64_t elems_before(const Dims& dims, int64_t axis);
int64_t elems_after(const Dims& dims, int64_t axis);

/// -size..size-1 → 0..size-1; errors name the index.
Result<int64_t> checked_index(int64_t index, int64_t size);

Facts facts_of(std::span<const HostValue> in);
/// Dims of output `i` as shape inference finds them when all inputs exist.
template <class T>
Result<Dims> known_dims(const T& op, std::span<const HostValue> in, size_t outputs = 1, size_t i = 0) {
  Symbols symbols;
  InferCtx ctx;
  ctx.symbols = &symbols;
  ctx.output_count = static_cast<int>(outputs);
  TENON_TRY(facts, infer(op, facts_of(in), ctx));
  if (i >= facts.size()) return fail("there is no output {}", i);
  if (auto dims = facts[i].shape().has_rank() ? facts[i].shape().constant() : std::nullopt) return *dims;
  return fail("the shape {} is not known from the inputs", to_string(facts[i].shape()));
}

/// eval() of an operator that is linear in its first input, for complex numbers: each part by itself.
template <class T>
Result<void> eval_parts(const T& real, const T& imaginary, std::span<const HostValue> in, std::span<HostValue> out) {
  std::vector<HostValue> part_in(in.begin(), in.end());
  for (int part = 0; part < 2; ++part) {
    TENON_TRY(x, part_of(in[0].tensor, part));
    part_in[0] = HostValue(std::move(x));
    HostValue y;
    TENON_OK(eval(part == 0 ? real : imaginary, part_in, std::span(&y, 1)));
    TENON_OK(prepare_output(out[0], in[0].tensor.dtype, y.tensor.dims));
    set_part(out[0].tensor, part, y.tensor);
  }
  return {};
}

}  // namespace tenon::ops
