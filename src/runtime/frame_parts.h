// The parts of a Frame that only its own files see.
#pragma once
#include "runtime/frame.h"

namespace tenon::runtime {

struct Frame::Chunk {
  std::byte* memory = nullptr;
  int64_t bytes = 0;
};

struct Frame::StepCall {
  const engine::Step* step = nullptr;
  engine::Problem problem;
  engine::KernelFn kernel = nullptr;
  int64_t transfer_bytes = -1;  // a copy between spaces
  std::vector<HostValue> in, out;
};

struct Frame::SegmentPlan {
  std::vector<int64_t> key;
  bool made = false;
  std::vector<StepCall> calls;
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

/// Whether a view may show the elements of one type as another's: BitCast is a view.
inline bool same_width(DType a, DType b) { return a == b || (bits_of(a) > 0 && bits_of(a) == bits_of(b)); }

/// A copy that owns its memory.
Result<Tensor> clone(const Tensor& in);

}  // namespace tenon::runtime
