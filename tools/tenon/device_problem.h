// One problem on this machine's GPU: the kernel that a build would choose, its time and its results.
#pragma once
#include "problem_io.h"
#include "source.h"

namespace tenon::cli {

struct DeviceRun {
  std::string card, tactic, config;
  double us = 0;        // a launch, in a chain of them within a graph
  double bound_us = 0;  // what its bytes through memory once, or its arithmetic, need at the measured peaks of the device
};

/// Runs it on `in`; `out` are poisoned before and hold the results afterwards. `source`: the timings to choose by, and whether to add to
/// them. Errors: no GPU; no kernel for it, with all refusals.
Result<DeviceRun> run_on_device(const engine::Problem& problem, std::span<const HostValue> in, std::span<HostValue> out,
                                const Source& source);

/// The largest difference from the reference as a share of the largest value, of the worst output. Errors: a difference beyond what the
/// types of the outputs explain.
Result<double> error_on_device(const engine::Problem& problem, std::span<const HostValue> in, std::span<const HostValue> out);

}  // namespace tenon::cli
