#include "tune/timings.h"

#include <gtest/gtest.h>

#include "backends/cuda/tactics/facts.h"
#include "tune/candidates.h"

namespace tenon::tune {
namespace {

engine::Body body_of_a_product(const Dim& rows = 128) {
  engine::Body body;
  const auto operand = [&](engine::BufferKind kind, std::vector<Dim> dims) {
    body.buffers.push_back({.kind = kind});
    return engine::Operand{.buffer = static_cast<int64_t>(body.buffers.size()) - 1,
                           .type = ValueType::tensor(DType::f16, Shape(std::move(dims)))};
  };
  engine::Step step{
      .problem = engine::GemmProblem{.a = DType::f16, .b = DType::f16, .out = DType::f16, .m = rows, .n = 768, .k = 768, .b_static = true}};
  step.in = {operand(engine::BufferKind::arena, {rows, 768}), operand(engine::BufferKind::weight, {768, 768})};
  step.out = {operand(engine::BufferKind::arena, {rows, 768})};
  body.segments.push_back({.steps = {step}});
  return body;
}

TEST(Timings, PrintAndParseBack) {
  Timings timings;
  timings.add({"GPU", "b", 2.5, "gemm_mma", "64x64", "gemm{m=1}"});
  timings.add({"GPU", "a", 1e9, "gemm_mma", "8x8", "gemm{m=1}"});
  const std::string text = timings.text();
  const auto back = Timings::parse("# a comment\n\n" + text);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->text(), text);
  ASSERT_NE(back->find("GPU", "b"), nullptr);
  EXPECT_EQ(back->find("GPU", "b")->us, 2.5);
  EXPECT_EQ(back->find("another", "b"), nullptr);
}

TEST(Timings, RefuseWhatIsNone) {
  const auto bad = Timings::parse("{device=\"GPU\" kernel=\"a\" us=1}\nnonsense\n");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message().find("line 2"), std::string::npos) << bad.error().message();
}

TEST(Candidates, TheFastestIsChosenByTheTimings) {
  const engine::Body body = body_of_a_product();
  const engine::Step& step = body.segments[0].steps[0];
  const Backend& backend = *find_backend("cuda");
  const engine::DeviceFacts& facts = *cuda::facts_of("sm_90");
  const auto alone = candidates_for(body, step, backend, facts, {});
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->size(), 1u);

  Timings timings;
  const Tuning tuning{.timings = &timings};
  auto candidates = candidates_for(body, step, backend, facts, tuning);
  ASSERT_TRUE(candidates.ok());
  ASSERT_GT(candidates->size(), 8u);
  EXPECT_TRUE(recall(*candidates, facts, tuning).empty()) << "there is no device to measure on";
  EXPECT_EQ(&best_of(*candidates), &candidates->front()) << "nothing is measured: the model's favourite";

  timings.add({facts.name, (*candidates)[3].key, 2.0});
  timings.add({facts.name, (*candidates)[5].key, 1.0});
  EXPECT_TRUE(recall(*candidates, facts, tuning).empty());
  EXPECT_EQ(&best_of(*candidates), &(*candidates)[5]);
}

TEST(Candidates, AreThoseForTheExpectedSizes) {
  const engine::Body body = body_of_a_product(Dim::symbol("n"));
  const engine::Step& step = body.segments[0].steps[0];
  const engine::DeviceFacts& facts = *cuda::facts_of("sm_90");
  Timings timings;
  const auto for_rows = [&](DimValues sizes) {
    auto made = candidates_for(body, step, *find_backend("cuda"), facts, {.timings = &timings, .sizes = std::move(sizes)});
    EXPECT_TRUE(made.ok());
    return made.ok() ? std::move(*made) : std::vector<Candidate>(1);
  };
  const auto guessed = for_rows({}), few = for_rows({{"n", kGuess}}), many = for_rows({{"n", 4096}});
  EXPECT_EQ(guessed[0].config, few[0].config);
  EXPECT_EQ(guessed[0].key, few[0].key);
  EXPECT_NE(few[0].config, many[0].config) << "a tile for 32 rows is none for 4096";
  EXPECT_EQ(many[0].operands[0].bytes, 4096 * 768 * 2);
  const auto same_tile = std::find_if(many.begin(), many.end(), [&](const Candidate& one) { return one.config == few[0].config; });
  if (same_tile != many.end()) {
    EXPECT_NE(same_tile->key, few[0].key) << "times for other sizes";
  }

  // What is built without timings, too.
  const auto favourite = [&](const DimValues& sizes) {
    const auto made = candidates_for(body, step, *find_backend("cuda"), facts, {.sizes = sizes});
    EXPECT_TRUE(made.ok() && made->size() == 1);
    CodeStore store;
    EXPECT_TRUE(made->front().tactic->build(step.problem, {.device = facts, .code = store, .sizes = sizes}).ok());
    return store.rows().at(0).text;
  };
  EXPECT_EQ(favourite({}), favourite({{"n", kGuess}}));
  EXPECT_NE(favourite({}), favourite({{"n", 4096}}));
}

}  // namespace
}  // namespace tenon::tune
