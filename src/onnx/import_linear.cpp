// Matrix products.
#include "onnx/node_import.h"
#include "ops/mat_mul.h"

namespace tenon::onnx {

Result<Values> import_matmul(NodeImport& n) { return Values{n.emit(ops::MatMul{}, {n.required(0, "A"), n.required(1, "B")})}; }

/// Y = alpha · A' · B' + beta · C. Factors of 1 and an absent C leave nothing behind.
Result<Values> import_gemm(NodeImport& n) {
  const double alpha = n.float_attr("alpha", 1), beta = n.float_attr("beta", 1);
  const ops::MatMul product{.trans_a = n.int_attr("transA", 0) != 0, .trans_b = n.int_attr("transB", 0) != 0};
  const ValueId y = n.emit(product, {n.required(0, "A"), n.required(1, "B")});
  if (n.has_input(2) && beta != 0)
    return Values{n.pointwise({y, n.input(2)}, [&](const std::vector<Term>& t) {
      const Term scaled = alpha == 1 ? t[0] : t[0] * alpha;
      return scaled + (beta == 1 ? t[1] : t[1] * beta);
    })};
  if (alpha == 1) return Values{y};
  return Values{n.pointwise({y}, [&](const std::vector<Term>& t) { return t[0] * alpha; })};
}

}  // namespace tenon::onnx
