#include "ops/tf_idf.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "ops/move.h"

namespace tenon::ops {
namespace {

/// Columns of the output.
Result<int64_t> width_of(const TfIdf& op) {
  int64_t width = 0;
  for (const int64_t column : op.columns) {
    if (column < 0 || column > INT32_MAX) return fail("an n-gram has column {}", column);
    width = std::max(width, column + 1);
  }
  return width;
}

/// The pool as a tree of numbers: from a state, an element leads on to another one.
class Grams {
 public:
  static constexpr int64_t kRoot = 0;

  static Result<Grams> read(const TfIdf& op) {
    Grams grams;
    const bool text = !op.pool_strings.empty();
    const auto size = static_cast<int64_t>(text ? op.pool_strings.size() : op.pool_ints.size());
    size_t gram = 0;
    for (size_t k = 0; k < op.starts.size(); ++k) {
      const int64_t length = static_cast<int64_t>(k) + 1;
      const int64_t begin = op.starts[k], end = k + 1 < op.starts.size() ? op.starts[k + 1] : size;
      if (begin < 0 || end < begin || end > size) return fail("{}-grams in [{}, {}) of a pool of {}", length, begin, end, size);
      for (int64_t at = begin; at + length <= end; at += length, ++gram) {
        if (length < op.min_length || length > op.max_length) continue;
        if (gram >= op.columns.size()) return fail("{} columns are too few for the pool", op.columns.size());
        int64_t state = kRoot;
        for (int64_t i = at; i < at + length; ++i) {
          const auto place = static_cast<size_t>(i);
          state = grams.grow(state, text ? grams.numbered(op.pool_strings[place]) : op.pool_ints[place]);
        }
        grams.ids_[static_cast<size_t>(state)] = static_cast<int64_t>(gram);
      }
    }
    return grams;
  }
  /// The rows of x as the numbers that next() takes.
  Dims elements_of(const Tensor& x) const {
    if (x.dtype != DType::str) return ints_of(x);
    Dims out;
    for (const std::string& word : x.as<std::string>()) {
      const auto known = words_.find(word);
      out.push_back(known == words_.end() ? -1 : known->second);
    }
    return out;
  }
  /// -1 where no n-gram goes on like this.
  int64_t next(int64_t state, int64_t element) const {
    const auto found = links_.find({state, element});
    return found == links_.end() ? -1 : found->second;
  }
  /// The n-gram that ends in a state, or -1.
  int64_t gram_at(int64_t state) const { return ids_[static_cast<size_t>(state)]; }

 private:
  int64_t numbered(const std::string& word) { return words_.emplace(word, static_cast<int64_t>(words_.size())).first->second; }
  int64_t grow(int64_t state, int64_t element) {
    const auto [link, fresh] = links_.emplace(std::pair(state, element), static_cast<int64_t>(ids_.size()));
    if (fresh) ids_.push_back(-1);
    return link->second;
  }

  std::map<std::pair<int64_t, int64_t>, int64_t> links_;
  std::vector<int64_t> ids_ = {-1};
  std::unordered_map<std::string, int64_t> words_;
};

/// Counts of all n-grams of a row.
void count_grams(const TfIdf& op, const Grams& grams, std::span<const int64_t> row, std::vector<int64_t>& counts) {
  const auto size = static_cast<int64_t>(row.size());
  for (int64_t skip = 0; skip <= op.max_skip && skip < std::max<int64_t>(size, 1); ++skip) {
    for (int64_t start = 0; start < size; ++start) {
      int64_t state = Grams::kRoot, length = 1;
      for (int64_t i = start; i < size && length <= op.max_length; i += skip + 1, ++length) {
        state = grams.next(state, row[static_cast<size_t>(i)]);
        if (state < 0) break;
        const int64_t gram = grams.gram_at(state);
        // One element is the same n-gram whatever is skipped.
        if (gram >= 0 && (length > 1 || skip == 0)) ++counts[static_cast<size_t>(gram)];
      }
    }
  }
}

}  // namespace

Result<Facts> infer(const TfIdf& op, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(width, width_of(op));
  const Fact& x = in[0];
  if (!x.has_rank()) return Facts{Fact(DType::f32, Shape::unknown())};
  if (x.rank() > 2) return fail("x must be [C] or [N, C], got {}", to_string(x.shape()));
  return Facts{Fact(DType::f32, x.rank() == 2 ? Shape{x.shape()[0], Dim(width)} : Shape{Dim(width)})};
}

Result<void> eval(const TfIdf& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(width, width_of(op));
  if (x.rank() > 2) return fail("x must be [C] or [N, C], got {}", to_string(x.dims));
  if (op.pool_strings.empty() ? !is_int(x.dtype) : x.dtype != DType::str)
    return fail("the pool is not of x's type, {}", to_string(x.dtype));
  if (!op.weights.empty() && op.weights.size() != op.columns.size())
    return fail("{} weights of {} n-grams", op.weights.size(), op.columns.size());
  TENON_TRY(grams, Grams::read(op));
  const int64_t rows = x.rank() == 2 ? x.dims[0] : 1;
  TENON_OK(prepare_output(out[0], DType::f32, x.rank() == 2 ? Dims{rows, width} : Dims{width}));
  const Dims elements = grams.elements_of(x);
  const std::span<float> y = out[0].tensor.as<float>();
  std::ranges::fill(y, 0.0F);
  for (int64_t n = 0; n < rows; ++n) {
    const size_t size = elements.size() / static_cast<size_t>(rows);
    std::vector<int64_t> counts(op.columns.size(), 0);
    count_grams(op, grams, std::span(elements).subspan(static_cast<size_t>(n) * size, size), counts);
    for (size_t i = 0; i < counts.size(); ++i) {
      const double weight = op.mode == TfIdfMode::tf || op.weights.empty() ? 1.0 : op.weights[i];
      const int64_t count = op.mode == TfIdfMode::idf ? std::min<int64_t>(counts[i], 1) : counts[i];
      if (count > 0) y[static_cast<size_t>(n * width + op.columns[i])] += static_cast<float>(weight) * static_cast<float>(count);
    }
  }
  return {};
}

template OpRow make_row<TfIdf>();

}  // namespace tenon::ops
