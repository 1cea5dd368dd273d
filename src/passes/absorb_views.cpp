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

/// One step along a dim, or a part of a dim.
struct Factor {
  Dim size, stride;
};
/// A value as part of a tensor: element [i...] at offset + what its dims say. A dim is a list of factors, the outermost first: one where it
/// has a stride, none where it is 1, several where it joins dims that lie apart.
struct Strided {
  std::vector<Dim> dims;
  std::vector<std::vector<Factor>> factors;
  Dim offset;

  std::optional<Dim> stride(size_t axis) const {
    if (factors[axis].size() > 1) return std::nullopt;
    return factors[axis].empty() ? Dim(0) : factors[axis][0].stride;
  }
};

Strided dense(const Shape& shape) {
  Strided out{.dims = shape.dims(), .factors = {}, .offset = 0};
  out.factors.resize(out.dims.size());
  Dim step = 1;
  for (size_t i = out.dims.size(); i-- > 0; step = step * out.dims[i])
    if (!(out.dims[i] == Dim(1))) out.factors[i] = {{out.dims[i], step}};
  return out;
}

/// How many sizes from `first` on multiply to `product`; 0: none do.
template <class Sizes>
size_t factors_of(const Dim& product, const Sizes& sizes, size_t first) {
  Dim have(1);
  for (size_t i = first; i < sizes.size(); ++i) {
    if constexpr (std::is_same_v<Sizes, std::vector<Factor>>)
      have = have * sizes[i].size;
    else
      have = have * sizes[i];
    if (have == product) return i + 1 - first;
  }
  return 0;
}

void append(std::vector<Factor>& to, Factor factor) {
  if (!to.empty() && to.back().stride == factor.stride * factor.size) {
    to.back() = {to.back().size * factor.size, factor.stride};
  } else {
    to.push_back(std::move(factor));
  }
}

/// The same elements under other dims, if factors still say where they are.
std::optional<Strided> viewed(const Strided& from, const std::vector<Dim>& dims) {
  std::vector<Factor> old;
  for (const std::vector<Factor>& dim : from.factors) old.insert(old.end(), dim.begin(), dim.end());
  std::vector<size_t> wanted;  // dims that are not 1
  std::vector<Dim> sizes;
  for (size_t i = 0; i < dims.size(); ++i)
    if (!(dims[i] == Dim(1))) wanted.push_back(i), sizes.push_back(dims[i]);
  Strided out{.dims = dims, .factors = {}, .offset = from.offset};
  out.factors.resize(dims.size());
  size_t i = 0;
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (i == old.size()) return std::nullopt;
    if (const size_t split = factors_of(old[i].size, sizes, k); split > 1) {
      Dim step = old[i++].stride;
      for (size_t j = k + split; j-- > k; step = step * sizes[j]) out.factors[wanted[j]] = {{sizes[j], step}};
      k += split - 1;
      continue;
    }
    std::vector<Factor>& to = out.factors[wanted[k]];
    for (Dim rest = sizes[k]; !(rest == Dim(1));) {
      if (i == old.size()) return std::nullopt;
      if (const size_t joined = factors_of(rest, old, i); joined > 0) {
        for (size_t j = 0; j < joined; ++j) append(to, old[i++]);
        rest = 1;
      } else if (const auto left = exact_div(rest, old[i].size)) {
        append(to, old[i++]);
        rest = *left;
      } else if (const auto inner = exact_div(old[i].size, rest)) {
        append(to, {rest, old[i].stride * *inner});
        old[i].size = *inner;
        rest = 1;
      } else {
        return std::nullopt;
      }
    }
  }
  return i == old.size() ? std::optional(std::move(out)) : std::nullopt;
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
  const auto stride = from.stride(axis);
  if (start < 0 || (size && start > *size) || !stride) return std::nullopt;
  return from.offset + Dim(start) * *stride;
}

/// From the offset on, as many elements along each dim as the shape says.
std::optional<Strided> cut(Strided from, const Shape& shape) {
  for (size_t i = 0; i < from.dims.size(); ++i) {
    const Dim& size = shape.dims()[i];
    if (size == from.dims[i]) continue;
    const auto stride = from.stride(i);
    if (!stride) return std::nullopt;
    from.factors[i].clear();
    if (!(size == Dim(1))) from.factors[i] = {{size, *stride}};
    from.dims[i] = size;
  }
  return from;
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
  return cut(std::move(from), rw.fact(node.out[0]).shape());
}

/// What the node makes of a part of a tensor, if that is a part too.
std::optional<Strided> through(const Rewriter& rw, const Node& node, ValueId result, Strided from) {
  const Shape& shape = rw.fact(result).shape();
  const auto axis_of = [&](int64_t axis) { return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(from.dims.size()) : axis); };
  if (const auto* transpose = node.op.as<ops::Transpose>()) {
    Strided out{.dims = shape.dims(), .factors = {}, .offset = from.offset};
    for (const int64_t axis : transpose->perm) out.factors.push_back(from.factors[axis_of(axis)]);
    return out;
  }
  if (node.op.row().view) return viewed(from, shape.dims());
  if (node.op.as<ops::Slice>()) return sliced(rw, node, std::move(from));
  if (const auto* split = node.op.as<ops::Split>()) {
    const size_t axis = axis_of(split->axis);
    for (const ValueId out : node.out) {
      if (out == result) break;
      if (out == ValueId::none || !rw.fact(out).has_rank()) return std::nullopt;
      const auto stride = from.stride(axis);
      if (!stride) return std::nullopt;
      from.offset = from.offset + rw.fact(out).shape()[static_cast<int64_t>(axis)] * *stride;
    }
    return cut(std::move(from), shape);
  }
  if (const auto* gather = node.op.as<ops::Gather>()) {
    const auto index = constant_ints(rw, node, 1);
    if (!index || index->size() != 1 || rw.constant_of(node.in[1])->rank() != 0) return std::nullopt;
    const size_t axis = axis_of(gather->axis);
    const auto offset = moved_by(from, axis, (*index)[0]);
    if (!offset) return std::nullopt;
    from.offset = *offset;
    from.factors.erase(from.factors.begin() + static_cast<std::ptrdiff_t>(axis));
    from.dims = shape.dims();
    return from;
  }
  return std::nullopt;
}

/// An operand of attention as part of the furthest tensor whose rows still lie contiguous.
struct Part {
  ValueId source;
  std::vector<Dim> dims, strides;
  Dim offset;
};
std::optional<std::vector<Dim>> strides_of(const Strided& part) {
  std::vector<Dim> out;
  for (size_t i = 0; i < part.dims.size(); ++i) {
    const auto stride = part.stride(i);
    if (!stride) return std::nullopt;
    out.push_back(*stride);
  }
  return out;
}
std::optional<Part> part_of(const Rewriter& rw, ValueId id) {
  constexpr size_t kMostNodes = 12;
  std::vector<std::pair<const Node*, ValueId>> chain;  // from the operand backwards: a node and which of its results
  std::optional<Part> best;
  for (ValueId at = id;;) {
    if (!rw.fact(at).has_rank() || rw.fact(at).type.shape.rank() == 0) return best;
    std::optional<Strided> part = dense(rw.fact(at).shape());
    for (size_t i = chain.size(); part && i-- > 0;) part = through(rw, *chain[i].first, chain[i].second, std::move(*part));
    if (!part && !chain.empty()) return best;
    const auto strides = strides_of(*part);
    const bool contiguous = strides && strides->size() == 4 && (strides->back() == Dim(1) || part->dims[3] == Dim(1));
    // A size that only a node in between finds needs that node.
    const bool known = std::all_of(part->dims.begin(), part->dims.end(), [&](const Dim& dim) { return rw.is_known_with(dim, at); });
    if (contiguous && known) best = Part{at, std::move(part->dims), *strides, part->offset};
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
    moves = moves || part->offset != Dim(0) || part->strides != *strides_of(dense(rw.fact(node.in[i]).shape()));
    parts.push_back(*part);
  }
  if (!moves) return std::nullopt;
  ops::Attention out = op;
  const auto view = [](const Part& part) { return engine::HeadsView{part.offset, {part.strides[0], part.strides[1], part.strides[2]}}; };
  out.q = view(parts[0]), out.k = view(parts[1]), out.v = view(parts[2]);
  const auto &q = parts[0].dims, &k = parts[1].dims, &v = parts[2].dims;
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
