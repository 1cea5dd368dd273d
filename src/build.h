// Model → engine bytes. The table of contents of the build side is build.cpp.
#pragma once
#include <algorithm>
#include <functional>

#include "base/log.h"
#include "ir/graph.h"
#include "lower/lower.h"
#include "onnx/import.h"

namespace tenon {

struct BuildOptions {
  /// Plans to make, best first; the portable plan is always added. "cpu"; an architecture, "sm_90"; "cuda" or "cuda:1", that of this
  /// machine's GPU; for tests "mock" (steps split over the host and a second device) and "mock_whole" (all on the second that it takes).
  std::vector<std::string> targets = {"cpu"};
  /// Dims of inputs, in place of what the model says.
  std::map<std::string, Dims, std::less<>> input_dims;
  /// Dims of inputs that kernels are chosen and measured for, where the model leaves sizes open. Others run all the same.
  std::map<std::string, Dims, std::less<>> opt_dims;
  /// What FP32 values inside the graph become: "fp16", "bf16", or as they are in "fp32"; "tf32": products and convolutions of them may
  /// round their operands to 10 bits of mantissa; "strict-fp32": nor may their kernels use transforms. The portable plan stays as the model
  /// is.
  std::string precision = "fp32";
  /// A step that a GPU's plan leaves to the host is an error, which names all of them; else a warning counts them.
  bool strict = false;
  /// Whether kernels are measured on this machine's GPU where a target is for it; what is measured joins the timings.
  bool tune = true;
  /// File of timings that kernels are chosen by, made if there is none. Empty: with a GPU to measure on, one in the user's cache folder,
  /// else none, and a model of the device chooses.
  std::string timing_cache;
  /// GPU kernels begin as early as they may and sleep at random after their waits (docs/gpu.md): the same bits, many times slower.
  bool stress = false;
  std::vector<std::string> disabled_passes;
  std::string stop_after;  // the pass after which the pipeline ends
  Log log;
  /// Stage, and the share of the whole that is done (0..1). Returning false cancels the build.
  std::function<bool(std::string_view stage, double share)> progress;
};

/// A target's own name: of the devices "cuda" and "cuda:1" the architecture of that GPU, or "compute_80" where no kernels are made for it.
/// Errors: no such GPU in this machine, or one too old for both.
Result<std::string> named_target(std::string_view name);

Result<Bytes> build_engine(ir::Module module, const BuildOptions& options);
Result<Bytes> build_engine(const onnx::Model& model, const BuildOptions& options);
/// `path`: an ONNX file. External data is looked for beside it.
Result<Bytes> build_engine_from_file(const std::string& path, const BuildOptions& options);

}  // namespace tenon
