#include "onnx/scores.h"

#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/reshape.h"

namespace tenon::onnx {
namespace {

using engine::ReduceKind;

Term exp_of(Term x) { return apply(Fn::exp, x); }
Term sqrt_of(Term x) { return apply(Fn::sqrt, x); }

/// The quantile of the normal distribution, by Winitzki's approximation of the inverse of erf: what models are made for. Around one half,
/// where a is above zero, its sqrt(a² - b) - a is written as -b / (sqrt(a² - b) + a), which does not cancel.
Term probit(Term p) {
  constexpr double kPi = 3.14159, kA = 0.147;  // pi as onnxruntime has it
  const Term y = p * 2 - 1;
  const Term log = apply(Fn::log, (y.constant(1) - y) * (y + 1));
  const Term a = log * 0.5 + 2 / (kPi * kA), b = log / kA;
  const Term root = sqrt_of(a * a - b);
  return apply(Fn::sign, y) * sqrt_of(where(a > 0, -b / (root + a), root - a)) * 1.41421356;
}

/// A softmax that leaves scores of zero out.
ValueId softmax_zero(NodeImport& n, ValueId scores) {
  const ValueId most = n.emit(ops::Reduce{.kind = ReduceKind::max, .axes = {1}}, {scores});
  const ValueId parts = n.pointwise({scores, most}, [](const std::vector<Term>& t) {
    return where(apply(Fn::abs, t[0]) > 1e-7, exp_of(t[0] - t[1]), t[0] * exp_of(-t[1]));
  });
  const ValueId total = n.emit(ops::Reduce{.kind = ReduceKind::sum, .axes = {1}}, {parts});
  return n.pointwise({parts, total}, [](const std::vector<Term>& t) {
    return where(apply(Fn::equal, t[1], t[1].constant(0)), t[0].constant(0.5), t[0] / t[1]);
  });
}

}  // namespace

ValueId features_of(NodeImport& n, ValueId x, std::optional<int64_t> width) {
  const Fact& known = n.fact(x);
  if (!known.has_rank()) {
    const Dims dims = width ? Dims{-1, *width} : Dims{0, -1};
    x = n.emit(ops::Reshape{}, {x, n.int_list(dims)});
  } else if (known.rank() == 1) {
    x = n.emit(ops::Unsqueeze{.axes = {0}}, {x});
  }
  return is_float(n.dtype(x)) ? x : n.cast(x, DType::f32);
}

ValueId transformed(NodeImport& n, PostTransform transform, ValueId scores) {
  switch (transform) {
    case PostTransform::none: return scores;
    case PostTransform::softmax: return n.emit(ops::Softmax{.axis = 1}, {scores});
    case PostTransform::logistic: return n.pointwise({scores}, [](const std::vector<Term>& t) { return apply(Fn::sigmoid, t[0]); });
    case PostTransform::softmax_zero: return softmax_zero(n, scores);
    case PostTransform::probit: return n.pointwise({scores}, [](const std::vector<Term>& t) { return probit(t[0]); });
  }
  return scores;
}

ValueId transformed_pair(NodeImport& n, PostTransform transform, ValueId score, bool complement) {
  // A quantile is of a probability; the other transforms take scores of either sign.
  const bool one_less = transform == PostTransform::probit || (transform == PostTransform::none && complement);
  const ValueId first = n.pointwise({score}, [&](const std::vector<Term>& t) { return one_less ? t[0].constant(1) - t[0] : -t[0]; });
  return transformed(n, transform, n.emit(ops::Concat{.axis = 1}, {first, score}));
}

Labels class_labels(NodeImport& n, std::string_view ints) {
  const std::vector<std::string> strings = n.strings_attr("classlabels_strings");
  if (!strings.empty()) return {make_tensor<std::string>(DType::str, {static_cast<int64_t>(strings.size())}, strings)};
  const Dims numbers = n.ints_attr(ints);
  if (!numbers.empty()) return {int64_tensor(numbers)};
  return {};
}

ValueId labels_at(NodeImport& n, const Labels& labels, ValueId indices) {
  return labels.given ? n.emit(ops::Gather{}, {n.constant(*labels.given), indices}) : indices;
}

ValueId top_labels(NodeImport& n, const Labels& labels, ValueId scores) {
  return labels_at(n, labels, n.emit(ops::Reduce{.kind = ReduceKind::arg_max, .axes = {1}, .keepdims = false}, {scores}));
}

ValueId binary_labels(NodeImport& n, const Labels& labels, ValueId score, double limit) {
  const ValueId above = n.pointwise({score}, [&](const std::vector<Term>& t) { return (t[0] > limit).cast(DType::i64); });
  const ValueId index = n.emit(ops::Squeeze{.axes = {{1}}}, {above});
  if (labels.count() != 1) return labels_at(n, labels, index);
  if (labels.given->dtype == DType::i64) return labels_at(n, {int64_tensor({0, element_as_int(*labels.given, 0)})}, index);
  const std::vector<std::string> both = {"", labels.given->as<std::string>()[0]};
  return labels_at(n, {make_tensor<std::string>(DType::str, {2}, both)}, index);
}

}  // namespace tenon::onnx
