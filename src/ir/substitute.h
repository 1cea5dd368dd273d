// Replacing symbols in a whole module: in the facts of values and in the attributes of operators.
#pragma once
#include "ir/graph.h"

namespace tenon::ir {

using Substitution = std::map<std::string, Dim, std::less<>>;

/// Notes that `symbol` equals `dim`; keeps the map free of chains: no replacement names a replaced symbol. What would be circular is left
/// out.
void add_equality(Substitution& with, const std::string& symbol, const Dim& dim);
void substitute_symbols(Module& module, const Substitution& with);

}  // namespace tenon::ir
