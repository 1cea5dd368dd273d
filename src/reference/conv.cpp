#include "reference/columns.h"
#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

struct ConvSizes {
  int64_t n, c, m, groups;
  Grid grid;  // large side: x, or the output of a transposed convolution
};

/// Output dims of the spatial kind: the problem's, or those of an output that the caller has allocated. x: channels first.
Result<Dims> out_spatial_of(const engine::ConvProblem& p, const Tensor& x, std::span<const HostValue> out) {
  if (auto known = Shape(p.out_spatial).constant()) return *known;
  if (!out.empty() && out[0].tensor.data && out[0].tensor.rank() == x.rank())
    return Dims(out[0].tensor.dims.begin() + (p.channels_last ? 1 : 2), out[0].tensor.dims.end() - (p.channels_last ? 1 : 0));
  return fail("the output size {} of the problem is not bound to numbers", to_string(Shape(p.out_spatial)));
}

Result<ConvSizes> sizes_of(const engine::ConvProblem& p, const Tensor& x, const Tensor& w, std::span<const HostValue> out) {
  if (w.rank() != x.rank()) return fail("x {} and w {} must have the same rank", to_string(x.dims), to_string(w.dims));
  ConvSizes s{x.dims[0], x.dims[1], 0, p.groups, {}};
  if (s.groups < 1 || s.c % s.groups != 0) return fail("{} channels do not divide into {} groups", s.c, s.groups);
  const int64_t per_group = s.c / s.groups;
  if (p.transposed ? w.dims[0] != s.c : w.dims[1] != per_group)
    return fail("x {} and w {} with {} groups disagree on the channels", to_string(x.dims), to_string(w.dims), s.groups);
  if (!p.transposed && w.dims[0] % s.groups != 0) return fail("{} results do not divide into {} groups", w.dims[0], s.groups);
  if (__builtin_mul_overflow(w.dims[p.transposed ? 1 : 0], p.transposed ? s.groups : 1, &s.m)) return fail("{} groups", s.groups);
  TENON_TRY(out_spatial, out_spatial_of(p, x, out));
  TENON_TRY(pads, numbers(p.pads, "the padding"));
  const Dims in_spatial(x.dims.begin() + 2, x.dims.end());
  s.grid = {in_spatial, out_spatial, Dims(w.dims.begin() + 2, w.dims.end()), p.strides, p.dilations, pads};
  const size_t rank = in_spatial.size();
  if (out_spatial.size() != rank || pads.size() != rank || p.strides.size() != rank || p.dilations.size() != rank)
    return fail("output size, pads, strides and dilations must have {} entries, got {}, {}, {} and {}", rank, out_spatial.size(),
                pads.size(), p.strides.size(), p.dilations.size());
  for (const Dims* dims : std::initializer_list<const Dims*>{&in_spatial, &out_spatial, &s.grid.kernel}) TENON_OK(checked_elems(*dims));
  if (p.transposed) std::swap(s.grid.large, s.grid.small);
  for (size_t d = 0; d < rank; ++d) {
    if (p.strides[d] < 1 || p.dilations[d] < 1) return fail("strides and dilations must be at least 1");
    TENON_OK(check_extent(pads[d], s.grid.small[d], p.strides[d]));
    TENON_OK(check_extent(0, s.grid.kernel[d], p.dilations[d]));
  }
  return s;
}

/// One channel in, each with its own kernels: rows of the large side, scaled and added.
template <class T>
void depthwise(const Grid& g, const T* x, const T* w, T* y) {
  const size_t last = g.large.size() - 1;
  const int64_t rows = elems_of(std::span(g.small).first(last)), width = g.small[last], stride = g.strides[last];
  for (int64_t tap = 0; tap < g.taps(); ++tap) {
    Dims shift(g.large.size());
    int64_t rest = tap;
    for (size_t d = g.large.size(); d-- > 0; rest /= g.kernel[d]) shift[d] = rest % g.kernel[d] * g.dilations[d] - g.pads[d];
    // Positions [low, high) of the last dim read inside the row.
    const int64_t low = std::min(width, shift[last] < 0 ? (-shift[last] + stride - 1) / stride : 0);
    const int64_t room = g.large[last] - shift[last];
    const int64_t high = std::max(low, std::min(width, room > 0 ? (room + stride - 1) / stride : 0));
    if (low == high) continue;
    for (int64_t row = 0; row < rows; ++row) {
      int64_t base = 0, step = 1, at = row;
      bool inside = true;
      for (size_t d = last; d-- > 0; at /= g.small[d], step *= g.large[d]) {
        const int64_t pos = at % g.small[d] * g.strides[d] + shift[d];
        inside = inside && pos >= 0 && pos < g.large[d];
        base += pos * step;
        if (!inside) break;
      }
      if (!inside) continue;
      add_scaled(high - low, w[tap], x + base * g.large[last] + low * stride + shift[last], stride, y + row * width + low);
    }
  }
}

template <class T>
Result<void> forward(const ConvSizes& s, const T* x, const T* w, T* y) {
  const int64_t c = s.c / s.groups, m = s.m / s.groups, plane = elems_of(s.grid.large), positions = elems_of(s.grid.small);
  const int64_t taps = s.grid.taps();
  if (c == 1 && m <= 4) {
    for (int64_t i = 0; i < s.n; ++i)
      for (int64_t j = 0; j < s.m; ++j) depthwise(s.grid, x + (i * s.c + j / m) * plane, w + j * taps, y + (i * s.m + j) * positions);
    return {};
  }
  TENON_TRY(workspace, Workspace<T>::make(m, positions, c * taps));
  TENON_TRY(offsets, Tensor::allocate(DType::i64, {Blocks::kColumns}));
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t g = 0; g < s.groups; ++g) {
      const Columns<T> columns{s.grid, x + (i * s.c + g * c) * plane, offsets.as<int64_t>().data()};
      const Dense<T> kernel{w + g * m * c * taps, c * taps, 1};
      multiply(m, positions, c * taps, kernel, columns, y + (i * s.m + g * m) * positions, positions, workspace);
    }
  return {};
}

/// col2im: the product w^T x gives each input position's share of the windows that it spreads over.
template <class T>
Result<void> transposed(const ConvSizes& s, const T* x, const T* w, T* y) {
  const int64_t c = s.c / s.groups, m = s.m / s.groups, plane = elems_of(s.grid.large), positions = elems_of(s.grid.small);
  const int64_t taps = s.grid.taps(), rows = m * taps;
  if (rows == 0 || positions == 0) return {};
  constexpr int64_t kShare = int64_t{1} << 20;  // elements of the product held at once
  const int64_t block = std::min(positions, std::max<int64_t>(kTileColumns, kShare / rows));
  TENON_TRY(workspace, Workspace<T>::make(rows, block, c));
  TENON_TRY(shares, Tensor::allocate(kElement<T>, {rows, block}));
  TENON_TRY(offsets, Tensor::allocate(DType::i64, {block}));
  T* share = reinterpret_cast<T*>(shares.data);
  int64_t* at = offsets.as<int64_t>().data();
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t g = 0; g < s.groups; ++g)
      for (int64_t first = 0; first < positions; first += block) {
        const int64_t count = std::min(block, positions - first);
        const Dense<T> kernel{w + g * c * rows, 1, rows};
        const Dense<T> pixels{x + (i * s.c + g * c) * positions + first, positions, 1};
        multiply(rows, count, c, kernel, pixels, share, count, workspace);
        for (int64_t tap = 0; tap < taps; ++tap) {
          s.grid.offsets(tap, first, count, at);
          for (int64_t j = 0; j < m; ++j) {
            T* to = y + (i * s.m + g * m + j) * plane;
            const T* from = share + (j * taps + tap) * count;
            for (int64_t k = 0; k < count; ++k)
              if (at[k] >= 0) to[at[k]] += from[k];
          }
        }
      }
  return {};
}

template <class T>
Result<void> convolve(const engine::ConvProblem& p, const ConvSizes& s, const Tensor& x, const Tensor& w, const Tensor* bias, Tensor& out) {
  const T *from = reinterpret_cast<const T*>(x.data), *kernel = reinterpret_cast<const T*>(w.data);
  T* y = reinterpret_cast<T*>(out.data);
  std::fill(y, y + out.elems(), T(0));
  if (w.elems() > 0) TENON_OK(p.transposed ? transposed(s, from, kernel, y) : forward(s, from, kernel, y));
  if (!bias) return {};
  const T* b = reinterpret_cast<const T*>(bias->data);
  const int64_t plane = elems_of(p.transposed ? s.grid.large : s.grid.small);
  for (int64_t i = 0; i < s.n * s.m; ++i)
    for (int64_t k = 0; k < plane; ++k) y[i * plane + k] += b[i % s.m];
  return {};
}

}  // namespace

Result<void> run(const engine::ConvProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(x, operand(in, 0, "x", 3));
  TENON_TRY(w, operand(in, 1, "w", 3));
  if (p.channels_last && p.transposed) return fail("a transposed convolution has no channels_last");
  const DType type = common_type(x->dtype, w->dtype);
  TENON_TRY(from, rounded(*x, type, p.math));
  TENON_TRY(kernel, rounded(*w, type, p.math));
  if (p.channels_last) {
    TENON_TRY(planes, channels_first(from));
    TENON_TRY(kernels, channels_first(kernel));
    from = planes, kernel = kernels;
  }
  TENON_TRY(s, sizes_of(p, from, kernel, out));
  Tensor bias;
  if (p.has_bias) {
    TENON_TRY(b, operand(in, 2, "bias"));
    if (b->elems() != s.m) return fail("bias must be [{}], got {}", s.m, to_string(b->dims));
    TENON_TRY(wide, convert(*b, type));
    bias = wide;
  }
  const Dims& spatial = p.transposed ? s.grid.large : s.grid.small;
  Dims dims = {s.n, s.m}, out_dims = {s.n};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  out_dims.insert(out_dims.end(), spatial.begin(), spatial.end());
  out_dims.push_back(s.m);
  TENON_TRY(elems, checked_elems(dims));
  TENON_TRY(result, begin_result(type, p.channels_last ? out_dims : dims, p.out, p.epilogue, out));
  Tensor sums = result;
  if (p.channels_last) {
    TENON_TRY(planes, Tensor::allocate(type, dims));
    sums = planes;
  }
  const Tensor* b = p.has_bias ? &bias : nullptr;
  if (elems > 0) {
    if (type == DType::f32) TENON_OK(convolve<float>(p, s, from, kernel, b, sums));
    if (type == DType::f64) TENON_OK(convolve<double>(p, s, from, kernel, b, sums));
    if (type == DType::i64) TENON_OK(convolve<uint64_t>(p, s, from, kernel, b, sums));
  }
  if (p.channels_last) store_channels_last(sums, result);
  const bool place_kept = in.size() > 2 && in[2].kind == HostValue::Kind::absent;  // an absent bias before the epilogue's operands
  return finish(result, p.out, p.epilogue, in.subspan(p.has_bias || place_kept ? 3 : 2), out);
}

}  // namespace tenon::reference
