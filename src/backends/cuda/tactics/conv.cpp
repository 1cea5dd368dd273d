// Convolutions as products: conv_mma for 16-bit types on tensor cores, conv_f32 in FP32. Channels last, rows are pixels and k runs over
// (tap, channel); else rows are channels, columns are pixels of one image and k runs over (channel, tap), as the weights lie.
#include "backends/cuda/tactics/conv_common.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::ConvProblem;

Dim product_of(const std::vector<Dim>& dims) {
  Dim out = 1;
  for (const Dim& dim : dims) out = out * dim;
  return out;
}

/// One tap, every position: the input's pixels are the output's.
bool is_pointwise(const ConvProblem& p) {
  const auto all = [](const auto& list, int64_t number) {
    return std::all_of(list.begin(), list.end(), [&](const Dim& dim) { return dim == Dim(number); });
  };
  return all(p.kernel, 1) && all(p.pads, 0) && all(p.strides, 1) && p.in_spatial == p.out_spatial;
}

ProductSpec spec_of(const ConvProblem& p, bool tensor_cores) {
  const Dim pixels = product_of(p.out_spatial), taps = product_of(p.kernel);
  const int64_t each = p.x == DType::f32 ? 4 : 8, c = *p.c.constant() / p.groups, m = *p.m.constant() / p.groups;
  ProductSpec spec{.type = p.x, .tensor_cores = tensor_cores, .k = taps * Dim(c), .inputs = inputs_of(p), .finish = finish_of(p)};
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

/// The gather from x: a row is an output pixel.
std::string pixels_text(KernelWriter& w, const ConvProblem& p, const ProductSpec& spec, std::string_view name) {
  const size_t rank = p.in_spatial.size();
  const int64_t c = *p.c.constant() / p.groups, taps = *product_of(p.kernel).constant();
  const std::string_view type = storage_type(p.x);
  const Dim plane = product_of(p.in_spatial);
  std::string out = strf("struct {} {{\n  const Args& p;\n  const {}* base;\n  struct Row {{\n    i64 at;\n    int first[{}];\n  }};\n",
                         name, type, rank);
  out +=
      strf("  __device__ __forceinline__ {}(const Args& args, int batch) : p(args), base(static_cast<const {}*>(args.in0) + ", name, type);
  out += p.channels_last ? strf("batch * {}) {{}}\n", c) : strf("i64(batch) * {}) {{}}\n", w.size(plane * Dim(c)));
  // Where the window of an output pixel begins (transposed: the place that taps are counted back from).
  out += "  __device__ __forceinline__ Row row(int r) const {\n    Row out;\n    int rest = r;\n";
  for (size_t d = rank; d-- > 0;) {
    const bool last = d == 0 && !p.channels_last;
    const std::string at = last ? "rest" : strf("rest % {}", int_size(w, p.out_spatial[d]));
    out += p.transposed ? strf("    out.first[{}] = {} + {};\n", d, at, int_size(w, p.pads[d]))
                        : strf("    out.first[{}] = {} * {} - {};\n", d, at, p.strides[d], int_size(w, p.pads[d]));
    if (!last) out += strf("    rest /= {};\n", int_size(w, p.out_spatial[d]));
  }
  out += strf("    out.at = {};\n", p.channels_last ? strf("i64(rest) * {}", w.size(plane * p.c)) : "0");
  out += strf("    if (r >= {}) out.first[0] = -(1 << 30);\n    return out;\n  }}\n", int_size(w, p.channels_last ? spec.m : spec.n));
  out += strf("  __device__ __forceinline__ const {}* at(const Row& row, int k) const {{\n", type);
  out += p.channels_last ? strf("    const int c = k % {};\n    int tap = k / {};\n", c, c)
                         : strf("    const int c = k / {};\n    int tap = k % {};\n", taps, taps);
  std::string inside = strf("k < {}", int_size(w, spec.k)), place;
  for (size_t d = rank; d-- > 0;) {
    const int64_t size = *p.kernel[d].constant();
    const std::string tap = size == 1 ? "0" : d == 0 ? "tap" : strf("tap % {}", size);
    if (p.transposed) {
      out += strf("    const int u{} = row.first[{}] - {} * {};\n", d, d, tap, p.dilations[d]);
      out += strf("    const int i{} = u{} / {};\n", d, d, p.strides[d]);
      inside += strf(" && u{} >= 0 && u{} % {} == 0", d, d, p.strides[d]);
    } else {
      out += strf("    const int i{} = row.first[{}] + {} * {};\n", d, d, tap, p.dilations[d]);
    }
    if (size != 1 && d > 0) out += strf("    tap /= {};\n", size);
    inside += strf(" && u32(i{}) < u32({})", d, int_size(w, p.in_spatial[d]));
  }
  out += "    (void)tap;\n";
  for (size_t d = 0; d < rank; ++d) place = d == 0 ? "i64(i0)" : strf("({} * {} + i{})", place, int_size(w, p.in_spatial[d]), d);
  out += p.channels_last ? strf("    return {} ? base + row.at + {} * {} + c : nullptr;\n", inside, place, w.size(p.c))
                         : strf("    return {} ? base + i64(c) * {} + {} : nullptr;\n", inside, w.size(plane), place);
  return out + "  }\n};\n";
}

std::string weights_text(KernelWriter& w, const ConvProblem& p, const ProductSpec& spec, std::string_view name) {
  const int64_t m = *p.m.constant() / p.groups, taps = *product_of(p.kernel).constant(), k = *spec.k.constant();
  const std::string_view type = storage_type(p.w);
  std::string out = strf("struct {} {{\n  const {}* base;\n  typedef int Row;\n", name, type);
  const std::string group = p.channels_last ? "batch" : strf("batch % {}", p.groups);
  out += strf("  __device__ __forceinline__ {}(const Args& p, int batch) : base(static_cast<const {}*>(p.in1) + i64({}) * {}) {{}}\n", name,
              type, group, m * k);
  out += "  __device__ __forceinline__ Row row(int r) const { return r; }\n";
  const std::string at = p.transposed ? strf("i64(k / {}) * {} + r * {} + k % {}", taps, m * taps, taps, taps) : strf("i64(r) * {} + k", k);
  out += strf(
      "  __device__ __forceinline__ const {}* at(int r, int k) const {{\n    return r < {} && k < {} ? base + {} : nullptr;\n  }}\n}};\n",
      type, m, k, at);
  (void)w;
  return out;
}

template <bool kTensorCores>
engine::Verdict supports(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ConvProblem>();
  if (!p) return engine::no(kOtherKind);
  if (kTensorCores && !is_16_bit_float(p->x)) return engine::no("wants operands of f16 or bf16");
  if (const engine::Verdict verdict = takes_conv(*p); !verdict.ok) return verdict;
  if (p->transposed && p->channels_last) return engine::no("transposed, it wants the channels first");
  const ProductSpec spec = spec_of(*p, kTensorCores);
  if (const engine::Verdict verdict = takes_sizes(spec); !verdict.ok) return verdict;
  return takes_finish(spec.finish);
}

template <bool kTensorCores>
double estimate(const engine::Problem& problem, const engine::DeviceFacts& device) {
  const ProductSpec spec = spec_of(*problem.as<ConvProblem>(), kTensorCores);
  return product_us(spec, device);
}

template <bool kTensorCores>
Result<engine::Kernel> build(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const ConvProblem& p = *problem.as<ConvProblem>();
  ProductSpec spec = spec_of(p, kTensorCores);
  KernelWriter w(spec.inputs, outputs_of(spec.finish), p.epilogue.operands.size());
  spec.sources = pixels_text(w, p, spec, p.channels_last ? "SourceA" : "SourceB");
  spec.sources += weights_text(w, p, spec, p.channels_last ? "SourceB" : "SourceA");
  if (!p.channels_last) spec.finish.columns = int_size(w, spec.n);
  return write_product(w, spec, ctx);
}

template <bool kTensorCores>
std::vector<std::string> configs(const engine::Problem& problem, const engine::DeviceFacts& device) {
  return product_configs(spec_of(*problem.as<ConvProblem>(), kTensorCores), device);
}

}  // namespace

tune::Tactic conv_mma() { return {"conv_mma", supports<true>, estimate<true>, build<true>, configs<true>}; }
tune::Tactic conv_f32() { return {"conv_f32", supports<false>, estimate<false>, build<false>, configs<false>}; }

}  // namespace tenon::cuda
