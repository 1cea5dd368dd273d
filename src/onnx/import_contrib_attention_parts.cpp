// What com.microsoft's attention operators share: masks in their forms, caches, scores to result.
#include "onnx/import_attention.h"
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/expand.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/norm.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/slice.h"
#include "ops/tensor_scatter.h"

namespace tenon::onnx {
namespace {

/// Tokens [first, last) let a key through where lengths say it is used: [b, 1, 1, total].
ValueId key_range_mask(NodeImport& n, ValueId k, ValueId ends, ValueId starts, ValueId q) {
  const double filter = n.float_attr("mask_filter_value", -10000);
  Values in{n.indices_of(k, 2, 3, 4), ends};
  if (starts != ValueId::none) in.push_back(starts);
  const DType type = n.dtype(q);
  return n.pointwise(in, [&](const std::vector<Term>& t) {
    const Term end = t[1].cast(DType::i64), before = t[0] < end;
    const Term zero{t[0].expr, t[0].expr->add_constant(0, type)}, no{t[0].expr, t[0].expr->add_constant(filter, type)};
    if (t.size() == 2) return where(before, zero, no);
    return where(apply(Fn::logical_and, before, t[0] >= t[2].cast(DType::i64)), zero, no);
  });
}

/// Mask, bias and causality as one tensor: recognisers look for one.
ValueId added_to_scores(NodeImport& n, const HeadsOfAttention& a) {
  Values in;
  for (const ValueId value : {a.mask, a.bias})
    if (value != ValueId::none) in.push_back(value);
  const size_t added = in.size();
  if (a.causal) {  // query i sees key j where j <= i + what lies before the first query
    in.push_back(n.indices_of(a.q, 2, 2, 4));
    in.push_back(n.indices_of(a.k, 2, 3, 4));
    in.push_back(n.pointwise({dim_of(n, a.k, 2), dim_of(n, a.q, 2)}, [](const std::vector<Term>& t) { return t[0] - t[1]; }));
  }
  if (in.empty()) return ValueId::none;
  if (in.size() == 1) return in[0];
  const DType type = n.dtype(a.q);
  return n.pointwise(in, [&](const std::vector<Term>& t) {
    Term sum{t[0].expr, -1};
    for (size_t i = 0; i < added; ++i) sum = i == 0 ? t[0] : sum + t[i];
    if (added == 0) sum.node = t[0].expr->add_constant(0, type);
    return a.causal ? where(t[added + 1] <= t[added] + t[added + 2], sum, sum.constant(kMinusInfinity)) : sum;
  });
}

}  // namespace

ValueId attention_mask(NodeImport& n, size_t input, ValueId q, ValueId k) {
  const ValueId mask = n.input(input);
  if (mask == ValueId::none) return mask;
  const int64_t rank = n.rank(mask);
  if (n.failed()) return mask;
  const auto& symbols = n.module().symbols;
  const Shape& shape = n.fact(mask).shape();
  if (rank == 1) {
    const ValueId count = dim_of(n, q, 0), zero = n.int_list({0}), axis = n.int_list({0});
    const auto spread = [&](ValueId part) { return n.emit(ops::Unsqueeze{.axes = {1, 2, 3}}, {part}); };
    const Fact& queries = n.fact(q);
    if (queries.has_rank() && queries.rank() > 0 && symbols.known_equal(shape[0], queries.shape()[0]) == Known::yes)
      return key_range_mask(n, k, spread(mask), ValueId::none, q);
    const ValueId ends = n.emit(ops::Slice{}, {mask, zero, count, axis});
    // Starts stand behind the ends where there are twice as many numbers as batch elements.
    const ValueId places = n.pointwise({n.indices_of(q, 0, 0, 1), count, dim_of(n, mask, 0)}, [](const std::vector<Term>& t) {
      return where(apply(Fn::equal, t[2], t[1] * 2), t[0] + t[1], t[0]);
    });
    const ValueId starts = n.pointwise({n.emit(ops::Gather{}, {mask, places}), count, dim_of(n, mask, 0)}, [](const std::vector<Term>& t) {
      return where(apply(Fn::equal, t[2], t[1] * 2), t[0], t[0].constant(0));
    });
    return key_range_mask(n, k, spread(ends), spread(starts), q);
  }
  if (rank == 2 && n.size(mask, 1) == 1 && n.size(k, 2) != 1) return ValueId::none;  // stands for no mask
  ValueId wide = mask;
  if (rank == 2) wide = n.emit(ops::Unsqueeze{.axes = {1, 2}}, {mask});
  if (rank == 3) wide = n.emit(ops::Unsqueeze{.axes = {1}}, {mask});
  if (rank == 4) {
    const ValueId total = dim_of(n, k, 2);
    const ValueId past = n.pointwise({total, dim_of(n, q, 2)}, [](const std::vector<Term>& t) { return t[0] - t[1]; });
    const ValueId starts = n.emit(ops::Concat{.axis = 0}, {past, n.int_list({0})});
    wide = n.emit(ops::Slice{}, {mask, starts, n.emit(ops::Concat{.axis = 0}, {total, total}), n.int_list({2, 3})});
  }
  if (rank > 4) n.refuse("a mask of rank {}", rank);
  const double filter = n.float_attr("mask_filter_value", -10000);
  const DType type = n.dtype(q);
  return n.pointwise({wide}, [&](const std::vector<Term>& t) {
    return where(t[0] > 0, Term{t[0].expr, t[0].expr->add_constant(0, type)}, Term{t[0].expr, t[0].expr->add_constant(filter, type)});
  });
}

Values attend(NodeImport& n, const HeadsOfAttention& a) {
  ValueId scores = scores_of_heads(n, a.q, a.k);
  if (const ValueId added = added_to_scores(n, a); added != ValueId::none)
    scores = n.pointwise({scores, added}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  const ValueId y = n.emit(ops::MatMul{}, {n.emit(ops::Softmax{.axis = -1}, {scores}), a.v});
  return {join_heads(n, y), scores};
}

SharedCache write_shared(NodeImport& n, ValueId cache, ValueId fresh, ValueId past) {
  const ValueId at = n.emit(ops::Reshape{}, {n.cast(past, DType::i64), n.int_list({1})});
  const ValueId whole = n.emit(ops::TensorScatter{.axis = 2}, {cache, fresh, n.emit(ops::Expand{}, {at, dim_of(n, fresh, 0)})});
  const ValueId end = n.pointwise({at, dim_of(n, fresh, 2)}, [](const std::vector<Term>& t) { return t[0] + t[1]; });
  return {whole, n.emit(ops::Slice{}, {whole, n.int_list({0}), end, n.int_list({2})})};
}

}  // namespace tenon::onnx
