#include "ops/ops.h"

#include "ops/row.h"

namespace tenon::ops {

// A row without its chapters does not compile: the message names the operator.
#define TENON_OP(Name) \
  static_assert(       \
      requires(const Name& op, std::span<const Fact> in, InferCtx& ctx) { infer(op, in, ctx); }, #Name " lacks infer");
#include "ops/ops.def"
#undef TENON_OP

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> rows = {
#define TENON_OP(Name) make_row<Name>(),
#include "ops/ops.def"
#undef TENON_OP
  };
  return rows;
}

const OpRow* find_op(std::string_view name) {
  for (const OpRow& row : op_table())
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace tenon::ops
