// convert_elems: the one loop under convert, widen, store and the lanes of expressions.
#pragma once
#include <cmath>

#include "tensor/tensor.h"

namespace tenon {

/// Elements [from_first, +count) of `from_type` memory into [to_first, +count) of `to_type` memory; rules of convert(). Both types are
/// real (not none, str or complex). Ranges do not overlap.
void convert_elems(DType from_type, const std::byte* from, int64_t from_first, DType to_type, std::byte* to, int64_t to_first,
                   int64_t count, Narrow narrow = Narrow::wrap);

/// The integer part, at most 2^60 either way; of NaN the least.
inline int64_t whole_number(double x) { return static_cast<int64_t>(std::fmin(std::fmax(x, -0x1p60), 0x1p60)); }

/// Real numbers: what convert_elems takes.
inline bool is_real(DType type) { return type != DType::none && type != DType::str && !is_complex(type); }

}  // namespace tenon
