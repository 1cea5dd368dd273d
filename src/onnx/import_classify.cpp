// The linear models and support vector machines of ai.onnx.ml: products of matrices, and rules for labels.
#include <algorithm>

#include "onnx/scores.h"
#include "ops/mat_mul.h"
#include "ops/svm.h"

namespace tenon::onnx {
namespace {

/// How long rows of these numbers are; unknown where matrix_of() refuses them.
std::optional<int64_t> width_of_rows(const std::vector<double>& numbers, int64_t rows) {
  const auto count = static_cast<int64_t>(numbers.size());
  return rows < 1 || count == 0 || count % rows != 0 ? std::nullopt : std::optional(count / rows);
}

/// Numbers as an f32 matrix of `rows` rows; an error where they do not fill them.
ValueId matrix_of(NodeImport& n, const std::vector<double>& numbers, int64_t rows, std::string_view what) {
  const auto width = width_of_rows(numbers, rows);
  if (!width) {
    n.refuse("{} numbers in '{}' for {} rows", numbers.size(), what, rows);
    return ValueId::none;
  }
  const std::vector<float> narrow(numbers.begin(), numbers.end());
  return n.constant(make_tensor<float>(DType::f32, {rows, *width}, narrow));
}
ValueId row_of(NodeImport& n, const std::vector<double>& numbers) { return matrix_of(n, numbers, 1, "a row"); }

/// x [N, F] times the transposed [E, F].
ValueId product_of(NodeImport& n, ValueId x, ValueId matrix) { return n.emit(ops::MatMul{.trans_b = true}, {x, matrix}); }
ValueId sum_of(NodeImport& n, ValueId a, ValueId b) {
  return n.pointwise({a, b}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
}

/// x · coefficientsᵀ + intercepts, in f32: one column per set of coefficients.
ValueId linear_scores(NodeImport& n, int64_t sets) {
  const std::vector<double> coefficients = n.floats_attr("coefficients");
  const ValueId x = n.cast(features_of(n, n.required(0, "X"), width_of_rows(coefficients, sets)), DType::f32);
  const ValueId scores = product_of(n, x, matrix_of(n, coefficients, sets, "coefficients"));
  const std::vector<double> intercepts = n.floats_attr("intercepts");
  if (intercepts.empty()) return scores;
  if (static_cast<int64_t>(intercepts.size()) != sets) n.refuse("{} intercepts for {} sets of coefficients", intercepts.size(), sets);
  return sum_of(n, scores, row_of(n, intercepts));
}

}  // namespace

Result<Values> import_linear_regressor(NodeImport& n) {
  return Values{transformed(n, n.enum_attr("post_transform", PostTransform::none), linear_scores(n, n.int_attr("targets", 1)))};
}

/// One set of coefficients for two labels scores the second one.
Result<Values> import_linear_classifier(NodeImport& n) {
  const Labels labels = class_labels(n, "classlabels_ints");
  const auto transform = n.enum_attr("post_transform", PostTransform::none);
  // Intercepts say how many sets there are. Without them, a set per label: one set for two labels would be as long as x is wide.
  int64_t sets = static_cast<int64_t>(n.floats_attr("intercepts").size());
  if (sets == 0) {
    const Fact& x = n.fact(n.required(0, "X"));
    const auto width = x.has_rank() && x.rank() > 0 ? x.shape()[x.rank() - 1].constant() : std::nullopt;
    const bool single = width && *width == static_cast<int64_t>(n.floats_attr("coefficients").size());
    sets = single ? 1 : std::max<int64_t>(labels.count(), 1);
  }
  const ValueId scores = linear_scores(n, sets);
  if (sets > 1) return Values{top_labels(n, labels, scores), transformed(n, transform, scores)};
  const ValueId label = binary_labels(n, labels, scores, 0);
  return Values{label, labels.count() == 2 ? transformed_pair(n, transform, scores, true) : transformed(n, transform, scores)};
}

namespace {

enum class SvmKernel : uint8_t { linear, poly, rbf, sigmoid };
constexpr auto enum_names(SvmKernel) { return std::array<std::string_view, 4>{"LINEAR", "POLY", "RBF", "SIGMOID"}; }

/// The kernel of each row of x [N, F] with each support vector [S, F] → [N, S].
ValueId kernel_of(NodeImport& n, ValueId x, ValueId vectors) {
  std::vector<double> params = n.floats_attr("kernel_params");
  params.resize(3, 0);
  const double gamma = params[0], coef0 = params[1], degree = params[2];
  const auto kernel = n.enum_attr("kernel_type", SvmKernel::linear);
  if (kernel == SvmKernel::linear) return product_of(n, x, vectors);
  if (kernel == SvmKernel::rbf)
    return n.pointwise({n.emit(ops::SquaredDistance{}, {x, vectors})},
                       [&](const std::vector<Term>& t) { return apply(Fn::exp, t[0] * -gamma); });
  return n.pointwise({product_of(n, x, vectors)}, [&](const std::vector<Term>& t) {
    const Term s = t[0] * gamma + coef0;
    return kernel == SvmKernel::sigmoid ? apply(Fn::tanh, s) : apply(Fn::pow, s, s.constant(degree));
  });
}

}  // namespace

/// Without support vectors, the coefficients are those of x itself, whatever the kernel.
Result<Values> import_svm_regressor(NodeImport& n) {
  const int64_t supports = n.int_attr("n_supports", 0);
  const std::vector<double> vectors = n.floats_attr("support_vectors"), coefficients = n.floats_attr("coefficients");
  const auto width = supports > 0 ? width_of_rows(vectors, supports) : width_of_rows(coefficients, 1);
  ValueId x = n.cast(features_of(n, n.required(0, "X"), width), DType::f32);
  if (supports > 0) x = kernel_of(n, x, matrix_of(n, vectors, supports, "support_vectors"));
  std::vector<double> rho = n.floats_attr("rho", {0.0});
  rho.resize(1, 0);
  const ValueId scores = sum_of(n, product_of(n, x, row_of(n, coefficients)), n.scalar(DType::f32, rho[0]));
  if (n.int_attr("one_class", 0) != 0)
    return Values{n.pointwise({scores}, [](const std::vector<Term>& t) { return where(t[0] > 0, t[0].constant(1), t[0].constant(-1)); })};
  return Values{transformed(n, n.enum_attr("post_transform", PostTransform::none), scores)};
}

namespace {

/// What the pairs of classes i < j make of the support vectors. The coefficients are [classes - 1, S]: those of the vectors of class i
/// against class j stand in row j - 1, those of the vectors of class j against class i in row i.
struct SvmPairs {
  std::vector<float> weights;     // [S, pairs]
  std::vector<float> votes;       // [pairs, classes]: a pair that is for i takes the vote from j
  std::vector<float> votes_else;  // [classes]: the votes where all pairs are for j
};

SvmPairs pairs_of_classes(const Dims& vectors_per_class, const std::vector<double>& coefficients) {
  const size_t classes = vectors_per_class.size(), pairs = classes * (classes - 1) / 2;
  size_t vectors = 0;
  std::vector<size_t> starts;
  for (const int64_t count : vectors_per_class) {
    starts.push_back(vectors);
    vectors += static_cast<size_t>(count);
  }
  starts.push_back(vectors);
  SvmPairs out{std::vector<float>(vectors * pairs), std::vector<float>(pairs * classes), std::vector<float>(classes)};
  size_t pair = 0;
  for (size_t i = 0; i < classes; ++i) {
    for (size_t j = i + 1; j < classes; ++j, ++pair) {
      for (size_t v = starts[i]; v < starts[i + 1]; ++v)
        out.weights[v * pairs + pair] = static_cast<float>(coefficients[(j - 1) * vectors + v]);
      for (size_t v = starts[j]; v < starts[j + 1]; ++v) out.weights[v * pairs + pair] = static_cast<float>(coefficients[i * vectors + v]);
      out.votes[pair * classes + i] = 1;
      out.votes[pair * classes + j] = -1;
      out.votes_else[j] += 1;
    }
  }
  return out;
}

/// The probability of each class from the scores of the pairs, by a logistic function per pair.
ValueId svm_probabilities(NodeImport& n, ValueId scores, int64_t classes, const std::vector<double>& a, const std::vector<double>& b) {
  const ValueId pairs = n.pointwise({scores, row_of(n, a), row_of(n, b)}, [](const std::vector<Term>& t) {
    const Term p = apply(Fn::sigmoid, -(t[0] * t[1] + t[2]));
    return min(max(p, p.constant(1e-7)), p.constant(1 - 1e-7));
  });
  return n.emit(ops::PairCoupling{.classes = classes}, {pairs});
}

}  // namespace

/// With support vectors, every pair of classes has a score and votes for one of them; without, every class has a score.
Result<Values> import_svm_classifier(NodeImport& n) {
  const Labels labels = class_labels(n, "classlabels_ints");
  const auto transform = n.enum_attr("post_transform", PostTransform::none);
  const std::vector<double> coefficients = n.floats_attr("coefficients"), rho = n.floats_attr("rho");
  const std::vector<double> supports = n.floats_attr("support_vectors");
  const Dims per_class = n.ints_attr("vectors_per_class");
  int64_t vectors = 0;
  for (const int64_t count : per_class) {
    if (count < 0 || count > static_cast<int64_t>(coefficients.size())) n.refuse("a class has {} support vectors", count);
    vectors += count;
  }
  const int64_t classes = vectors > 0 ? static_cast<int64_t>(per_class.size()) : std::max<int64_t>(labels.count(), 1);
  if (labels.given && labels.count() != classes) n.refuse("{} labels for {} classes", labels.count(), classes);
  const auto width = vectors > 0 ? width_of_rows(supports, vectors) : width_of_rows(coefficients, classes);
  const ValueId x = n.cast(features_of(n, n.required(0, "X"), width), DType::f32);
  if (vectors == 0) {
    const ValueId products = product_of(n, x, matrix_of(n, coefficients, classes, "coefficients"));
    const ValueId scores = sum_of(n, products, n.scalar(DType::f32, rho.empty() ? 0 : rho[0]));
    return Values{top_labels(n, labels, scores), transformed(n, transform, scores)};
  }
  const int64_t pairs = classes * (classes - 1) / 2;
  const auto fits = [](const std::vector<double>& list, int64_t size) { return static_cast<int64_t>(list.size()) == size; };
  if (classes < 2 || !fits(rho, pairs) || !fits(coefficients, (classes - 1) * vectors))
    n.refuse("{} coefficients of {} vectors and {} of rho for {} classes", coefficients.size(), vectors, rho.size(), classes);
  const std::vector<double> prob_a = n.floats_attr("prob_a"), prob_b = n.floats_attr("prob_b");
  if (!prob_a.empty() && (!fits(prob_a, pairs) || !fits(prob_b, pairs)))
    n.refuse("{} of prob_a and {} of prob_b for {} pairs of classes", prob_a.size(), prob_b.size(), pairs);
  if (n.failed()) return Values{ValueId::none, ValueId::none};
  const SvmPairs weights = pairs_of_classes(per_class, coefficients);
  const ValueId kernel = kernel_of(n, x, matrix_of(n, supports, vectors, "support_vectors"));
  const ValueId products = n.emit(ops::MatMul{}, {kernel, n.constant(make_tensor<float>(DType::f32, {vectors, pairs}, weights.weights))});
  const ValueId scores = sum_of(n, products, row_of(n, rho));
  const ValueId for_first = n.pointwise({scores}, [](const std::vector<Term>& t) { return (t[0] > 0).cast(DType::f32); });
  const ValueId moved = n.emit(ops::MatMul{}, {for_first, n.constant(make_tensor<float>(DType::f32, {pairs, classes}, weights.votes))});
  const ValueId votes = sum_of(n, moved, n.constant(make_tensor<float>(DType::f32, {classes}, weights.votes_else)));
  const ValueId label = top_labels(n, labels, votes);
  if (!prob_a.empty()) return Values{label, transformed(n, transform, svm_probabilities(n, scores, classes, prob_a, prob_b))};
  return Values{label, classes == 2 ? transformed_pair(n, transform, scores, false) : transformed(n, transform, scores)};
}

}  // namespace tenon::onnx
