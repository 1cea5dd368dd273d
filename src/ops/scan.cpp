#include "ops/scan.h"

#include "ops/regions.h"

namespace tenon::ops {

Result<Facts> infer(const Scan& op, std::span<const Fact> in, InferCtx& ctx) {
  const auto captures = static_cast<size_t>(op.captures), scanned = static_cast<size_t>(op.num_scan_inputs);
  if (op.num_scan_inputs < 1 || in.size() < scanned + captures) return fail("{} inputs, {} of them scanned", in.size(), op.num_scan_inputs);
  const size_t states = in.size() - scanned - captures;
  if (!op.scan_input_axes.empty() && op.scan_input_axes.size() != scanned)
    return fail("{} scan_input_axes for {} inputs", op.scan_input_axes.size(), scanned);
  std::vector<Carried> carried;
  for (size_t i = 0; i < states; ++i) carried.emplace_back(in[i]);
  Facts last;
  Dim steps = Dim(-1);
  for (size_t i = 0; i < scanned; ++i) {
    const Fact& x = in[states + i];
    Shape slice = x.shape();
    if (slice.has_rank()) {
      TENON_TRY(axis, normalize_axis(op.scan_input_axes.empty() ? 0 : op.scan_input_axes[i], slice.rank()));
      if (steps == Dim(-1) || slice[axis].is_constant()) steps = slice[axis];
      slice.dims().erase(slice.dims().begin() + axis);
    }
    last.emplace_back(x.dtype(), std::move(slice));
  }
  if (steps == Dim(-1)) steps = ctx.mint("steps");
  last.insert(last.end(), in.end() - static_cast<std::ptrdiff_t>(captures), in.end());
  TENON_TRY(body, settle(carried, {}, last, 0, ctx));

  Facts out;
  for (const Carried& value : carried) out.push_back(value.after(ctx));
  for (size_t i = states; i < body.size(); ++i) {
    Shape shape = without_local_symbols(body[i].shape(), in, "scanned", ctx);
    if (shape.has_rank()) {
      const size_t k = i - states;
      TENON_TRY(axis, normalize_axis(k < op.scan_output_axes.size() ? op.scan_output_axes[k] : 0, shape.rank() + 1));
      shape.dims().insert(shape.dims().begin() + axis, steps);
    }
    out.emplace_back(body[i].dtype(), std::move(shape));
  }
  return out;
}

template OpRow make_row<Scan>();

}  // namespace tenon::ops
