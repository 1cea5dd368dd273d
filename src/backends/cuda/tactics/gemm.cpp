// Products of matrices: gemm_mma for 16-bit types and TF32 on tensor cores, gemm_f32 in FP32 for all that FP32 holds.
#include "backends/cuda/tactics/conv_common.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::GemmProblem;

/// Without batch where every row of `a` meets the same b.
GemmProblem folded(GemmProblem p) {
  const bool one_b = std::all_of(p.b_batch.begin(), p.b_batch.end(), [](const Dim& dim) { return dim == Dim(1); });
  if (p.batch.empty() || p.trans_a || !one_b || p.a_batch != p.batch) return p;
  for (const Dim& dim : p.batch) p.m = p.m * dim;
  p.batch.clear(), p.a_batch.clear(), p.b_batch.clear();
  return p;
}

ProductSpec spec_of(const GemmProblem& p, const GemmProblem& original, bool tensor_cores, const DimValues& sizes) {
  ProductSpec spec{.type = p.a, .tensor_cores = tensor_cores, .m = p.m, .n = p.n, .k = p.k, .batch = 1, .sizes = sizes};
  for (const Dim& dim : p.batch) spec.batch = spec.batch * dim;
  const int64_t each = p.a == DType::f32 ? 4 : 8;
  spec.a = {.k_inner = !p.trans_a, .whole = divides(each, p.trans_a ? p.m : p.k)};
  spec.b = {.k_inner = p.trans_b, .whole = divides(each, p.trans_b ? p.k : p.n)};
  spec.b_static = p.b_static;
  spec.epsilon = p.epsilon;
  spec.inputs = p.own_inputs() + p.epilogue.operands.size();
  spec.finish = {.row_dims = original.batch,
                 .column_dims = {p.n},
                 .column = "column",
                 .out = p.out,
                 .epilogue = &original.epilogue,
                 .inputs = p.own_inputs(),
                 .row_norm = p.row_norm,
                 .whole = divides(8, p.n)};
  spec.finish.row_dims.push_back(original.m);
  return spec;
}

engine::Verdict takes(const GemmProblem& p, bool tensor_cores) {
  if (p.a != p.b) return engine::no("a and b differ in type");
  if (p.row_norm != engine::RowNorm::none && (!tensor_cores || !is_16_bit_float(p.a) || p.trans_a)) return engine::no("normalises no rows");
  if (const engine::Verdict verdict = takes_math(p.math, p.a); !verdict.ok) return verdict;
  for (size_t i = 0; i < p.batch.size(); ++i)
    for (const Dim& dim : {p.a_batch[i], p.b_batch[i]})
      if (!(dim == p.batch[i]) && !(dim == Dim(1))) return engine::no("whether a batch broadcasts is known only when it runs");
  const ProductSpec spec = spec_of(folded(p), p, tensor_cores, {});
  if (const engine::Verdict verdict = takes_sizes(spec); !verdict.ok) return verdict;
  return takes_finish(spec.finish);
}

/// Source of a (rows m) or b (rows n): `rows` lines of the problem's k, one matrix after another for the operand's batches.
std::string source_text(KernelWriter& w, const GemmProblem& p, bool is_a) {
  const Dim& rows = is_a ? p.m : p.n;
  const bool k_inner = is_a ? !p.trans_a : p.trans_b;
  const std::vector<Dim>& own = is_a ? p.a_batch : p.b_batch;
  std::string offset = "0", rest = "batch";
  Dim step = rows * p.k;
  for (size_t i = p.batch.size(); i-- > 0;) {
    const bool moves = !(own[i] == Dim(1));
    const std::string at = i == 0 ? rest : strf("{} % {}", rest, int_size(w, p.batch[i]));
    if (moves) offset += strf(" + i64({}) * {}", at, w.size(step)), step = step * own[i];
    rest = strf("({} / {})", rest, int_size(w, p.batch[i]));
  }
  const std::string_view type = storage_type(p.a);
  std::string out = strf("struct Source{} {{\n  const Args& p;\n  const {}* base;\n", is_a ? "A" : "B", type);
  out += strf(
      "  __device__ __forceinline__ Source{}(const Args& args, int batch) : p(args), base(static_cast<const {}*>(args.in{}) + {}) {{}}\n",
      is_a ? "A" : "B", type, is_a ? 0 : 1, offset);
  out += lines_text(type, int_size(w, rows), int_size(w, p.k), k_inner ? w.size(p.k) : "1", k_inner ? "1" : w.size(rows));
  return out + "};\n";
}

Result<engine::Kernel> build_gemm(const GemmProblem& original, bool tensor_cores, const tune::BuildCtx& ctx) {
  const GemmProblem p = folded(original);
  ProductSpec spec = spec_of(p, original, tensor_cores, ctx.sizes);
  KernelWriter w(spec.inputs, outputs_of(spec.finish), p.epilogue.operands.size());
  spec.sources = source_text(w, p, true) + source_text(w, p, false);
  spec.finish.row = strf("i64(batch) * {} + row", w.size(p.m));
  spec.finish.columns = int_size(w, p.n);
  return write_product(w, spec, ctx);
}

template <bool kTensorCores>
engine::Verdict supports_gemm(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<GemmProblem>();
  if (!p) return engine::no(kOtherKind);
  if (kTensorCores && !fits_tensor_cores(p->a, p->math)) return engine::no("wants operands of f16, bf16 or TF32");
  if (!kTensorCores && p->a != DType::f32 && !is_16_bit_float(p->a)) return engine::no("wants operands of f32, f16 or bf16");
  return takes(*p, kTensorCores);
}

template <bool kTensorCores>
Result<engine::Kernel> build_kernel(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return build_gemm(*problem.as<GemmProblem>(), kTensorCores, ctx);
}

template <bool kTensorCores>
std::vector<std::string> configs_of_gemm(const engine::Problem& problem, const engine::DeviceFacts& device, const DimValues& sizes) {
  const GemmProblem& original = *problem.as<GemmProblem>();
  return product_configs(spec_of(folded(original), original, kTensorCores, sizes), device);
}

}  // namespace

tune::Tactic gemm_mma() { return {"gemm_mma", supports_gemm<true>, build_kernel<true>, configs_of_gemm<true>}; }
tune::Tactic gemm_f32() { return {"gemm_f32", supports_gemm<false>, build_kernel<false>, configs_of_gemm<false>}; }

}  // namespace tenon::cuda
