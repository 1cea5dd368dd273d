// Tactic: one way to compute one kind of problem on one kind of device. Backends list theirs; choose() gives each step of a plan one.
#pragma once
#include <functional>

#include "base/log.h"
#include "engine/device.h"
#include "engine/device_facts.h"
#include "engine/file.h"
#include "tune/code_store.h"
#include "tune/timings.h"

namespace tenon::tune {

/// What a tactic builds for and where its texts go.
struct BuildCtx {
  const engine::DeviceFacts& device;
  CodeStore& code;
  int64_t inputs = 0, outputs = 0;  // operands of the step, absent ones included; 0: those that the problem names
  std::string_view config;          // of the tactic's configurations; empty: the first
  DimValues sizes;                  // that symbols are expected to have, for choices between kernels
};

struct Tactic {
  std::string_view name;
  engine::Verdict (*supports)(const engine::Problem& problem, const engine::DeviceFacts& device);
  Result<engine::Kernel> (*build)(const engine::Problem& problem, const BuildCtx& ctx);
  /// Configurations worth measuring for the sizes, the one that the model of the device finds fastest first; null: there is but one.
  std::vector<std::string> (*configs)(const engine::Problem& problem, const engine::DeviceFacts& device, const DimValues& sizes) = nullptr;
};

/// The build half of a backend: what it can do, and its tactics, best first.
struct Backend {
  std::string_view name;
  engine::Verdict (*caps)(const engine::Problem& problem, const engine::DeviceFacts& device);
  std::span<const Tactic> tactics;
  /// Compiles texts for the device, in order; null where tactics name kernels of this build.
  Result<std::vector<CompiledKernel>> (*compile)(std::span<const KernelText> texts, const engine::DeviceFacts& device,
                                                 const Log& log) = nullptr;
};

/// The backends of this build, by the names that plans use; null if there is none.
const Backend* find_backend(std::string_view name);

/// What a size counts as that only a run knows.
inline constexpr int64_t kGuess = 32;

/// What choose() may learn from.
struct Tuning {
  Timings* timings = nullptr;                 // what is known, and what is measured joins it; null: the model of the device chooses
  const engine::DeviceApi* device = nullptr;  // to measure on, for the steps of devices whose code it runs; null: nothing is measured
  DimValues sizes;                            // that symbols are expected to have; others count as kGuess
  bool stress = false;                        // texts that show a missing wait; the choice is that of a build without
  std::function<Result<void>(double share)> progress;  // called now and then with the share of steps that have theirs (0..1); may end it
};

/// Gives every step of the plan its kernels, and the plan its modules, whose binaries join the blobs. `facts`: of each device of the plan.
/// Errors: a step that no tactic of its device takes, with all refusals; a text that does not compile; a device that fails.
Result<void> choose(engine::Plan& plan, std::span<const engine::DeviceFacts> facts, std::vector<engine::Blob>& blobs, const Log& log,
                    const Tuning& tuning = {});

}  // namespace tenon::tune
