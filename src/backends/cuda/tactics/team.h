// Team: how the threads of a block share the slices that they reduce. Either the lanes of a slice are neighbours (slices that lie
// contiguous), or slices are (slices side by side, which neighbours then read together).
#pragma once
#include <algorithm>

#include "base/text.h"
#include "tensor/dim.h"

namespace tenon::cuda {

struct Team {
  int64_t lanes = 32;    // threads of a slice; neighbours: a power of two up to 32, or a multiple of 32 and one slice
  int64_t slices = 4;    // of a block
  bool columns = false;  // slices are neighbours

  int64_t threads() const { return lanes * slices; }
  std::string slice_text() const { return columns ? strf("threadIdx.x % {}", slices) : strf("threadIdx.x / {}", lanes); }
  std::string lane_text() const { return columns ? strf("threadIdx.x / {}", slices) : strf("threadIdx.x % {}", lanes); }
  /// Shared elements that fold() wants, 0 where none.
  int64_t shared() const { return columns ? (lanes > 1 ? threads() : 0) : lanes > 32 ? lanes / 32 : 0; }
  /// The fold of `value` over the slice's lanes by `functor` of kernels/fold.cuh. part: the name of the shared memory.
  std::string fold(std::string_view value, std::string_view functor, std::string_view part) const {
    if (lanes == 1) return std::string(value);
    if (columns) return strf("fold::columns<{}, {}>({}, {}{{}}, {})", slices, lanes, value, functor, part);
    if (lanes > 32) return strf("fold::block<{}>({}, {}{{}}, {})", lanes, value, functor, part);
    return strf("fold::lanes<{}>({}, {}{{}})", lanes, value, functor);
  }
};

inline int64_t next_power(int64_t n) {
  int64_t out = 1;
  while (out < n) out *= 2;
  return out;
}

/// For `count` slices of `size` elements that lie contiguous and are read `width` at a time.
Team team_of_rows(const Dim& count, const Dim& size, int64_t width, int64_t units);
/// For slices side by side.
Team team_of_columns(const Dim& count, const Dim& size, int64_t units);

}  // namespace tenon::cuda
