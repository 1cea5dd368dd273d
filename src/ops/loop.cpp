#include "ops/loop.h"

#include "ops/regions.h"

namespace tenon::ops {
namespace {

bool is_true(const Fact& fact) { return fact.elems && fact.elems->size() == 1 && (*fact.elems)[0] == Dim(1); }

}  // namespace

Result<Facts> infer(const Loop& op, std::span<const Fact> in, InferCtx& ctx) {
  const auto captures = static_cast<size_t>(op.captures);
  if (in.size() < 2 + captures) return fail("{} inputs, wanted at least {}", in.size(), 2 + captures);
  std::vector<Carried> carried;
  for (size_t i = 2; i < in.size() - captures; ++i) carried.emplace_back(in[i]);
  Fact condition(DType::boolean, Shape{});
  condition.elems = {Dim(1)};  // a body runs only while it holds
  const Facts last(in.end() - static_cast<std::ptrdiff_t>(captures), in.end());
  TENON_TRY(body, settle(carried, {Fact(DType::i64, Shape{}), condition}, last, 1, ctx));

  Facts out;
  for (const Carried& value : carried) out.push_back(value.after(ctx));
  // As many steps as the trip count says, unless a condition may end them.
  const bool counted = is_true(body[0]) && (in[1].dtype() == DType::none || is_true(in[1])) && in[0].elems && in[0].elems->size() == 1;
  Dim steps = counted ? (*in[0].elems)[0] : ctx.mint("steps");
  if (ctx.symbols->interval(steps).least < 0) steps = max(steps, Dim(0));
  for (size_t i = 1 + carried.size(); i < body.size(); ++i) {
    Shape shape = without_local_symbols(body[i].shape(), in, "scanned", ctx);
    if (shape.has_rank()) shape.dims().insert(shape.dims().begin(), steps);
    out.emplace_back(body[i].dtype(), std::move(shape));
  }
  return out;
}

template OpRow make_row<Loop>();

}  // namespace tenon::ops
