// Engines for the verbs that run: from an engine file, or built in memory from an ONNX file.
#pragma once
#include "build.h"
#include "runtime/context.h"
#include "verb.h"

namespace tenon::cli {

/// The options of `build`, `run`, `bench` and `test` that say how an engine comes about.
struct Source {
  std::string path;
  std::vector<std::string> targets;     // empty: "cpu" when building, the best of the file when loading
  std::string device;                   // "cpu", "cuda:1": builds for it where targets are empty
  std::vector<std::string> shapes;      // "name=1x3"
  std::vector<std::string> opt_shapes;  // the same: what kernels are chosen for
  bool fp16 = false, bf16 = false, tf32 = false, strict_fp32 = false, no_tune = false, strict = false, stress = false;
  std::string timing_cache;
  std::vector<std::string> disabled_passes;
  std::string stop_after;
  bool quiet = false;  // no progress

  void add_options(Verb& verb, bool with_shapes = true);
};

/// The engine's bytes. Ctrl-C cancels.
Result<Bytes> build(const Source& source);
/// What the file's first bytes say it is decides; `seconds`, if given, receives the time it took.
Result<std::shared_ptr<runtime::Engine>> open_engine(const Source& source, double* seconds = nullptr);

/// Sets every input that has no value yet: shapes as `shapes` and the inputs that are set say, the other dims 1, contents random.
/// Returns a line per input made. Errors: a shape for a name that the engine lacks.
Result<std::vector<std::string>> fill_inputs(runtime::Context& context, const std::vector<bool>& given, const Shapes& shapes,
                                             DimValues symbols, uint64_t seed);

double seconds_now();

}  // namespace tenon::cli
