// Candidates: the kernels that may serve a step, and what they take.
#pragma once
#include <map>

#include "tune/tactic.h"
#include "tune/timer.h"

namespace tenon::tune {

struct Candidate {
  const Tactic* tactic = nullptr;
  std::string config;
  engine::Kernel kernel;     // of `code`
  CodeStore code;            // its texts
  std::string key;           // of the kernel in the timings
  std::optional<double> us;  // measured
  std::string problem;       // as text
  // What a measurement needs; the same for all candidates of a step.
  std::vector<TimedOperand> operands;
  DimValues values;
  std::string refusals;  // of the tactics that were asked before
};

/// Sizes of the step's operands and which of them are weights: what, beside the problem, a kernel's time follows from. `sizes`: of
/// symbols, as Tuning has them.
std::string operands_text(const engine::Body& body, const engine::Step& step, const DimValues& sizes);
/// What the tactics offer, in order of preference. One, unless the tuning can choose between more. Errors: none, with all refusals.
Result<std::vector<Candidate>> candidates_for(const engine::Body& body, const engine::Step& step, const Backend& backend,
                                              const engine::DeviceFacts& facts, const Tuning& tuning);
/// Gives the candidates the times that are known. Returns the texts of the others if there is a device to measure them on.
std::vector<KernelText> recall(std::vector<Candidate>& candidates, const engine::DeviceFacts& facts, const Tuning& tuning);
using CompiledKernels = std::map<std::string, CompiledKernel>;  // by entry
/// Measures those that have no time and whose texts are compiled.
Result<void> measure(std::vector<Candidate>& candidates, const CompiledKernels& compiled, const engine::DeviceFacts& facts,
                     const Tuning& tuning, const Log& log);
/// The fastest of those with a time; without times the first.
const Candidate& best_of(const std::vector<Candidate>& candidates);

}  // namespace tenon::tune
