// KernelWriter: the text, arguments and geometry of one CUDA kernel. Every kernel takes one parameter, `const __grid_constant__ Args p`:
// a pointer per operand of the step (in0, in1, …, out0, …; null where an optional input is absent), per workspace (ws0, …), then a
// 64-bit integer per symbolic size (d0, …). What is a number at build time stands in the text.
#pragma once
#include "engine/device_facts.h"
#include "engine/problem.h"
#include "tune/tactic.h"

namespace tenon::cuda {

class KernelWriter {
 public:
  /// Operands of the step: those of the problem, epilogue operands among the inputs.
  /// Operands of the step that stand between (sizes and axes that the problem holds already) are left out: the first inputs are the step's
  /// first, the `trailing` last ones (of an epilogue) its last.
  KernelWriter(size_t inputs, size_t outputs, size_t trailing = 0) : inputs_(inputs), outputs_(outputs), trailing_(trailing) {}

  /// The size as C++ text: "128", or "p.d0" for one that only a run knows (of type long long).
  std::string size(const Dim& dim);
  /// A workspace of the launch; returns its number k, `p.ws<k>` in the text.
  size_t workspace(engine::WorkspaceKind kind, Dim bytes);

  /// Lines of the kernel's file: constants and functions before the kernel, statements in it.
  template <class... Args>
  void top(fmt::format_string<Args...> text, Args&&... args) {
    top_ += strf(text, std::forward<Args>(args)...) + "\n";
  }
  template <class... Args>
  void line(fmt::format_string<Args...> text, Args&&... args) {
    body_ += "  " + strf(text, std::forward<Args>(args)...) + "\n";
  }
  /// Text as it is, braces included.
  void raw_top(std::string_view text) { top_ += text; }
  void raw(std::string_view text) { body_ += text; }

  struct Geometry {
    std::vector<Dim> grid, cluster;  // one to three dims
    int64_t threads = 128;
    Dim shared_bytes = 0;  // dynamic
    engine::LaunchMode mode = engine::LaunchMode::plain;
    bool cooperative = false;     // all blocks are resident at once, or the launch is an error
    int64_t blocks_per_unit = 1;  // what the compiler may assume about registers
  };
  /// The kernel, its text added to the store. The text begins with kernels/prelude.cuh; stress.cuh follows where the store wants it,
  /// scalar.cuh, fold.cuh and resize.cuh where it says fn::, fold:: or resize::.
  engine::Kernel finish(const tune::BuildCtx& ctx, const Geometry& geometry);

 private:
  size_t inputs_, outputs_, trailing_;
  std::vector<Dim> sizes_;
  std::vector<engine::Workspace> workspaces_;
  std::string top_, body_;
};

/// Dependent, unless the grid is known to have more blocks than are resident at once; where only a run knows it, finish() says how many
/// there may be.
engine::LaunchMode mode_of(const tune::BuildCtx& ctx, const Dim& blocks);

/// ceil(count / each), for grids.
inline Dim blocks(const Dim& count, int64_t each) { return ceildiv(count, Dim(each)); }

}  // namespace tenon::cuda
