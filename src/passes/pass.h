// Passes: what one is, what it is told, and how a list of them is run.
#pragma once
#include <functional>

#include "base/log.h"
#include "ir/graph.h"

namespace tenon::passes {

struct PassCtx {
  const Log& log;
  std::vector<std::string> disabled;  // beside the knob disable_pass
  std::string stop_after;             // the pass after which the pipeline ends; else the knob of that name
  /// Before each pass: its name and the share of the list that is done. An error ends the pipeline.
  std::function<Result<void>(std::string_view stage, double share)> progress;
  // Of the target, for target passes.
  std::string target;                // its name, for messages
  bool channels_last = false;        // its kernels for images want the channels last
  bool layer_norm = false;           // it has kernels for whole norms,
  bool attention = false;            // for whole attention,
  bool squeeze_excite = false;       // for gates of channels,
  bool recurrence = false;           // for the steps of recurrent layers,
  bool wide_products = false;        // prefers one wide matrix product to several narrow ones,
  bool normalised_products = false;  // and normalises rows inside a product of 16-bit floats
  Math math;                         // of products whose operands stay in FP32
  DType float_type = DType::f32;     // what FP32 values become: f16, bf16
  int64_t device_count = 1;          // device 0 is the host
  /// Whether a node is to run on the last device; none: everything runs on the host.
  std::function<bool(const ir::Node&, const ir::Graph&)> wants_device;
};

struct Pass {
  std::string_view name;
  Result<bool> (*run)(ir::Module& module, const PassCtx& ctx) = nullptr;  // whether something changed
  bool target_pass = false;                                               // knows the target: never part of what the file keeps
  bool repeat = false;  // neighbours with this flag run in turn until none of them changes anything
};

/// Runs, times and verifies the passes (knobs: verify, dump, disable_pass, stop_after; log level 2: a line per pass, 6: the graphs). On
/// an error the module is as it was before the pass that failed. A pass that leaves a graph which verify() refuses is such an error:
/// its message names a file that holds the graph before and the pass, for replay().
Result<void> run_pipeline(ir::Module& module, const PassCtx& ctx, std::span<const Pass> passes);

/// Runs what a reproducer's first line names on the graph that it holds; returns the graph after it.
Result<ir::Module> replay(std::string_view reproducer, std::span<const OpRow> ops, const PassCtx& ctx);

}  // namespace tenon::passes
