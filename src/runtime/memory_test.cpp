#include "runtime/memory.h"

#include <gtest/gtest.h>

#include <random>

namespace tenon::runtime {
namespace {

void expect_disjoint(const std::vector<Placed>& sets) {
  for (size_t i = 0; i < sets.size(); ++i) {
    EXPECT_EQ(sets[i].offset % kArenaAlign, 0);
    for (size_t k = 0; k < i; ++k) {
      if (sets[i].last < sets[k].first || sets[k].last < sets[i].first) continue;
      EXPECT_TRUE(sets[i].offset + sets[i].bytes <= sets[k].offset || sets[k].offset + sets[k].bytes <= sets[i].offset)
          << i << " over " << k;
    }
  }
}

TEST(Memory, ChainNeedsTwoBuffers) {
  std::vector<Placed> sets;
  for (int64_t i = 0; i < 10; ++i) sets.push_back({.bytes = 1000, .first = i, .last = i + 1});
  const Placement placement = place(sets);
  expect_disjoint(sets);
  EXPECT_EQ(placement.bytes, 2048);
  EXPECT_EQ(placement.lower_bound, 2048);
}

TEST(Memory, RandomSetsStayDisjointAndNearTheBound) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Placed> sets;
    for (int64_t i = 0; i < 60; ++i)
      sets.push_back({.bytes = static_cast<int64_t>(random() % 5000), .first = i, .last = i + static_cast<int64_t>(random() % 6)});
    std::vector<Placed> again = sets;
    const Placement placement = place(sets);
    expect_disjoint(sets);
    EXPECT_GE(placement.bytes, placement.lower_bound) << "seed " << seed;
    EXPECT_LE(placement.bytes, placement.lower_bound * 2) << "seed " << seed;
    place(again);
    for (size_t i = 0; i < sets.size(); ++i) EXPECT_EQ(sets[i].offset, again[i].offset) << "not deterministic, seed " << seed;
  }
}

TEST(Memory, NothingNeedsNothing) {
  std::vector<Placed> none;
  EXPECT_EQ(place(none).lower_bound, 0);
  EXPECT_EQ(place(none).bytes, 0);
}

}  // namespace
}  // namespace tenon::runtime
