// The parts of a Frame that only its own files see.
#pragma once
#include "runtime/frame.h"

namespace tenon::runtime {

struct Frame::Chunk {
  std::byte* memory = nullptr;
  int64_t bytes = 0;
};

/// A launch of device code with numbers in place of dims; addresses are filled in at each run that is no replay.
struct CodeCall {
  const engine::Launch* row = nullptr;
  engine::CodeLaunch launch;
  Bytes args;
};

struct Frame::StepCall {
  const engine::Step* step = nullptr;
  engine::Problem problem;
  engine::KernelFn kernel = nullptr;
  struct Workspace {
    int64_t offset = 0;          // in the frame's scratch
    const Chunk* own = nullptr;  // or memory of its own
  };
  std::vector<CodeCall> code;  // instead of `kernel`
  std::vector<Workspace> workspaces;
  int64_t scratch_bytes = 0;
  int64_t transfer_bytes = -1;  // a copy between spaces
  std::vector<HostValue> in, out;
};

/// Neighbouring steps of device code, which become a graph when they run the second time with equal addresses. Callers' tensors lie at
/// a few places in turn: each has its graph.
struct CodeRun {
  size_t first = 0, end = 0;  // steps of the segment
  struct Recording {
    std::vector<const void*> addresses;
    void* graph = nullptr;
  };
  std::vector<Recording> recent;  // latest first
};

struct Frame::SegmentPlan {
  std::vector<int64_t> key;
  bool made = false;
  std::vector<StepCall> calls;
  std::vector<CodeRun> runs;
};

struct Frame::ShapePlan {
  std::vector<SegmentPlan> segments;
  std::vector<std::vector<int64_t>> stage_keys;  // what each stage was placed for
  std::vector<bool> stage_placed;
  std::vector<int64_t> offsets;                             // of each buffer in its chunk
  std::vector<int64_t> capacities;                          // of each buffer, in bytes
  std::map<std::pair<int64_t, int64_t>, MemoryUse> memory;  // (stage, space)
};

constexpr int64_t kGuardBytes = 64;  // behind each chunk, written and checked under TENON_POISON
constexpr size_t kKeptShapes = 8;
constexpr size_t kKeptGraphs = 4;  // of neighbouring steps

/// As kernels want operands (engine/device.h): a caller's memory that is not has to be copied.
inline bool is_aligned(const std::byte* memory) { return reinterpret_cast<uintptr_t>(memory) % 64 == 0; }

/// Whether a view may show the elements of one type as another's: BitCast is a view.
inline bool same_width(DType a, DType b) { return a == b || (bits_of(a) > 0 && bits_of(a) == bits_of(b)); }

/// A copy that owns its memory.
Result<Tensor> clone(const Tensor& in);

}  // namespace tenon::runtime
