// The functions behind the rows of passes.def.
#pragma once
#include "passes/pass.h"

namespace tenon::passes {

#define TENON_PASS(name) Result<bool> name(ir::Module& module, const PassCtx& ctx);
#include "passes/passes.def"
#undef TENON_PASS

}  // namespace tenon::passes
