// The blocked matrix product under gemm and convolution. The right operand arrives through a packer, so that a convolution never
// stores its columns.
#pragma once
#include <algorithm>

#include "reference/kernels.h"
#include "tensor/tensor.h"

namespace tenon::reference {

template <class T>
constexpr DType kElement = sizeof(T) == 4              ? DType::f32
                           : std::is_same_v<T, double> ? DType::f64
                                                       : DType::i64;

/// A dense matrix with any strides.
template <class T>
struct Dense {
  const T* data = nullptr;
  int64_t row = 0, column = 0;

  /// Rows [k0, k0 + k) and columns [n0, n0 + n) as panels of kTileColumns columns, the last filled up with zeros.
  void pack(int64_t k0, int64_t k, int64_t n0, int64_t n, T* panels) const {
    for (int64_t j = 0; j < n; j += kTileColumns) {
      const int64_t width = std::min<int64_t>(kTileColumns, n - j);
      for (int64_t p = 0; p < k; ++p, panels += kTileColumns) {
        const T* from = data + (k0 + p) * row + (n0 + j) * column;
        for (int64_t x = 0; x < width; ++x) panels[x] = from[x * column];
        for (int64_t x = width; x < kTileColumns; ++x) panels[x] = T(0);
      }
    }
  }
};

/// Blocks that keep a panel of b in the first-level cache and the packed blocks in the second.
struct Blocks {
  static constexpr int64_t kRows = 16 * kTileRows, kColumns = 32 * kTileColumns, kDepth = 256;
};

/// Buffers for one product at a time.
template <class T>
struct Workspace {
  Tensor a, b;
  static Result<Workspace> make(int64_t m, int64_t n, int64_t k) {
    const auto up = [](int64_t x, int64_t to) { return (x + to - 1) / to * to; };
    const int64_t depth = std::min(k, Blocks::kDepth);
    TENON_TRY(a, Tensor::allocate(kElement<T>, {up(std::min(m, Blocks::kRows), kTileRows), depth}));
    TENON_TRY(b, Tensor::allocate(kElement<T>, {up(std::min(n, Blocks::kColumns), kTileColumns), depth}));
    return Workspace{a, b};
  }
};

/// c[m, n] = a[m, k] · b[k, n]. The order of sums depends on k alone.
template <class T, class B>
void multiply(int64_t m, int64_t n, int64_t k, const Dense<T>& a, B& b, T* c, int64_t c_row, const Workspace<T>& workspace) {
  T* a_panels = reinterpret_cast<T*>(workspace.a.data);
  T* b_panels = reinterpret_cast<T*>(workspace.b.data);
  for (int64_t i = 0; i < m; ++i) std::fill(c + i * c_row, c + i * c_row + n, T(0));
  for (int64_t n0 = 0; n0 < n; n0 += Blocks::kColumns) {
    const int64_t columns = std::min(Blocks::kColumns, n - n0);
    for (int64_t k0 = 0; k0 < k; k0 += Blocks::kDepth) {
      const int64_t depth = std::min(Blocks::kDepth, k - k0);
      b.pack(k0, depth, n0, columns, b_panels);
      for (int64_t m0 = 0; m0 < m; m0 += Blocks::kRows) {
        const int64_t rows = std::min(Blocks::kRows, m - m0);
        T* to = a_panels;
        for (int64_t i = 0; i < rows; i += kTileRows) {
          const int64_t height = std::min<int64_t>(kTileRows, rows - i);
          for (int64_t p = 0; p < depth; ++p, to += kTileRows) {
            const T* from = a.data + (m0 + i) * a.row + (k0 + p) * a.column;
            for (int64_t y = 0; y < height; ++y) to[y] = from[y * a.row];
            for (int64_t y = height; y < kTileRows; ++y) to[y] = T(0);
          }
        }
        multiply_panels(a_panels, b_panels, rows, columns, depth, c + m0 * c_row + n0, c_row);
      }
    }
  }
}

}  // namespace tenon::reference
