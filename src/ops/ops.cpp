#include "ops/ops.h"

#include "ops/row.h"

namespace tenon::ops {

// Each operator's .cpp instantiates its row ("template OpRow make_row<X>();"): here alone they would be a minute of compile time.
#define TENON_OP(Name) extern template OpRow make_row<Name>();
#include "ops/ops.def"
#undef TENON_OP

Result<void> check_count(const OpTraits& traits, size_t inputs) {
  if (inputs < traits.operands) return fail("{} inputs, wanted at least {}", inputs, traits.operands);
  return {};
}

Result<void> check_values(const OpTraits& traits, std::span<const HostValue> in, std::span<const HostValue> out) {
  TENON_OK(check_count(traits, in.size()));
  if (out.empty()) return fail("no output is wanted");
  for (size_t i = 0; i < in.size(); ++i) {
    const HostValue& value = in[i];
    if (value.kind == HostValue::Kind::absent && i < traits.operands) return fail("input {} is missing", i);
    if (value.kind == HostValue::Kind::tensor ? !value.tensor.defined() : !traits.containers && value.kind != HostValue::Kind::absent)
      return fail("input {} is no tensor", i);
  }
  return {};
}

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
