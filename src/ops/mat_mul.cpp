#include "ops/mat_mul.h"

namespace tenon::ops {
namespace {

struct Sides {
  Dim m, n, k_a, k_b;
  Shape a_batch, b_batch, batch;
};

Result<Sides> sides_of(const MatMul& op, const Shape& a, const Shape& b) {
  if (a.rank() == 0 || b.rank() == 0) return fail("a scalar cannot be multiplied as a matrix: {} times {}", to_string(a), to_string(b));
  Sides s;
  const int64_t ra = a.rank(), rb = b.rank();
  s.m = ra == 1 ? Dim(1) : a[op.trans_a ? ra - 1 : ra - 2];
  s.k_a = ra == 1 ? a[0] : a[op.trans_a ? ra - 2 : ra - 1];
  s.k_b = rb == 1 ? b[0] : b[op.trans_b ? rb - 1 : rb - 2];
  s.n = rb == 1 ? Dim(1) : b[op.trans_b ? rb - 2 : rb - 1];
  for (int64_t i = 0; i + 2 < ra; ++i) s.a_batch.dims().push_back(a[i]);
  for (int64_t i = 0; i + 2 < rb; ++i) s.b_batch.dims().push_back(b[i]);
  if (const auto x = s.k_a.constant(), y = s.k_b.constant(); x && y && *x != *y)
    return fail("the inner dims differ: {} times {}", to_string(a), to_string(b));
  TENON_TRY(batch, broadcast_shapes(s.a_batch, s.b_batch));
  s.batch = batch;
  return s;
}

std::vector<Dim> padded(const Shape& batch, int64_t rank) {
  std::vector<Dim> out(static_cast<size_t>(rank - batch.rank()), Dim(1));
  out.insert(out.end(), batch.dims().begin(), batch.dims().end());
  return out;
}

}  // namespace

Result<Facts> infer(const MatMul& op, std::span<const Fact> in, InferCtx&) {
  const bool layer = op.row_norm == engine::RowNorm::layer;
  if (in.size() != (layer ? 3U : 2U)) return fail("{} operands are wanted, got {}", layer ? 3 : 2, in.size());
  if (op.row_norm != engine::RowNorm::none && op.trans_a) return fail("rows that are normalised cannot be columns");
  if (layer && in[2].dtype() != DType::f32) return fail("the sums of b must be f32, not {}", to_text(in[2].dtype()));
  if (!in[0].has_rank() || !in[1].has_rank()) return Facts{Fact(in[0].dtype(), Shape::unknown())};
  TENON_TRY(s, sides_of(op, in[0].shape(), in[1].shape()));
  Shape out = s.batch;
  if (in[0].rank() > 1) out.dims().push_back(s.m);
  if (in[1].rank() > 1) out.dims().push_back(s.n);
  return Facts{Fact(in[0].dtype(), std::move(out))};
}

Result<engine::Problem> problem(const MatMul& op, std::span<const Fact> in, std::span<const Fact> out) {
  if (!in[0].has_rank() || !in[1].has_rank()) return fail(ErrorKind::unsupported, "the ranks are not known");
  TENON_TRY(s, sides_of(op, in[0].shape(), in[1].shape()));
  engine::GemmProblem gemm{.a = in[0].dtype(), .b = in[1].dtype(), .out = out[0].dtype(), .m = s.m, .n = s.n, .k = s.k_a};
  gemm.batch = s.batch.dims();
  gemm.a_batch = padded(s.a_batch, s.batch.rank());
  gemm.b_batch = padded(s.b_batch, s.batch.rank());
  gemm.trans_a = op.trans_a && in[0].rank() > 1;
  gemm.trans_b = op.trans_b && in[1].rank() > 1;
  gemm.row_norm = op.row_norm;
  gemm.epsilon = op.epsilon;
  return engine::Problem(std::move(gemm));
}

template OpRow make_row<MatMul>();

}  // namespace tenon::ops
