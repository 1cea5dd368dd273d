// Operators that under some circumstances only pass their input on.
#include <algorithm>

#include "ops/concat.h"
#include "ops/if.h"
#include "ops/pad.h"
#include "ops/rules.h"

namespace tenon::ops {
namespace {

bool keeps_shape(const Rewriter& rw, const Node& node) {
  const Fact &x = rw.fact(node.in[0]), &y = rw.fact(node.out[0]);
  return x.has_rank() && y.has_rank() && x.shape() == y.shape();
}

bool absent(const Node& node, size_t i) { return i >= node.in.size() || node.in[i] == ValueId::none; }

}  // namespace

std::optional<Values> drop_identity(Rewriter&, const Node& node) { return Values{node.in[0]}; }

std::optional<Values> drop_same_shape(Rewriter& rw, const Node& node) {
  if (!keeps_shape(rw, node)) return std::nullopt;
  return Values{node.in[0]};
}

/// Same size and steps of one: nothing is cut off. (Negative steps keep the size and reverse.)
std::optional<Values> drop_whole_slice(Rewriter& rw, const Node& node) {
  if (!keeps_shape(rw, node)) return std::nullopt;
  if (!absent(node, 4)) {
    const auto steps = rw.fact(node.in[4]).ints();
    if (!steps || std::any_of(steps->begin(), steps->end(), [](int64_t step) { return step != 1; })) return std::nullopt;
  }
  return Values{node.in[0]};
}

std::optional<Values> drop_single_concat(Rewriter&, const Node& node) {
  if (node.in.size() != 1) return std::nullopt;
  return Values{node.in[0]};
}

std::optional<Values> drop_zero_pad(Rewriter& rw, const Node& node) {
  const auto pads = absent(node, 1) ? std::nullopt : rw.fact(node.in[1]).ints();
  if (!pads || std::any_of(pads->begin(), pads->end(), [](int64_t pad) { return pad != 0; })) return std::nullopt;
  return Values{node.in[0]};
}

std::optional<Values> inline_known_branch(Rewriter& rw, const Node& node) {
  const Tensor* condition = rw.constant_of(node.in[0]);
  if (!condition || condition->elems() != 1 || node.regions.size() != 2) return std::nullopt;
  return rw.inline_region(node.regions[element_as_int(*condition, 0) ? 0 : 1], Values(node.in.begin() + 1, node.in.end()));
}

}  // namespace tenon::ops
