// Losses: of models exported for training, and what evaluation scripts append.
#include "onnx/node_import.h"
#include "ops/gather.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/reshape.h"

namespace tenon::onnx {
namespace {

/// ONNX NegativeLogLikelihoodLoss-13: -weight[t] · x[n, t, d…], where t is the target at [n, d…]; ignored targets count as nothing.
ValueId negative_log_likelihood(NodeImport& n, ValueId x, ValueId target, ValueId weight) {
  const std::string reduction = n.string_attr("reduction", "mean");
  const bool ignores = n.has_attr("ignore_index");
  const auto ignored = static_cast<double>(n.wide_int_attr("ignore_index", 0));
  const auto is_ignored = [&](Term t) { return apply(Fn::equal, t, t.constant(ignored)); };
  // An ignored target need be no class at all: class 0 stands in for it.
  const ValueId safe =
      !ignores ? target
               : n.pointwise({target}, [&](const std::vector<Term>& t) { return where(is_ignored(t[0]), t[0].constant(0), t[0]); });
  const ValueId index = n.emit(ops::Unsqueeze{.axes = {1}}, {safe});
  const ValueId picked = n.emit(ops::Squeeze{.axes = {{1}}}, {n.emit(ops::GatherElements{.axis = 1}, {x, index})});
  Values in{picked, target};
  if (weight != ValueId::none) in.push_back(n.emit(ops::Gather{}, {weight, safe}));
  const ValueId weights = n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term one = t.size() > 2 ? t[2] : t[0].constant(1);
    return ignores ? where(is_ignored(t[1]), t[0].constant(0), one) : one;
  });
  const ValueId loss = n.pointwise({picked, weights}, [](const std::vector<Term>& t) { return -(t[0] * t[1]); });
  if (reduction == "none") return loss;
  const auto total = [&](ValueId value) { return n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .keepdims = false}, {value}); };
  if (reduction == "sum") return total(loss);
  if (reduction != "mean") n.refuse("attribute 'reduction' is '{}', wanted none, sum or mean", reduction);
  return n.pointwise({total(loss), total(weights)}, [](const std::vector<Term>& t) { return t[0] / t[1]; });
}

}  // namespace

Result<Values> import_negative_log_likelihood_loss(NodeImport& n) {
  return Values{negative_log_likelihood(n, n.required(0, "input"), n.required(1, "target"), n.input(2))};
}
Result<Values> import_softmax_cross_entropy_loss(NodeImport& n) {
  const ValueId log = n.emit(ops::Softmax{.axis = 1, .log = true}, {n.required(0, "scores")});
  return Values{negative_log_likelihood(n, log, n.required(1, "labels"), n.input(2)), log};
}

}  // namespace tenon::onnx
