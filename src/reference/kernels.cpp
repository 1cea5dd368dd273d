#include "reference/kernels.h"

#include <algorithm>

// One body, several instruction sets, picked by the loader. Sums may use fused multiply-add where the set has it: results are the same
// from run to run on one machine, not across them. Sanitizers run before the loader is ready for that, and clang 14 lacks it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TENON_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3", "fp-contract=fast")))
#else
#define TENON_CLONES
#endif

namespace tenon::reference {
namespace {

// Eight floats at any address; wider than a register it is two of them.
using Vec __attribute__((vector_size(32), aligned(4), may_alias)) = float;
constexpr int kVecs = kTileColumns / 8;

/// acc += one panel of a times one of b. Twelve accumulators: they, a row of b and one element of a fill 16 registers.
inline __attribute__((always_inline)) void tile(const float* a, const float* b, int64_t k, float* out) {
  Vec acc[kTileRows][kVecs] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vec row[kVecs];
    for (int v = 0; v < kVecs; ++v) row[v] = *reinterpret_cast<const Vec*>(b + p * kTileColumns + v * 8);
    for (int i = 0; i < kTileRows; ++i) {
      const float x = a[p * kTileRows + i];
      for (int v = 0; v < kVecs; ++v) acc[i][v] += x * row[v];
    }
  }
  for (int i = 0; i < kTileRows; ++i)
    for (int v = 0; v < kVecs; ++v) *reinterpret_cast<Vec*>(out + i * kTileColumns + v * 8) = acc[i][v];
}

template <class T>
inline __attribute__((always_inline)) void tile(const T* a, const T* b, int64_t k, T* out) {
  T acc[kTileRows * kTileColumns] = {};
  for (int64_t p = 0; p < k; ++p)
    for (int i = 0; i < kTileRows; ++i)
      for (int j = 0; j < kTileColumns; ++j) acc[i * kTileColumns + j] += a[p * kTileRows + i] * b[p * kTileColumns + j];
  for (int i = 0; i < kTileRows * kTileColumns; ++i) out[i] = acc[i];
}

template <class T>
inline __attribute__((always_inline)) void all_tiles(const T* a, const T* b, int64_t m, int64_t n, int64_t k, T* c, int64_t c_row) {
  T sums[kTileRows * kTileColumns];
  for (int64_t j = 0; j < n; j += kTileColumns) {
    for (int64_t i = 0; i < m; i += kTileRows) {
      tile(a + i * k, b + j * k, k, sums);
      const int64_t rows = std::min<int64_t>(kTileRows, m - i), columns = std::min<int64_t>(kTileColumns, n - j);
      for (int64_t y = 0; y < rows; ++y) {
        T* to = c + (i + y) * c_row + j;
        for (int64_t x = 0; x < columns; ++x) to[x] += sums[y * kTileColumns + x];
      }
    }
  }
}

template <class T>
inline __attribute__((always_inline)) void add_row(int64_t n, T factor, const T* __restrict x, int64_t step, T* __restrict y) {
  if (step == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i * step];
  }
}

}  // namespace

TENON_CLONES void multiply_panels(const float* a, const float* b, int64_t m, int64_t n, int64_t k, float* c, int64_t c_row) {
  all_tiles(a, b, m, n, k, c, c_row);
}
void multiply_panels(const double* a, const double* b, int64_t m, int64_t n, int64_t k, double* c, int64_t c_row) {
  all_tiles(a, b, m, n, k, c, c_row);
}
void multiply_panels(const uint64_t* a, const uint64_t* b, int64_t m, int64_t n, int64_t k, uint64_t* c, int64_t c_row) {
  all_tiles(a, b, m, n, k, c, c_row);
}

TENON_CLONES void add_scaled(int64_t n, float factor, const float* x, int64_t step, float* y) { add_row(n, factor, x, step, y); }
void add_scaled(int64_t n, double factor, const double* x, int64_t step, double* y) { add_row(n, factor, x, step, y); }
void add_scaled(int64_t n, uint64_t factor, const uint64_t* x, int64_t step, uint64_t* y) { add_row(n, factor, x, step, y); }

}  // namespace tenon::reference
