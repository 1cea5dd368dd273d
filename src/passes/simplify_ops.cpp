// simplify_ops: the rules of rules.def, which stand in ops/<name>.rules.cpp, until none of them fires.
#include "ops/rules.h"
#include "passes/passes.h"

namespace tenon::passes {
namespace {

constexpr ir::RuleRow kSimplifyOpsRules[] = {
#define TENON_RULE(op, rule) {#rule, #op, ops::rule},
#include "ops/rules.def"
#undef TENON_RULE
};

}  // namespace

Result<bool> simplify_ops(ir::Module& module, const PassCtx& ctx) { return ir::apply_rules(module, kSimplifyOpsRules, ctx.log); }

}  // namespace tenon::passes
