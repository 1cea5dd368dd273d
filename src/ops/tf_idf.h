// TfIdf: x of i32, i64 or strings, [C] or [N, C] → f32 [columns] or [N, columns]: how often each n-gram of a pool is in a row. The
// elements of an n-gram stand 1 … max_skip + 1 places apart.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class TfIdfMode : uint8_t { tf, idf, tfidf };
constexpr auto enum_names(TfIdfMode) { return std::array<std::string_view, 3>{"tf", "idf", "tfidf"}; }

struct TfIdf {
  TfIdfMode mode = TfIdfMode::tf;          // tf: counts; idf: the weight where the count is not zero; tfidf: count · weight
  int64_t min_length = 1, max_length = 1;  // of the n-grams that count
  int64_t max_skip = 0;
  std::vector<int64_t> starts;            // where the 1-grams, 2-grams … begin in the pool
  std::vector<int64_t> columns;           // of the output, one per n-gram
  std::vector<double> weights;            // one per n-gram; empty: 1
  std::vector<int64_t> pool_ints;         // the pool is this
  std::vector<std::string> pool_strings;  // or this
  static constexpr std::string_view kName = "TfIdf";
  static constexpr auto kFields = Fields{
      Field{1, "mode", &TfIdf::mode},         Field{2, "min_length", &TfIdf::min_length}, Field{3, "max_length", &TfIdf::max_length},
      Field{4, "max_skip", &TfIdf::max_skip}, Field{5, "starts", &TfIdf::starts},         Field{6, "columns", &TfIdf::columns},
      Field{7, "weights", &TfIdf::weights},   Field{8, "pool_ints", &TfIdf::pool_ints},   Field{9, "pool_strings", &TfIdf::pool_strings}};
};
Result<Facts> infer(const TfIdf& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const TfIdf& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
