// Index expressions: where an operand of some shape and strides has the element that belongs to an element of the result.
#pragma once
#include "backends/cuda/tactics/kernel_writer.h"

namespace tenon::cuda {

/// How far a step along one dim goes, in elements.
struct Stride {
  Dim step;
  std::optional<Dim> unless_one;  // no step where this size is 1: a broadcast that only a run knows
  bool is(int64_t number) const { return !unless_one && step == Dim(number); }
};

/// A nest of loops and, for each operand, its strides, one per dim.
struct Walk {
  std::vector<Dim> dims;
  std::vector<std::vector<Stride>> operands;
  Dim elems() const { return Shape(dims).elems(); }
  /// Along the last dim; a walk without dims stays.
  Stride last(size_t operand) const { return dims.empty() ? Stride{0, {}} : operands[operand].back(); }
};

/// Over dims [first, last) of `out`, for operands that broadcast to it.
Walk broadcast_walk(const Shape& out, std::span<const Shape> operands, size_t first, size_t last);
inline Walk broadcast_walk(const Shape& out, std::span<const Shape> operands) {
  return broadcast_walk(out, operands, 0, out.dims().size());
}
/// Without dims of 1; neighbours that every operand walks evenly become one.
Walk collapse(const Walk& walk);

/// "u32" where `count` is known to fit (indices then divide fast), else "i64".
std::string_view index_type(const Dim& count);
/// a / b of index texts.
std::string quotient_text(KernelWriter& w, const std::string& a, const Dim& b);
/// Statements that split `index` into one coordinate per dim, named `prefix`0, `prefix`1, …
std::string split_text(KernelWriter& w, const std::vector<Dim>& dims, const std::string& index, std::string_view prefix);
/// Sum of coordinate times stride, of type i64; "0" where nothing moves.
std::string offset_text(KernelWriter& w, const std::vector<Stride>& strides, std::string_view prefix);
std::string stride_text(KernelWriter& w, const Stride& stride);

/// Each as a step that no broadcast stops.
std::vector<Stride> strides_of_dims(const std::vector<Dim>& dims);
/// Statements that make `name` the coordinate which the term gives at coordinates c0, c1, …; `inside` gains what must hold of it.
std::string term_text(KernelWriter& w, const engine::IndexTerm& term, DType index_type, const std::string& name, std::string& inside);
/// A type of so many bytes: what elements are that only move.
std::string_view bytes_type(int64_t bytes);

/// ceil(count / each), at least 1: an empty result is no empty grid.
Dim some_blocks(const Dim& count, int64_t each);

/// A part of the result's dims, and the text of the linear index within it.
struct IndexPart {
  size_t first = 0, last = 0;  // dims
  std::string index;
};

/// The end of an anchor's kernel: from a computed value to elements in memory.
class ResultText {
 public:
  /// operand: the step's input that is the epilogue's first; type, out: what the anchor gives. `parts` cover the dims of `out`.
  ResultText(KernelWriter& w, const engine::Epilogue& epilogue, size_t operand, DType type, Shape out, std::vector<IndexPart> parts);

  /// Statements; afterwards results()[r] is the text of result r, of the type stored_types()[r]. `value` has the anchor's compute type.
  std::string compute(const std::string& value);
  const std::vector<std::string>& results() const { return results_; }
  const std::vector<DType>& types() const { return types_; }
  size_t count() const { return types_.size(); }
  /// compute(), then a store of each result at the index.
  std::string store(const std::string& value, std::string_view index);

 private:
  KernelWriter& w_;
  const engine::Epilogue& epilogue_;
  size_t operand_;
  DType type_;
  Shape out_;
  std::vector<IndexPart> parts_;
  std::vector<std::string> results_;
  std::vector<DType> types_;
};
/// Why no kernel takes the epilogue; ok where one does.
engine::Verdict takes_epilogue(const engine::Epilogue& epilogue);

}  // namespace tenon::cuda
