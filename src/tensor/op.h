// OpRow: one operator as a row of functions over its plain attributes; Op: a row with attributes. No meaning lives here.
#pragma once
#include <functional>

#include "tensor/fact.h"

namespace tenon {

namespace engine {
struct Problem;
}

/// What infer may ask for: new symbols for data-dependent sizes, and the facts of a region's outputs.
struct InferCtx {
  Symbols* symbols = nullptr;
  /// Facts of the outputs of region `index` when its inputs have facts `in`. Set for operators with regions.
  std::function<Result<Facts>(int index, const Facts& in)> region;
  int output_count = 1;  // as the node has them

  Dim mint(std::string_view stem) const { return symbols->mint(stem); }
};

struct OpRow {
  std::string_view name;
  const TypeRow* attributes = nullptr;
  std::shared_ptr<void> (*make)() = nullptr;
  std::shared_ptr<void> (*copy)(const void*) = nullptr;
  Result<Facts> (*infer)(const void* op, std::span<const Fact> in, InferCtx& ctx) = nullptr;
  /// Either problem (a kind that kernels know) or eval (the operator's own plain evaluator); neither for operators with regions.
  Result<engine::Problem> (*problem)(const void* op, std::span<const Fact> in, std::span<const Fact> out) = nullptr;
  Result<void> (*eval)(const void* op, std::span<const HostValue> in, std::span<HostValue> out) = nullptr;
  bool has_regions = false;
  bool pure = true;     // false: random operators, which are neither folded nor merged
  bool anchor = false;  // takes a pointwise expression as epilogue
  bool view = false;    // output 0 has the bytes of input 0 under another shape
};

class Op {
 public:
  Op() = default;
  Op(const OpRow& row, std::shared_ptr<const void> attributes) : row_(&row), attributes_(std::move(attributes)) {}
  const OpRow& row() const { return *row_; }
  bool defined() const { return row_ != nullptr; }
  std::string_view name() const { return row_->name; }
  const void* attributes() const { return attributes_.get(); }
  /// The attributes, if this is a T.
  template <class T>
  const T* as() const {
    return row_ && row_->name == T::kName ? static_cast<const T*>(attributes_.get()) : nullptr;
  }
  friend bool operator==(const Op& a, const Op& b) {
    return a.row_ == b.row_ && (!a.row_ || equal(*a.row_->attributes, a.attributes(), b.attributes()));
  }

 private:
  const OpRow* row_ = nullptr;
  std::shared_ptr<const void> attributes_;
};

}  // namespace tenon
