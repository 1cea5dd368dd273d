#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

// A warp takes slices up to this size: their elements fit its registers, and its folds need no shared memory.
constexpr int64_t kWarpElems = 1024;
constexpr int64_t kBlockThreads = 128;
constexpr int64_t kUnknown = 1 << 20;

/// As many slices a block as leave every multiprocessor one.
int64_t slices_of(int64_t count, int64_t lanes, int64_t units) {
  const int64_t least = std::max<int64_t>(1, 32 / lanes), most = std::max(least, kBlockThreads / lanes);
  int64_t out = most;
  while (out > least && count < out * units) out /= 2;
  return out;
}

}  // namespace

Team team_of_rows(const Dim& count, const Dim& size, int64_t width, int64_t units) {
  const int64_t rows = count.constant().value_or(kUnknown), elems = size.constant().value_or(256);
  const int64_t vectors = (elems + width - 1) / width;
  // Long slices, and middling ones where there are too few warps to fill the device.
  if (elems > kWarpElems || (elems >= 4 * kBlockThreads && rows * 2 < units)) {
    int64_t threads = kBlockThreads;
    while (threads < 1024 && threads * 16 < elems) threads *= 2;
    return {.lanes = threads, .slices = 1};
  }
  // A lane has two vectors or more before there is another: folds cost as much as loads.
  const int64_t lanes = std::clamp<int64_t>(next_power((vectors + 1) / 2), 1, 32);
  return {.lanes = lanes, .slices = slices_of(rows, lanes, units)};
}

Team team_of_columns(const Dim& count, const Dim& size, int64_t units) {
  const int64_t columns = count.constant().value_or(kUnknown), elems = size.constant().value_or(256);
  int64_t lanes = 1;
  while (lanes < 16 && lanes * 4 <= elems && columns * lanes < units * 1024) lanes *= 2;
  return {.lanes = lanes, .slices = lanes == 1 ? kBlockThreads : 32, .columns = true};
}

}  // namespace tenon::cuda
