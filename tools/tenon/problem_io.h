// The operands of a problem with numbers for dims: what a benchmark of one kernel allocates.
#pragma once
#include <vector>

#include "engine/problem.h"

namespace tenon::cli {

struct ProblemOperands {
  std::vector<Fact> in, out;
};
/// Errors: dims that are no numbers; kinds whose operands do not follow from the problem (reference, transfer).
Result<ProblemOperands> operands_of(const engine::Problem& problem);

/// "gemm{m=128 n=768 k=768}" or "gemm m=128 n=768 k=768".
Result<engine::Problem> parse_problem(std::string_view text);
/// Whether a command-line word is the text of a problem and not a file's name.
bool looks_like_problem(std::string_view text);

/// Makes random inputs such as a model gives, in place: indices all over their dim and none outside, recurrent weights that keep states
/// small, lengths of sequences.
void settle_random(const engine::Problem& problem, std::span<HostValue> in, uint64_t seed);
/// Multiply-adds count two; 0 where the kind is no product.
double flops_of(const engine::Problem& problem);

}  // namespace tenon::cli
