// One Pointwise node that applies one function, the form in which exporters spell what recognisers look for.
#pragma once
#include <optional>

#include "ir/rewriter.h"

namespace tenon::passes {

/// A value, or a number that stands in the expression.
struct Operand {
  ir::ValueId value = ir::ValueId::none;
  std::optional<double> number;
};
struct OneFunction {
  Fn fn = Fn::input;
  Operand args[3];
  bool is(Fn a, Fn b) const { return fn == a || fn == b; }
};

/// How a value is made, if by one function of float results, or is_nan.
std::optional<OneFunction> one_function(ir::Rewriter& rw, ir::ValueId id);
std::optional<OneFunction> one_function(const ir::Node& node);

}  // namespace tenon::passes
