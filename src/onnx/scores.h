// What the models of ai.onnx.ml end with: a transform of their scores, and labels.
#pragma once
#include "onnx/node_import.h"

namespace tenon::onnx {

enum class PostTransform : uint8_t { none, softmax, logistic, softmax_zero, probit };  // in the order of TreeEnsemble-5
constexpr auto enum_names(PostTransform) {
  return std::array<std::string_view, 5>{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
}

/// x as [N, F] of floats: integers become f32, a vector one row. F is `width` where that is known. Of a rank that is not known, x is a
/// matrix unless `width` says more.
ValueId features_of(NodeImport& n, ValueId x, std::optional<int64_t> width = std::nullopt);
/// scores [N, E], any float type, transformed.
ValueId transformed(NodeImport& n, PostTransform transform, ValueId scores);
/// Both classes' scores [N, 2], transformed, of the second one's score [N, 1]: the first has its negative, or 1 - score where
/// `complement` says that scores are probabilities and nothing transforms them.
ValueId transformed_pair(NodeImport& n, PostTransform transform, ValueId score, bool complement);

/// The labels of a classifier, from classlabels_strings or the attribute `ints`.
struct Labels {
  std::optional<Tensor> given;
  /// How many are given.
  int64_t count() const { return given ? given->elems() : 0; }
};
Labels class_labels(NodeImport& n, std::string_view ints);
/// The label at each index, i64 of any shape; the index itself where no labels are given.
ValueId labels_at(NodeImport& n, const Labels& labels, ValueId indices);
/// The label of each row's largest score, [N]; of equal ones the first.
ValueId top_labels(NodeImport& n, const Labels& labels, ValueId scores);
/// The second label where the score [N, 1] is above the limit, else the first. One label is the second one; 0 or "" then is the first.
ValueId binary_labels(NodeImport& n, const Labels& labels, ValueId score, double limit);

}  // namespace tenon::onnx
