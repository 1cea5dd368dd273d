#include "ops/ops.h"

#include "ops/row.h"

namespace tenon::ops {

// Each operator's .cpp instantiates its row ("template OpRow make_row<X>();"): here alone they would be a minute of compile time.
#define TENON_OP(Name) extern template OpRow make_row<Name>();
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
