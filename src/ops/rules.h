// The rules of rules.def. A rule looks at one node through the rewriter and gives replacements for its outputs, or nothing.
#pragma once
#include "ir/rewriter.h"

namespace tenon::ops {

using ir::Node;
using ir::Rewriter;
using ir::ValueId;
using ir::Values;

#define TENON_RULE(op, rule) std::optional<Values> rule(Rewriter& rw, const Node& node);
#include "ops/rules.def"
#undef TENON_RULE

}  // namespace tenon::ops
