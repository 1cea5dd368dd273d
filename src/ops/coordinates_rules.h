// Sizes and coordinates as values, for rules that write an operator as arithmetic on where its elements lie.
#pragma once
#include "ops/rules.h"

namespace tenon::ops {

/// The size of dim `axis` of x, whose rank is known, as an i64 of one element.
ValueId size_along(Rewriter& rw, ValueId x, int64_t axis);
/// 0, 1, 2, … below that size, of type i64 and shape [size, 1, …] with `behind` dims of 1.
ValueId numbers_along(Rewriter& rw, ValueId x, int64_t axis, int64_t behind);
/// The same below any size; `limit` holds one that is no number.
ValueId numbers_below(Rewriter& rw, const Dim& size, ValueId limit, int64_t behind);

}  // namespace tenon::ops
