// absorb_views: attention reads its heads where they lie. A Transpose, a view, a Split, a slice or one index of a dim between q, k, v and
// the tensor that holds them becomes strides and an offset; a Transpose of the result becomes the order in which it is written.
#include <algorithm>

#include "ir/rewriter.h"
#include "ops/attention.h"
#include "ops/gather.h"
#include "ops/reshape.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"
#include "passes/order_of_dims.h"
#include "passes/passes.h"
#include "tensor/convert.h"

namespace tenon::passes {
namespace {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

/// A value as part of a tensor: element [i...] at offset + sum of i · strides.
struct Strided {
  std::vector<Dim> dims, strides;
  Dim offset;
};

Strided dense(const Shape& shape) {
  Strided out{.dims = shape.dims(), .strides = shape.dims(), .offset = 0};
  Dim step = 1;
  for (size_t i = out.dims.size(); i-- > 0; step = step * out.dims[i]) out.strides[i] = step;
  return out;
}

/// How many dims from `first` on multiply to `product`; 0: none do.
size_t factors_of(const Dim& product, const std::vector<Dim>& dims, size_t first) {
  Dim have(1);
  for (size_t i = first; i < dims.size(); ++i) {
    have = have * dims[i];
    if (have == product) return i + 1 - first;
  }
  return 0;
}

/// The same elements under other dims, if strides still say where they are.
std::optional<Strided> viewed(const Strided& from, const std::vector<Dim>& dims) {
  Strided old{.dims = {}, .strides = {}, .offset = from.offset};
  for (size_t i = 0; i < from.dims.size(); ++i)
    if (!(from.dims[i] == Dim(1))) old.dims.push_back(from.dims[i]), old.strides.push_back(from.strides[i]);
  std::vector<Dim> wanted;
  for (const Dim& dim : dims)
    if (!(dim == Dim(1))) wanted.push_back(dim);
  std::vector<Dim> strides;
  for (size_t i = 0, k = 0; i < old.dims.size() || k < wanted.size();) {
    if (i == old.dims.size() || k == wanted.size()) return std::nullopt;
    if (const size_t joined = factors_of(wanted[k], old.dims, i); joined > 0) {
      for (size_t j = i; j + 1 < i + joined; ++j)
        if (!(old.strides[j] == old.strides[j + 1] * old.dims[j + 1])) return std::nullopt;
      strides.push_back(old.strides[i + joined - 1]);
      i += joined, ++k;
    } else if (const size_t split = factors_of(old.dims[i], wanted, k); split > 0) {
      std::vector<Dim> steps(split, old.strides[i]);
      for (size_t j = split; j-- > 1;) steps[j - 1] = steps[j] * wanted[k + j];
      strides.insert(strides.end(), steps.begin(), steps.end());
      ++i, k += split;
    } else {
      return std::nullopt;
    }
  }
  Strided out{.dims = dims, .strides = {}, .offset = from.offset};
  size_t next = 0;
  for (const Dim& dim : dims) out.strides.push_back(dim == Dim(1) ? Dim(0) : strides[next++]);
  return out;
}

std::optional<Dims> constant_ints(const Rewriter& rw, const Node& node, size_t i) {
  const Tensor* tensor = i < node.in.size() && node.in[i] != ValueId::none ? rw.constant_of(node.in[i]) : nullptr;
  if (!tensor || tensor->rank() > 1 || (tensor->dtype != DType::i64 && tensor->dtype != DType::i32)) return std::nullopt;
  Dims out;
  for (int64_t k = 0; k < tensor->elems(); ++k) out.push_back(static_cast<int64_t>(element_as_double(*tensor, k)));
  return out;
}

/// Elements from `start` on, which counts from the end where it is negative; nothing where that hangs on symbols.
std::optional<Dim> moved_by(const Strided& from, size_t axis, int64_t start) {
  const auto size = from.dims[axis].constant();
  if (start != 0 && !size) return std::nullopt;
  if (start < 0) start += *size;
  if (start < 0 || (size && start > *size)) return std::nullopt;
  return from.offset + Dim(start) * from.strides[axis];
}

std::optional<Strided> sliced(const Rewriter& rw, const Node& node, Strided from) {
  const auto starts = constant_ints(rw, node, 1), axes = constant_ints(rw, node, 3), steps = constant_ints(rw, node, 4);
  if (!starts || (node.in.size() > 3 && node.in[3] != ValueId::none && !axes) ||
      (node.in.size() > 4 && node.in[4] != ValueId::none && !steps))
    return std::nullopt;
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t axis = axes ? (*axes)[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += static_cast<int64_t>(from.dims.size());
    if (axis < 0 || axis >= static_cast<int64_t>(from.dims.size()) || (steps && (*steps)[i] != 1)) return std::nullopt;
    const auto offset = moved_by(from, static_cast<size_t>(axis), (*starts)[i]);
    if (!offset) return std::nullopt;
    from.offset = *offset;
  }
  from.dims = rw.fact(node.out[0]).shape().dims();
  return from;
}

/// What the node makes of a part of a tensor, if that is a part too.
std::optional<Strided> through(const Rewriter& rw, const Node& node, ValueId result, Strided from) {
  const Shape& shape = rw.fact(result).shape();
  const auto axis_of = [&](int64_t axis) { return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(from.dims.size()) : axis); };
  if (const auto* transpose = node.op.as<ops::Transpose>()) {
    Strided out{.dims = shape.dims(), .strides = {}, .offset = from.offset};
    for (const int64_t axis : transpose->perm) out.strides.push_back(from.strides[axis_of(axis)]);
    return out;
  }
  if (node.op.row().view) return viewed(from, shape.dims());
  if (node.op.as<ops::Slice>()) return sliced(rw, node, std::move(from));
  if (const auto* split = node.op.as<ops::Split>()) {
    const size_t axis = axis_of(split->axis);
    for (const ValueId out : node.out) {
      if (out == result) break;
      if (out == ValueId::none || !rw.fact(out).has_rank()) return std::nullopt;
      from.offset = from.offset + rw.fact(out).shape()[static_cast<int64_t>(axis)] * from.strides[axis];
    }
    from.dims = shape.dims();
    return from;
  }
  if (const auto* gather = node.op.as<ops::Gather>()) {
    const auto index = constant_ints(rw, node, 1);
    if (!index || index->size() != 1 || rw.constant_of(node.in[1])->rank() != 0) return std::nullopt;
    const size_t axis = axis_of(gather->axis);
    const auto offset = moved_by(from, axis, (*index)[0]);
    if (!offset) return std::nullopt;
    from.offset = *offset;
    from.strides.erase(from.strides.begin() + static_cast<std::ptrdiff_t>(axis));
    from.dims = shape.dims();
    return from;
  }
  return std::nullopt;
}

/// An operand of attention as part of the furthest tensor whose rows still lie contiguous.
struct Part {
  ValueId source;
  Strided at;
};
std::optional<Part> part_of(const Rewriter& rw, ValueId id) {
  constexpr size_t kMostNodes = 12;
  std::vector<std::pair<const Node*, ValueId>> chain;  // from the operand backwards: a node and which of its results
  std::optional<Part> best;
  for (ValueId at = id;;) {
    if (!rw.fact(at).has_rank() || rw.fact(at).type.shape.rank() == 0) return best;
    std::optional<Strided> part = dense(rw.fact(at).shape());
    for (size_t i = chain.size(); part && i-- > 0;) part = through(rw, *chain[i].first, chain[i].second, std::move(*part));
    if (!part && !chain.empty()) return best;
    const bool contiguous = part->dims.size() == 4 && (part->strides[3] == Dim(1) || part->dims[3] == Dim(1));
    // A size that only a node in between finds needs that node.
    const bool known = std::all_of(part->dims.begin(), part->dims.end(), [&](const Dim& dim) { return rw.is_known_with(dim, at); });
    if (contiguous && known) best = Part{at, std::move(*part)};
    const Node* node = rw.maker_of(at);
    if (!node || !node->epilogue.empty() || node->in.empty() || node->in[0] == ValueId::none || chain.size() == kMostNodes) return best;
    chain.emplace_back(node, at);
    at = node->in[0];
  }
}

std::optional<Values> read_in_place(Rewriter& rw, const Node& node) {
  const auto& op = *node.op.as<ops::Attention>();
  if (!op.sizes.empty() || !node.epilogue.empty()) return std::nullopt;
  std::vector<Part> parts;
  bool moves = false;
  for (size_t i = 0; i < 3; ++i) {
    const auto part = part_of(rw, node.in[i]);
    if (!part) return std::nullopt;
    // A view alone is no kernel.
    moves = moves || part->at.offset != Dim(0) || part->at.strides != dense(rw.fact(node.in[i]).shape()).strides;
    parts.push_back(*part);
  }
  if (!moves) return std::nullopt;
  ops::Attention out = op;
  const auto view = [](const Part& part) {
    return engine::HeadsView{part.at.offset, {part.at.strides[0], part.at.strides[1], part.at.strides[2]}};
  };
  out.q = view(parts[0]), out.k = view(parts[1]), out.v = view(parts[2]);
  const auto &q = parts[0].at.dims, &k = parts[1].at.dims, &v = parts[2].at.dims;
  out.sizes = {q[0], q[1], k[1], q[2], k[2], q[3], v[3]};
  Values in = node.in;
  for (size_t i = 0; i < 3; ++i) {
    if (in[i] != parts[i].source) (void)rw.producer_of(in[i]);
    in[i] = parts[i].source;
  }
  return rw.emit(std::move(out), std::move(in), {.math = node.math});
}

/// Attention below a Transpose, also where a view leaves out its batch of one.
std::optional<Values> write_in_order(Rewriter& rw, const Node& node) {
  Dims perm = node.op.as<ops::Transpose>()->perm;
  ValueId id = node.in[0];
  if (rw.uses(id) != 1) return std::nullopt;
  if (const Node* view = rw.producer<ops::Reshape>(id); view && perm.size() == 3) {
    const Fact& whole = rw.fact(view->in[0]);
    if (!whole.has_rank() || whole.rank() != 4 || !(whole.shape()[0] == Dim(1)) || rw.uses(view->in[0]) != 1) return std::nullopt;
    for (int64_t i = 0; i < 3; ++i)
      if (!(whole.shape()[i + 1] == rw.fact(id).shape()[i])) return std::nullopt;
    id = view->in[0];
    perm = {0, perm[0] + 1, perm[1] + 1, perm[2] + 1};
  }
  const Node* made = rw.producer<ops::Attention>(id);
  if (!made || perm.size() != 4 || perm[3] != 3 || !made->op.as<ops::Attention>()->perm.empty()) return std::nullopt;
  ops::Attention out = *made->op.as<ops::Attention>();
  out.perm = perm;
  const Values y = rw.emit(std::move(out), Values(made->in), {.math = made->math});
  if (rw.fact(node.out[0]).rank() == 4) return y;
  return rw.emit(ops::Reshape{.shape = rw.fact(node.out[0]).shape().dims()}, {y[0]});
}

constexpr ir::RuleRow kAbsorbViewsRules[] = {{"read_in_place", "Attention", read_in_place},
                                             {"write_in_order", "Transpose", write_in_order}};

}  // namespace

Result<bool> absorb_views(ir::Module& module, const PassCtx& ctx) {
  return ctx.attention ? ir::apply_rules(module, kAbsorbViewsRules, ctx.log) : false;
}

}  // namespace tenon::passes
