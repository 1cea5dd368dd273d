// Permutations of dims, as Transpose has them: dim i of the result is dim perm[i] of the operand.
#pragma once
#include <optional>

#include "tensor/shape.h"

namespace tenon::passes {

bool is_identity(const Dims& perm);
/// Of the result's axis (may be negative): the operand's.
int64_t from_of(const Dims& perm, int64_t axis);
/// {7, 2, 5} → {2, 0, 1}: which place each has among the sorted ones.
Dims ranks_of(const Dims& values);
/// Whether transposing a value of this shape changes the order of its elements; yes, if that hangs on symbols.
bool moves_elements(const Shape& operand, const Dims& perm);

/// A view of a transposed value, in the other order: operand → Transpose(before) → Reshape(shape) → Transpose(after).
struct ViewBefore {
  Dims before, after;
  std::vector<Dim> shape;
};
/// transposed: the shape behind Transpose(perm); view: the dims of its view. Nothing where the view does more than join or split dims.
std::optional<ViewBefore> view_before(const Dims& perm, const Shape& transposed, const std::vector<Dim>& view);

}  // namespace tenon::passes
