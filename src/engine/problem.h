// Problem: what kernels compute, as plain data, of one kind. Dims may be symbolic; bind() puts numbers in. In every kind that has an
// epilogue, its operands trail in the step's inputs, and input 0 of its expression is the anchor's result.
#pragma once
#include <optional>
#include <span>
#include <variant>

#include "engine/compute_problems.h"
#include "engine/move_problems.h"

namespace tenon::engine {

using ProblemKind = std::variant<ReferenceProblem, GemmProblem, ConvProblem, PointwiseProblem, ReduceProblem, NormProblem, PoolProblem,
                                 CopyProblem, TransferProblem, AttentionProblem, SeriesProblem, IndexProblem, ResizeProblem,
                                 RecurrentProblem, ScatterProblem, TopKProblem, CumulativeProblem, GridSampleProblem, SqueezeExciteProblem>;
struct Problem {
  ProblemKind kind;
  Problem();
  Problem(ReferenceProblem p);
  Problem(GemmProblem p);
  Problem(ConvProblem p);
  Problem(PointwiseProblem p);
  Problem(ReduceProblem p);
  Problem(NormProblem p);
  Problem(PoolProblem p);
  Problem(CopyProblem p);
  Problem(TransferProblem p);
  Problem(AttentionProblem p);
  Problem(SeriesProblem p);
  Problem(IndexProblem p);
  Problem(ResizeProblem p);
  Problem(RecurrentProblem p);
  Problem(ScatterProblem p);
  Problem(TopKProblem p);
  Problem(CumulativeProblem p);
  Problem(GridSampleProblem p);
  Problem(SqueezeExciteProblem p);
  Problem(const Problem&);  // out of line: a variant's members cost every including file a second of compile time
  Problem(Problem&&) noexcept;
  Problem& operator=(const Problem&);
  Problem& operator=(Problem&&) noexcept;
  ~Problem();
  static constexpr std::string_view kName = "Problem";
  static constexpr auto kFields = Fields{Field{1, "kind", &Problem::kind}};
  template <class T>
  const T* as() const {
    return std::get_if<T>(&kind);
  }
};

/// "gemm{m=128 n=768 k=768}": what logs print and benchmarks accept.
std::string to_string(const Problem& problem);
/// All symbols of all dims, in order.
void collect_symbols(const Problem& problem, std::vector<std::string>& names);
/// The problem with numbers in place of dims.
Result<Problem> bind(const Problem& problem, const DimValues& values);
/// Whether a kernel of the problem looks at input `i` of a step that has `inputs`. Sizes, axes and positions that the problem holds as
/// numbers stay inputs of the step and are not read.
bool reads(const Problem& problem, size_t i, size_t inputs);
/// What must hold of the numbers of a bound problem before a kernel runs, which would read behind the end of an operand otherwise:
/// operands broadcast to the result's dims, sizes agree. `out`: the dims of output 0.
Result<void> check_sizes(const Problem& bound, const Dims& out);
/// The epilogue of a kind that has one, else null.
Epilogue* epilogue_of(Problem& problem);
const Epilogue* epilogue_of(const Problem& problem);
/// Weights that kernels of the kind may fetch before their predecessors have ended, if they are constants of the graph: the inputs
/// [first, last), none where equal, and whether the problem says that they are.
struct Weights {
  size_t first = 0, last = 0;
  bool are_static = false;
  bool has(size_t input) const { return are_static && input >= first && input < last; }
};
Weights weights_of(const Problem& problem);
void mark_static(Problem& problem, bool are_static);
/// Of products and convolutions; null for other kinds.
Math* math_of(Problem& problem);
const Math* math_of(const Problem& problem);

}  // namespace tenon::engine
