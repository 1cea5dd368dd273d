// What rules and passes do with the expressions of Pointwise nodes and of epilogues.
#pragma once
#include "ir/rewriter.h"

namespace tenon::ops {

/// Constants folded, neutral elements and casts to the same type gone, equal nodes merged, unused ones dropped. Inputs keep their numbers.
Expr simplified(const Expr& expr);
/// The nodes that compute anything: neither inputs nor constants.
int work_of(const Expr& expr);
/// Input i becomes input inputs[i].
Expr renumbered(Expr expr, const std::vector<int>& inputs);
/// The values broadcast together give exactly this shape.
bool broadcasts_to(const ir::Rewriter& rw, const ir::Values& in, const Shape& shape);
/// Merges repeated inputs and drops unused ones that the result's shape does not need; simplifies.
void drop_inputs(const ir::Rewriter& rw, Expr& expr, ir::Values& in, const Shape& shape);
/// Turns frozen scalars among inputs `first`… into numbers, where the others alone give the result's shape. Whether there was one.
bool absorb_constants(const ir::Rewriter& rw, Expr& expr, ir::Values& in, const Shape& shape, size_t first);

}  // namespace tenon::ops
