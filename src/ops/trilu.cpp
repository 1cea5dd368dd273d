#include "ops/trilu.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Trilu&, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank() && in[0].rank() < 2) return fail("wants matrices, got {}", to_string(in[0].shape()));
  return Facts{Fact(in[0].type)};
}

Result<void> eval(const Trilu& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  if (x.rank() < 2) return fail("wants matrices, got {}", to_string(x.dims));
  int64_t k = 0;
  if (in.size() > 1 && in[1].kind == HostValue::Kind::tensor) {
    if (in[1].tensor.elems() != 1) return fail("k has shape {}, wanted one element", to_string(in[1].tensor.dims));
    k = element_as_int(in[1].tensor, 0);
  }
  TENON_OK(prepare_output(out[0], x.dtype, x.dims));
  clear(out[0].tensor);
  const int64_t rows = x.dims[x.dims.size() - 2], columns = x.dims.back();
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t diagonal = i % columns - i / columns % rows;
    if (op.upper ? diagonal >= k : diagonal <= k) copy_elems(x, i, out[0].tensor, i, 1);
  }
  return {};
}

template OpRow make_row<Trilu>();

}  // namespace tenon::ops
