#include "runtime/memory.h"

#include <algorithm>
#include <numeric>

namespace tenon::runtime {
namespace {

int64_t rounded(int64_t bytes) { return (bytes + kArenaAlign - 1) / kArenaAlign * kArenaAlign; }

/// Places in the given order, each at the lowest gap that fits best among those already placed that live with it.
int64_t place_in_order(std::vector<Placed>& sets, const std::vector<size_t>& order) {
  std::vector<const Placed*> by_offset;
  int64_t end = 0;
  for (const size_t i : order) {
    Placed& set = sets[i];
    const int64_t bytes = rounded(set.bytes);
    int64_t at = 0, best = -1, best_gap = INT64_MAX;
    for (const Placed* other : by_offset) {
      if (other->last < set.first || set.last < other->first) continue;
      const int64_t gap = other->offset - at;
      if (gap >= bytes && gap < best_gap) {
        best = at;
        best_gap = gap;
      }
      at = std::max(at, other->offset + rounded(other->bytes));
    }
    set.offset = best >= 0 ? best : at;
    end = std::max(end, set.offset + bytes);
    by_offset.insert(
        std::upper_bound(by_offset.begin(), by_offset.end(), &set, [](const Placed* a, const Placed* b) { return a->offset < b->offset; }),
        &set);
  }
  return end;
}

int64_t lower_bound_of(const std::vector<Placed>& sets) {
  std::vector<std::pair<int64_t, int64_t>> events;
  for (const Placed& set : sets) {
    events.push_back({set.first * 2, rounded(set.bytes)});
    events.push_back({set.last * 2 + 1, -rounded(set.bytes)});
  }
  std::sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  int64_t live = 0, most = 0;
  for (const auto& [at, change] : events) most = std::max(most, live += change);
  return most;
}

}  // namespace

Placement place(std::vector<Placed>& sets) {
  std::vector<size_t> by_size(sets.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::vector<size_t> by_time = by_size, by_area = by_size;
  const auto area = [&](size_t i) { return static_cast<double>(sets[i].bytes) * static_cast<double>(sets[i].last - sets[i].first + 1); };
  std::stable_sort(by_size.begin(), by_size.end(), [&](size_t a, size_t b) { return sets[a].bytes > sets[b].bytes; });
  std::stable_sort(by_time.begin(), by_time.end(), [&](size_t a, size_t b) { return sets[a].first < sets[b].first; });
  std::stable_sort(by_area.begin(), by_area.end(), [&](size_t a, size_t b) { return area(a) > area(b); });

  Placement out{.bytes = INT64_MAX, .lower_bound = lower_bound_of(sets)};
  std::vector<Placed> best;
  for (const std::vector<size_t>* order : {&by_size, &by_time, &by_area}) {
    const int64_t bytes = place_in_order(sets, *order);
    if (bytes >= out.bytes) continue;
    out.bytes = bytes;
    best = sets;
  }
  sets = std::move(best);
  return out;
}

}  // namespace tenon::runtime
