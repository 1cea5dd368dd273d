// Scalar expressions as C++ text: bodies of pointwise kernels, epilogues of all others.
#pragma once
#include "tensor/expr.h"

namespace tenon::cuda {

/// How a type lies in memory and what it is computed in: "f16" and "float"; types of kernels/prelude.cuh. Empty: no kernel takes it.
std::string_view storage_type(DType type);
std::string_view compute_type(DType type);
/// "f16(x)": a computed value as it is stored, rounded; "float(x)": a stored value as it is computed with.
std::string stored(DType type, std::string_view value);
std::string loaded(DType type, std::string_view value);

struct ExprText {
  std::string statements;            // each line indented by two
  std::vector<std::string> results;  // names, of the compute types of the expression's results
};
/// `inputs[i]`: text of input i, of its compute type. Names of temporaries begin with `prefix`. Floats compute in float (double in
/// double), integers in long long wrapped to their type, as evaluate() of tensor/expr.h does; casts round.
ExprText expr_text(const Expr& expr, const std::vector<std::string>& inputs, std::string_view prefix);
/// Whether every type and function in it has a text.
bool has_text(const Expr& expr);

}  // namespace tenon::cuda
