#include "backends/cuda/tactics/conv_sources.h"

#include "backends/cuda/tactics/expr_text.h"

namespace tenon::cuda {
namespace {

using engine::ConvProblem;

int64_t taps_in(const ConvProblem& p) { return *product_of(p.kernel).constant(); }
int64_t channels_of_group(const ConvProblem& p) { return *p.c.constant() / p.groups; }

/// "first[d]": where the window of output pixel r begins (transposed: the place that taps are counted back from), and `rest`, the image.
std::string window_start_text(KernelWriter& w, const ConvProblem& p) {
  const size_t rank = p.in_spatial.size();
  std::string out = strf("    int first[{}];\n    int rest = r;\n", rank);
  for (size_t d = rank; d-- > 0;) {
    const bool last = d == 0 && !p.channels_last;
    const std::string at = last ? "rest" : strf("rest % {}", int_size(w, p.out_spatial[d]));
    out += p.transposed ? strf("    first[{}] = {} + {};\n", d, at, int_size(w, p.pads[d]))
                        : strf("    first[{}] = {} * {} - {};\n", d, at, p.strides[d], int_size(w, p.pads[d]));
    if (!last) out += strf("    rest /= {};\n", int_size(w, p.out_spatial[d]));
  }
  return out;
}

/// Elements between neighbours along spatial dim d of x.
Dim step_of(const ConvProblem& p, size_t d) {
  Dim out = p.channels_last ? p.c : Dim(1);
  for (size_t i = d + 1; i < p.in_spatial.size(); ++i) out = out * p.in_spatial[i];
  return out;
}

/// Splits column k into `c` and `tap`.
std::string column_text(const ConvProblem& p) {
  const int64_t by = p.channels_last ? channels_of_group(p) : taps_in(p);
  return p.channels_last ? strf("    const int tap = k / {}, c = k % {};\n", by, by)
                         : strf("    const int c = k / {}, tap = k % {};\n", by, by);
}

/// Index along each spatial dim of tap number `tap`: "u<d>".
std::string tap_text(const ConvProblem& p) {
  std::string out = "    int taps = tap;\n";
  for (size_t d = p.kernel.size(); d-- > 0;)
    out += strf("    const int u{} = {};\n    taps /= {};\n", d, d == 0 ? "taps" : strf("taps % {}", *p.kernel[d].constant()),
                *p.kernel[d].constant());
  return out;
}

/// Which taps of a row lie inside is a mask of bits, since there are at most 63: an address is the sum of the row's and the column's.
std::string masked_text(KernelWriter& w, const ConvProblem& p, const Dim& pixels, std::string_view type) {
  const size_t rank = p.in_spatial.size();
  const int64_t taps = taps_in(p), columns = taps * channels_of_group(p);
  const std::string_view mask = taps < 32 ? "u32" : "u64";
  std::string out = strf("  struct Row {{\n    i64 at;\n    {} taps;\n  }};\n  struct Column {{\n    i64 at;\n    int tap;\n  }};\n", mask);
  out += taps == 1 && p.channels_last ? linear_text(strf("{}", columns), "1") : "  static constexpr bool LINEAR = false;\n";
  out += "  __device__ __forceinline__ Row row(int r) const {\n" + window_start_text(w, p);
  out += strf("    i64 at = {};\n    {} inside = r < {} ? 1 : 0;\n",
              p.channels_last ? strf("i64(rest) * {}", w.size(product_of(p.in_spatial) * p.c)) : "0", mask, int_size(w, pixels));
  // From the last dim on: the bits so far, once for each tap of the next dim that lies inside.
  int64_t bits = 1;
  for (size_t d = rank; d-- > 0;) {
    const int64_t size = *p.kernel[d].constant();
    out += strf("    at += i64(first[{}]) * {};\n    {{\n      const {} one = inside;\n      inside = 0;\n#pragma unroll\n", d,
                w.size(step_of(p, d)), mask);
    out += strf("      for (int u = 0; u < {}; ++u)\n        if (u32(first[{}] + u * {}) < u32({})) inside |= one << (u * {});\n    }}\n",
                size, d, p.dilations[d], int_size(w, p.in_spatial[d]), bits);
    bits *= size;
  }
  out += "    return {at, inside};\n  }\n  __device__ __forceinline__ Column column(int k) const {\n" + column_text(p) + tap_text(p);
  out += strf("    i64 at = {};\n", p.channels_last ? "c" : strf("i64(c) * {}", w.size(product_of(p.in_spatial))));
  for (size_t d = 0; d < rank; ++d) out += strf("    at += i64(u{}) * {};\n", d, w.size(Dim(p.dilations[d]) * step_of(p, d)));
  out += strf("    return {{at, k < {} ? tap : {}}};\n  }}\n", columns, taps < 32 ? 31 : 63);
  out += "  __device__ __forceinline__ bool there(const Row& row, const Column& column) const { return row.taps >> column.tap & 1; }\n";
  out += strf(
      "  __device__ __forceinline__ const {}* at(const Row& row, const Column& column) const {{ return base + row.at + column.at; }}\n",
      type);
  return out;
}

/// For any number of taps, and for transposed convolutions, of whose taps some fall between the input's pixels.
std::string counted_text(KernelWriter& w, const ConvProblem& p, const Dim& pixels, std::string_view type) {
  const size_t rank = p.in_spatial.size();
  const int64_t columns = taps_in(p) * channels_of_group(p);
  std::string out = strf("  struct Row {{\n    i64 at;\n    int first[{}];\n  }};\n  struct Column {{\n    int k;\n  }};\n", rank);
  out += "  static constexpr bool LINEAR = false;\n";
  out += "  __device__ __forceinline__ Row row(int r) const {\n    Row out;\n" + window_start_text(w, p);
  out += strf("    for (int d = 0; d < {}; ++d) out.first[d] = first[d];\n", rank);
  out += strf("    out.at = {};\n", p.channels_last ? strf("i64(rest) * {}", w.size(product_of(p.in_spatial) * p.c)) : "0");
  out += strf("    if (r >= {}) out.first[0] = -(1 << 30);\n    return out;\n  }}\n", int_size(w, pixels));
  out += "  __device__ __forceinline__ Column column(int k) const { return {k}; }\n";
  out += "  __device__ __forceinline__ i64 place(const Row& row, int k) const {\n" + column_text(p) + tap_text(p);
  std::string inside = strf("k < {}", columns);
  std::string place = p.channels_last ? "c" : strf("i64(c) * {}", w.size(product_of(p.in_spatial)));
  for (size_t d = 0; d < rank; ++d) {
    if (p.transposed) {
      out += strf("    const int v{} = row.first[{}] - u{} * {}, i{} = v{} / {};\n", d, d, d, p.dilations[d], d, d, p.strides[d]);
      inside += strf(" && v{} >= 0 && v{} % {} == 0", d, d, p.strides[d]);
    } else {
      out += strf("    const int i{} = row.first[{}] + u{} * {};\n", d, d, d, p.dilations[d]);
    }
    inside += strf(" && u32(i{}) < u32({})", d, int_size(w, p.in_spatial[d]));
    place += strf(" + i64(i{}) * {}", d, w.size(step_of(p, d)));
  }
  out += strf("    return {} ? row.at + {} : -1;\n  }}\n", inside, place);
  out += "  __device__ __forceinline__ bool there(const Row& row, const Column& column) const { return place(row, column.k) >= 0; }\n";
  out += strf(
      "  __device__ __forceinline__ const {}* at(const Row& row, const Column& column) const {{ return base + place(row, column.k); }}\n",
      type);
  return out;
}

}  // namespace

Dim product_of(const std::vector<Dim>& dims) {
  Dim out = 1;
  for (const Dim& dim : dims) out = out * dim;
  return out;
}

std::string pixels_text(KernelWriter& w, const ConvProblem& p, const Dim& pixels, std::string_view name) {
  const std::string_view type = storage_type(p.x);
  const int64_t c = channels_of_group(p);
  std::string out = strf("struct {} {{\n  const Args& p;\n  const {}* base;\n", name, type);
  out +=
      strf("  __device__ __forceinline__ {}(const Args& args, int batch) : p(args), base(static_cast<const {}*>(args.in0) + ", name, type);
  out += p.channels_last ? strf("batch * {}) {{}}\n", c) : strf("i64(batch) * {}) {{}}\n", w.size(product_of(p.in_spatial) * Dim(c)));
  out += p.transposed || taps_in(p) > 63 ? counted_text(w, p, pixels, type) : masked_text(w, p, pixels, type);
  return out + "};\n";
}

std::string weights_text(const ConvProblem& p, std::string_view name) {
  const int64_t m = *p.m.constant() / p.groups, taps = taps_in(p), columns = taps * channels_of_group(p);
  const std::string_view type = storage_type(p.w);
  const std::string group = p.channels_last ? "batch" : strf("batch % {}", p.groups);
  std::string out = strf("struct {} {{\n  const {}* base;\n", name, type);
  out += strf("  __device__ __forceinline__ {}(const Args& p, int batch) : base(static_cast<const {}*>(p.in1) + i64({}) * {}) {{}}\n", name,
              type, group, m * columns);
  if (!p.transposed) return out + lines_text(type, strf("{}", m), strf("{}", columns), strf("{}", columns), "1") + "};\n";
  out += "  struct Row {\n    int at;\n    bool there;\n  };\n  struct Column {\n    i64 at;\n    bool there;\n  };\n";
  out += "  static constexpr bool LINEAR = false;\n";
  out += strf("  __device__ __forceinline__ Row row(int r) const {{ return {{r * {}, r < {}}}; }}\n", taps, m);
  out += strf("  __device__ __forceinline__ Column column(int k) const {{ return {{i64(k / {}) * {} + k % {}, k < {}}}; }}\n", taps,
              m * taps, taps, columns);
  out += "  __device__ __forceinline__ bool there(const Row& row, const Column& column) const { return row.there && column.there; }\n";
  out += strf(
      "  __device__ __forceinline__ const {}* at(const Row& row, const Column& column) const {{ return base + row.at + column.at; }}\n",
      type);
  return out + "};\n";
}

}  // namespace tenon::cuda
