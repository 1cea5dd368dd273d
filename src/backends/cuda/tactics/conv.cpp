// Convolutions as products: conv_mma for 16-bit types and TF32 on tensor cores, conv_f32 in FP32. Channels last, rows are pixels and k runs
// over (tap, channel); else rows are channels, columns are pixels of one image and k runs over (channel, tap), as the weights lie.
#include "backends/cuda/tactics/conv_common.h"
#include "backends/cuda/tactics/conv_sources.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::ConvProblem;

/// One tap, every position: the input's pixels are the output's.
bool is_pointwise(const ConvProblem& p) {
  const auto all = [](const auto& list, int64_t number) {
    return std::all_of(list.begin(), list.end(), [&](const Dim& dim) { return dim == Dim(number); });
  };
  return all(p.kernel, 1) && all(p.pads, 0) && all(p.strides, 1) && p.in_spatial == p.out_spatial;
}

ProductSpec spec_of(const ConvProblem& p, bool tensor_cores, const DimValues& sizes) {
  const Dim pixels = product_of(p.out_spatial), taps = product_of(p.kernel);
  const int64_t each = p.x == DType::f32 ? 4 : 8, c = *p.c.constant() / p.groups, m = *p.m.constant() / p.groups;
  ProductSpec spec{.type = p.x, .tensor_cores = tensor_cores, .k = taps * Dim(c), .sizes = sizes, .inputs = inputs_of(p)};
  spec.finish = finish_of(p);
  if (p.channels_last) {
    spec.m = p.n * pixels, spec.n = m, spec.batch = p.groups;
    spec.a = {.k_inner = true, .whole = c % each == 0};
    spec.b = {.k_inner = true, .whole = divides(each, spec.k)};
    spec.b_static = p.w_static;
  } else {
    spec.m = m, spec.n = pixels, spec.batch = p.n * Dim(p.groups);
    spec.a = {.k_inner = true, .whole = divides(each, spec.k) && !p.transposed};
    spec.b = {.k_inner = false, .whole = is_pointwise(p) && divides(each, pixels)};
  }
  return spec;
}

template <bool kTensorCores>
engine::Verdict supports_conv(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ConvProblem>();
  if (!p) return engine::no(kOtherKind);
  if (kTensorCores && !fits_tensor_cores(p->x, p->math)) return engine::no("wants operands of f16, bf16 or TF32");
  if (const engine::Verdict verdict = takes_conv(*p); !verdict.ok) return verdict;
  if (p->transposed && p->channels_last) return engine::no("transposed, it wants the channels first");
  const ProductSpec spec = spec_of(*p, kTensorCores, {});
  if (const engine::Verdict verdict = takes_sizes(spec); !verdict.ok) return verdict;
  return takes_finish(spec.finish);
}

template <bool kTensorCores>
Result<engine::Kernel> build_conv(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const ConvProblem& p = *problem.as<ConvProblem>();
  ProductSpec spec = spec_of(p, kTensorCores, ctx.sizes);
  KernelWriter w(spec.inputs, outputs_of(spec.finish), p.epilogue.operands.size());
  spec.sources = pixels_text(w, p, p.channels_last ? spec.m : spec.n, p.channels_last ? "SourceA" : "SourceB");
  spec.sources += weights_text(p, p.channels_last ? "SourceB" : "SourceA");
  if (!p.channels_last) spec.finish.columns = int_size(w, spec.n);
  return write_product(w, spec, ctx);
}

template <bool kTensorCores>
std::vector<std::string> configs_of_conv(const engine::Problem& problem, const engine::DeviceFacts& device, const DimValues& sizes) {
  return product_configs(spec_of(*problem.as<ConvProblem>(), kTensorCores, sizes), device);
}

}  // namespace

tune::Tactic conv_mma() { return {"conv_mma", supports_conv<true>, build_conv<true>, configs_of_conv<true>}; }
tune::Tactic conv_f32() { return {"conv_f32", supports_conv<false>, build_conv<false>, configs_of_conv<false>}; }

}  // namespace tenon::cuda
