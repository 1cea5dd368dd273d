// The plain evaluators: one per kind of problem. The last tactic on the CPU, the oracle of kernel tests, constant folding, and the
// op-by-op path where a rank is not known ahead.
#pragma once
#include "engine/problem.h"
#include "tensor/op.h"

namespace tenon::reference {

/// Computes `problem`. Inputs as the kind lists them, then the epilogue's operands. Outputs with data are filled (their dims may group
/// the elements differently), others are allocated. Any combination of problem and tensors is answered, wrong ones with an error.
/// What the tensors do not show (pads, offsets, strides) must be numbers: see engine::bind.
Result<void> run(const engine::Problem& problem, std::span<const HostValue> in, std::span<HostValue> out);

/// One operator on values that exist: its own evaluator, or infer → problem → run. Not for operators with regions.
Result<void> run_op(const Op& op, std::span<const HostValue> in, std::span<HostValue> out);

// One per kind: <kind>.cpp.
Result<void> run(const engine::GemmProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::ConvProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::PointwiseProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::ReduceProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::NormProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::PoolProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::CopyProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::TransferProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::AttentionProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::SeriesProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::IndexProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::ResizeProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::RecurrentProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::ScatterProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::TopKProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::CumulativeProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::GridSampleProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::SqueezeExciteProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);
Result<void> run(const engine::ReferenceProblem& problem, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::reference
