#include "ops/reshape.h"

#include <algorithm>

namespace tenon::ops {
namespace {

/// The input's fact under another shape; contents of small integer tensors stay what they are.
Facts viewed(const Fact& in, Shape shape) {
  Fact out(in.dtype(), std::move(shape));
  if (out.shape().has_rank() && out.shape().constant()) out.elems = in.elems;
  return {std::move(out)};
}

Shape minted(InferCtx& ctx, int64_t rank, std::string_view stem) {
  std::vector<Dim> dims;
  for (int64_t i = 0; i < rank; ++i) dims.push_back(ctx.mint(stem));
  return Shape(std::move(dims));
}

/// A rank that the length of an operand gives, if it is a small number: files may say anything.
std::optional<int64_t> length_of(const Fact& list) {
  if (!list.has_rank() || list.rank() != 1) return std::nullopt;
  const auto length = list.shape()[0].constant();
  return length && *length <= 64 ? length : std::nullopt;
}

Result<std::vector<int64_t>> sorted_axes(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) {
    TENON_TRY(at, normalize_axis(axis, rank));
    axis = at;
  }
  std::sort(axes.begin(), axes.end());
  if (const auto twice = std::adjacent_find(axes.begin(), axes.end()); twice != axes.end()) return fail("axis {} stands twice", *twice);
  return axes;
}

}  // namespace

Result<Facts> infer(const Reshape& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (op.shape) {
    const Shape wanted(*op.shape);
    if (x.has_rank() && ctx.symbols->known_equal(x.shape().elems(), wanted.elems()) == Known::no)
      return fail("{} has not as many elements as {}", to_string(x.shape()), to_string(wanted));
    return viewed(x, wanted);
  }
  if (in.size() < 2) return fail("the shape is missing");
  if (!in[1].elems) {
    const auto rank = length_of(in[1]);
    return viewed(x, rank ? minted(ctx, *rank, "reshape") : Shape::unknown());
  }
  std::vector<Dim> dims = *in[1].elems;
  std::optional<size_t> open;
  Dim others(1);
  for (size_t i = 0; i < dims.size(); ++i) {
    const auto number = dims[i].constant();
    if (number == -1) {
      if (open) return fail("the shape {} has -1 twice", to_string(Shape(dims)));
      open = i;
      continue;
    }
    if (number && *number < 0) return fail("the shape {} has a negative dim", to_string(Shape(dims)));
    if (number == 0 && !op.allowzero) {
      if (!x.has_rank()) {
        dims[i] = ctx.mint("reshape");
      } else if (static_cast<int64_t>(i) >= x.rank()) {
        return fail("the shape copies dim {} of {}, which has only {}", i, to_string(x.shape()), x.rank());
      } else {
        dims[i] = x.shape()[static_cast<int64_t>(i)];
      }
    }
    others = others * dims[i];
  }
  if (!open) {
    if (x.has_rank() && ctx.symbols->known_equal(x.shape().elems(), others) == Known::no)
      return fail("{} has not as many elements as {}", to_string(x.shape()), to_string(Shape(dims)));
    return viewed(x, Shape(std::move(dims)));
  }
  if (!x.has_rank()) {
    dims[*open] = ctx.mint("reshape");
    return viewed(x, Shape(std::move(dims)));
  }
  const Dim total = x.shape().elems();
  if (others.constant() == 0) {
    if (ctx.symbols->known_equal(total, Dim(0)) == Known::no)
      return fail("{} does not divide into {}", to_string(x.shape()), to_string(Shape(dims)));
    dims[*open] = Dim(0);
  } else if (const auto exact = exact_div(total, others)) {
    dims[*open] = *exact;
  } else if (total.is_constant() && others.is_constant()) {
    return fail("{} elements do not divide into {}", to_string(total), to_string(Shape(dims)));
  } else {
    dims[*open] = floordiv(total, others);
  }
  return viewed(x, Shape(std::move(dims)));
}

Result<Facts> infer(const Squeeze& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  const bool has_operand = in.size() > 1 && in[1].dtype() != DType::none;
  std::optional<std::vector<int64_t>> axes = op.axes;
  if (has_operand && !axes) {
    axes = in[1].ints();
    if (!axes) {
      const auto count = length_of(in[1]);
      return viewed(x, x.has_rank() && count && *count <= x.rank() ? minted(ctx, x.rank() - *count, "squeeze") : Shape::unknown());
    }
  }
  if (!x.has_rank()) return viewed(x, Shape::unknown());
  std::vector<Dim> dims;
  if (!axes) {
    for (const Dim& dim : x.shape().dims()) {
      if (!dim.is_constant()) return viewed(x, Shape::unknown());  // it may turn out to be 1
      if (dim.constant() != 1) dims.push_back(dim);
    }
    return viewed(x, Shape(std::move(dims)));
  }
  TENON_TRY(sorted, sorted_axes(*axes, x.rank()));
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (!std::binary_search(sorted.begin(), sorted.end(), i)) {
      dims.push_back(x.shape()[i]);
    } else if (x.shape()[i].is_constant() && x.shape()[i].constant() != 1) {
      return fail("dim {} of {} is not 1", i, to_string(x.shape()));
    }
  }
  return viewed(x, Shape(std::move(dims)));
}

Result<Facts> infer(const Unsqueeze& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  std::vector<int64_t> axes = op.axes;
  if (in.size() > 1 && in[1].dtype() != DType::none) {
    const auto known = in[1].ints();
    if (!known) {
      const auto count = in[1].has_rank() && in[1].rank() == 0 ? 1 : length_of(in[1]);
      return viewed(x, x.has_rank() && count ? minted(ctx, x.rank() + *count, "unsqueeze") : Shape::unknown());
    }
    axes = *known;
  }
  if (!x.has_rank()) return viewed(x, Shape::unknown());
  TENON_TRY(sorted, sorted_axes(axes, x.rank() + static_cast<int64_t>(axes.size())));
  std::vector<Dim> dims = x.shape().dims();
  for (const int64_t axis : sorted) dims.insert(dims.begin() + axis, Dim(1));
  return viewed(x, Shape(std::move(dims)));
}

Result<Facts> infer(const Flatten& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank()) return viewed(x, minted(ctx, 2, "flatten"));
  const int64_t rank = x.rank();
  if (op.axis < -rank || op.axis > rank) return fail("axis {} is outside [{}, {}]", op.axis, -rank, rank);
  const int64_t axis = op.axis < 0 ? op.axis + rank : op.axis;
  Dim rows(1), columns(1);
  for (int64_t i = 0; i < rank; ++i) (i < axis ? rows : columns) = (i < axis ? rows : columns) * x.shape()[i];
  return viewed(x, Shape{rows, columns});
}

template OpRow make_row<Flatten>();
template OpRow make_row<Reshape>();
template OpRow make_row<Squeeze>();
template OpRow make_row<Unsqueeze>();

}  // namespace tenon::ops
