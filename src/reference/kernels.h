// The inner loops of the evaluators that have to be quick, compiled for several levels of x86-64. Plain loops: the compiler makes the
// vector code.
#pragma once
#include <cstdint>

namespace tenon::reference {

constexpr int kTileRows = 6, kTileColumns = 16;

/// c[m, n] += a · b for packed operands: a in panels of kTileRows rows [k][kTileRows], b in panels of kTileColumns columns
/// [k][kTileColumns], both filled up with zeros. Sums run along k in order.
void multiply_panels(const float* a, const float* b, int64_t m, int64_t n, int64_t k, float* c, int64_t c_row);
void multiply_panels(const double* a, const double* b, int64_t m, int64_t n, int64_t k, double* c, int64_t c_row);
void multiply_panels(const uint64_t* a, const uint64_t* b, int64_t m, int64_t n, int64_t k, uint64_t* c, int64_t c_row);

/// y[i] += factor * x[i * step].
void add_scaled(int64_t n, float factor, const float* x, int64_t step, float* y);
void add_scaled(int64_t n, double factor, const double* x, int64_t step, double* y);
void add_scaled(int64_t n, uint64_t factor, const uint64_t* x, int64_t step, uint64_t* y);

}  // namespace tenon::reference
