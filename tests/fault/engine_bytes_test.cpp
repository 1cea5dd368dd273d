// Damaged engine files: truncated, with flipped bits, and with bits flipped behind right checksums. Loading gives an error or an
// engine that runs within its memory; it never crashes.
#include <random>

#include "guarded_run.h"
#include "reseal.h"
#include "support.h"

namespace tenon {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 300;
#else
constexpr int kRounds = 2000;
#endif

class FaultEngineBytes : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_FALSE(small_engine(GetParam()).empty()); }
};

TEST_P(FaultEngineBytes, TruncatedFilesAreRefused) {
  const Bytes& whole = small_engine(GetParam());
  const size_t step = std::max<size_t>(1, whole.size() / 500);
  for (size_t size = 0; size < whole.size(); size += size < 2000 ? 1 : step) {
    const auto bytes = std::make_shared<const Bytes>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto engine = runtime::Engine::load(*bytes, bytes, {.log = Log([](Severity, std::string_view) {})});
    ASSERT_FALSE(engine.ok()) << size << " of " << whole.size() << " bytes load";
    EXPECT_EQ(engine.error().kind(), ErrorKind::bad_engine) << engine.error().message();
  }
}

TEST_P(FaultEngineBytes, FlippedBitsAreNoticed) {
  const Bytes& whole = small_engine(GetParam());
  std::mt19937_64 random(1);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto bytes = std::make_shared<Bytes>(whole);
    const size_t at = random() % bytes->size();
    (*bytes)[at] ^= static_cast<std::byte>(1u << (random() % 8));
    accepted += load_and_run(*bytes, bytes, true);
  }
  // What no checksum covers is the padding between sections and blobs.
  EXPECT_LT(accepted, kRounds / 5);
}

TEST_P(FaultEngineBytes, MutationsBehindRightChecksumsDoNotCrash) {
  const MemoryLimit limit(uint64_t{4} << 30);
  const Bytes& whole = small_engine(GetParam());
  const auto sections = engine::list_sections(whole);
  ASSERT_TRUE(sections.ok());
  std::vector<engine::SectionInfo> targets;
  for (const engine::SectionInfo& section : *sections)
    if (section.bytes && section.name != "graph" && section.name != "report") targets.push_back(section);
  std::mt19937_64 random(2);
  for (int round = 0; round < kRounds; ++round) {
    const auto bytes = std::make_shared<Bytes>(whole);
    const engine::SectionInfo& section = targets[random() % targets.size()];
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      std::byte& byte = (*bytes)[section.offset + random() % section.bytes];
      if (random() % 2) {
        byte ^= static_cast<std::byte>(1u << (random() % 8));
      } else {
        byte = static_cast<std::byte>(random());
      }
    }
    reseal(*bytes);
    load_and_run(*bytes, bytes, false);
  }
  SUCCEED();
}

INSTANTIATE_TEST_SUITE_P(Models, FaultEngineBytes,
                         testing::Values("cnn_residual", "dynamic_shapes", "if_branches", "sequence", "detector", "loop_accumulate"),
                         [](const auto& info) { return info.param; });

TEST(FaultEngine, TheUntouchedFileLoadsWithRightChecksums) {
  const auto bytes = std::make_shared<Bytes>(small_engine("cnn_residual"));
  const Bytes before = *bytes;
  reseal(*bytes);
  EXPECT_EQ(before, *bytes) << "reseal() computes other checksums than the writer";
  EXPECT_TRUE(load_and_run(*bytes, bytes, true));
}

}  // namespace
}  // namespace tenon
