// The one solver that places buffers in arenas. Deterministic: a function of sizes, lifetimes and alias sets.
#pragma once
#include <cstdint>
#include <vector>

namespace tenon::runtime {

/// One alias set: `bytes` between steps first and last, both included.
struct Placed {
  int64_t bytes = 0, first = 0, last = 0;
  int64_t offset = 0;  // set by place()
};

struct Placement {
  int64_t bytes = 0;        // of the arena
  int64_t lower_bound = 0;  // largest sum of what lives at one step
};

constexpr int64_t kArenaAlign = 64;

/// Gives every set an offset such that sets which live at the same step do not overlap.
Placement place(std::vector<Placed>& sets);

}  // namespace tenon::runtime
