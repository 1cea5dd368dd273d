// Where the taps of a kernel fall: offsets between a large side (the input of a convolution, the output of a transposed one) and a
// small side (the other), and the im2col packer built on them.
#pragma once
#include "reference/multiply.h"

namespace tenon::reference {

/// Position p of the small side and tap t meet at p_d * stride_d + t_d * dilation_d - pad_d of the large side, if that is inside.
struct Grid {
  Dims large, small, kernel, strides, dilations, pads;

  int64_t taps() const { return elems_of(kernel); }
  /// The flat offset on the large side for positions [first, first + count), or -1 for padding.
  void offsets(int64_t tap, int64_t first, int64_t count, int64_t* out) const {
    const size_t rank = large.size();
    Dims at(rank), shift(rank);
    for (size_t d = rank, rest = static_cast<size_t>(tap); d-- > 0; rest /= static_cast<size_t>(kernel[d]))
      shift[d] = static_cast<int64_t>(rest) % kernel[d] * dilations[d] - pads[d];
    for (size_t d = rank, rest = static_cast<size_t>(first); d-- > 0; rest /= static_cast<size_t>(small[d]))
      at[d] = static_cast<int64_t>(rest) % small[d];
    const size_t last = rank - 1;
    for (int64_t done = 0; done < count;) {
      int64_t base = 0;
      bool inside = true;
      for (size_t d = 0; d < last; ++d) {
        const int64_t x = at[d] * strides[d] + shift[d];
        inside = inside && x >= 0 && x < large[d];
        base = base * large[d] + (inside ? x : 0);
      }
      base *= large[last];
      const int64_t run = std::min(count - done, small[last] - at[last]);
      for (int64_t i = 0; i < run; ++i) {
        const int64_t x = (at[last] + i) * strides[last] + shift[last];
        out[done + i] = inside && x >= 0 && x < large[last] ? base + x : -1;
      }
      done += run;
      at[last] = 0;
      for (size_t d = last; d-- > 0;) {
        if (++at[d] < small[d]) break;
        at[d] = 0;
      }
    }
  }
};

/// The matrix [channels * taps, small positions] of a convolution, never stored: rows are packed from the large side as asked for.
template <class T>
struct Columns {
  const Grid& grid;
  const T* data = nullptr;     // [channels, large]
  int64_t* offsets = nullptr;  // room for Blocks::kColumns

  void pack(int64_t k0, int64_t k, int64_t n0, int64_t n, T* panels) const {
    const int64_t taps = grid.taps(), plane = elems_of(grid.large);
    const int64_t groups = (n + kTileColumns - 1) / kTileColumns;
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t first = (k0 - tap + taps - 1) / taps;  // the first channel whose row for this tap is not before k0
      if (first * taps + tap >= k0 + k) continue;
      grid.offsets(tap, n0, n, offsets);
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t* at = offsets + g * kTileColumns;
        const int64_t width = std::min<int64_t>(kTileColumns, n - g * kTileColumns);
        bool dense = width == kTileColumns && at[0] >= 0;
        for (int64_t x = 1; dense && x < width; ++x) dense = at[x] == at[0] + x;
        for (int64_t c = first; c * taps + tap < k0 + k; ++c) {
          const T* from = data + c * plane;
          T* to = panels + (g * k + c * taps + tap - k0) * kTileColumns;
          if (dense) {
            std::copy(from + at[0], from + at[0] + kTileColumns, to);
            continue;
          }
          for (int64_t x = 0; x < width; ++x) to[x] = at[x] >= 0 ? from[at[x]] : T(0);
          for (int64_t x = width; x < kTileColumns; ++x) to[x] = T(0);
        }
      }
    }
  }
};

}  // namespace tenon::reference
