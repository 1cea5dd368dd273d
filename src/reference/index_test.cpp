// The problems that moving operators become, against their own evaluators: shapes and indices at random, and what must be refused.
#include <gtest/gtest.h>

#include <random>

#include "ops/ops.h"
#include "reference/reference.h"
#include "tensor/convert.h"

namespace tenon::reference {
namespace {

std::mt19937 random_engine(7);
int64_t up_to(int64_t most) { return static_cast<int64_t>(random_engine() % static_cast<uint64_t>(most + 1)); }

Tensor numbered(DType type, const Dims& dims) {
  Tensor wide = *Tensor::allocate(DType::i64, dims);
  for (int64_t i = 0; i < wide.elems(); ++i) wide.as<int64_t>()[static_cast<size_t>(i)] = (i * 7 + 3) % 120 + 1;
  return *convert(wide, type);
}

Tensor indices_of(DType type, const Dims& dims, int64_t size) {
  Tensor wide = *Tensor::allocate(DType::i64, dims);
  for (int64_t& index : wide.as<int64_t>()) index = up_to(2 * size - 1) - size;
  return *convert(wide, type);
}

/// The operator's evaluator and the evaluator of its problem give the same bytes.
template <class T>
void expect_same(T attributes, const std::vector<HostValue>& in) {
  const Op op = ops::make_op(attributes);
  std::vector<HostValue> wanted(1), got(1);
  const auto done = op.row().eval(op.attributes(), in, wanted);
  ASSERT_TRUE(done.ok()) << done.error().message();
  Facts facts;
  for (const HostValue& value : in) facts.push_back(value.kind == HostValue::Kind::tensor ? Fact::of(value.tensor) : fact_of(value));
  const Facts out = {fact_of(wanted[0])};
  const auto problem = op.row().problem(op.attributes(), facts, out);
  ASSERT_TRUE(problem.ok()) << op.name() << ": " << problem.error().message();
  const auto ran = run(*problem, in, got);
  ASSERT_TRUE(ran.ok()) << engine::to_string(*problem) << ": " << ran.error().message();
  const ByteView a = wanted[0].tensor.view(), b = got[0].tensor.view();
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << engine::to_string(*problem);
  for (size_t i = 0; i < in.size(); ++i) {
    if (engine::reads(*problem, i, in.size())) continue;
    std::vector<HostValue> fewer = in;
    fewer[i] = {};
    std::vector<HostValue> again(1);
    EXPECT_TRUE(run(*problem, fewer, again).ok()) << op.name() << " reads input " << i;
  }
}

HostValue ints(Dims values) { return HostValue(int64_tensor(std::move(values))); }

constexpr DType kMoved[] = {DType::f32, DType::f16, DType::u8, DType::i64, DType::i4};

TEST(Index, Gathers) {
  for (int round = 0; round < 40; ++round) {
    const DType type = kMoved[round % 5], index = round % 2 ? DType::i64 : DType::i32;
    const Dims data = {1 + up_to(3), 1 + up_to(4), 1 + up_to(5)};
    const int64_t axis = up_to(2);
    const int64_t size = data[static_cast<size_t>(axis)];
    const HostValue x(numbered(type, data));
    expect_same(ops::Gather{.axis = axis - (round % 3 ? 0 : 3)}, {x, HostValue(indices_of(index, {2, 1 + up_to(3)}, size))});
    expect_same(ops::Gather{.axis = axis}, {x, HostValue(indices_of(index, {}, size))});
    Dims shape = data;
    for (int64_t& dim : shape) dim = 1 + up_to(dim - 1);
    shape[static_cast<size_t>(axis)] = up_to(6);
    expect_same(ops::GatherElements{.axis = axis}, {x, HostValue(indices_of(index, shape, size))});
  }
}

TEST(Index, GathersByCoordinates) {
  for (int round = 0; round < 20; ++round) {
    const DType type = kMoved[round % 5];
    const HostValue x(numbered(type, {3, 4, 4, 2}));
    expect_same(ops::GatherND{.batch_dims = 1}, {x, HostValue(indices_of(DType::i64, {3, 1 + up_to(4), 2}, 4))});
    expect_same(ops::GatherND{}, {x, HostValue(indices_of(DType::i64, {up_to(4), 1 + up_to(1)}, 3))});
    expect_same(ops::GatherND{.batch_dims = 2}, {HostValue(numbered(type, {2, 3, 5})), HostValue(indices_of(DType::i32, {2, 3, 1}, 5))});
  }
}

TEST(Index, Scatters) {
  using ops::ScatterReduction;
  for (int round = 0; round < 40; ++round) {
    const auto reduction = static_cast<ScatterReduction>(round % 5);
    const DType type = reduction == ScatterReduction::none ? kMoved[round / 5 % 5] : kMoved[round / 5 % 4];
    const DType index = round % 2 ? DType::i64 : DType::i32;
    const Dims data = {1 + up_to(3), 1 + up_to(4), 1 + up_to(5)};
    const HostValue x(numbered(type, data));
    const int64_t axis = up_to(2);
    Dims shape = data;
    if (round % 3)
      for (int64_t& dim : shape) dim = 1 + up_to(dim - 1);
    shape[static_cast<size_t>(axis)] = up_to(9);
    const HostValue indices(indices_of(index, shape, data[static_cast<size_t>(axis)]));
    expect_same(ops::ScatterElements{.axis = axis - 3, .reduction = reduction}, {x, indices, HostValue(numbered(type, shape))});
    const int64_t depth = 1 + up_to(2), least = *std::min_element(data.begin(), data.end());
    Dims updates = {2, up_to(4)};
    updates.insert(updates.end(), data.begin() + depth, data.end());
    expect_same(ops::ScatterND{.reduction = reduction},
                {x, HostValue(indices_of(index, {updates[0], updates[1], depth}, least)), HostValue(numbered(type, updates))});
  }
}

TEST(Index, ScattersStayInside) {
  const std::vector<HostValue> in = {HostValue(numbered(DType::f32, {4, 3})), ints({0, 3, -4}), HostValue(numbered(DType::f32, {3, 1}))};
  const auto refused = [&](int64_t size, bool apart, std::vector<Dim> at_most) {
    engine::ScatterProblem p{.out = Shape{4, 3}, .shape = Shape{3, 1}, .strides = {0, 1}, .apart = apart, .at_most = std::move(at_most)};
    p.terms.push_back({.steps = {1, 0}, .indices = 1, .size = size, .stride = 3});
    std::vector<HostValue> out(1);
    return !run(p, in, out).ok();
  };
  EXPECT_FALSE(refused(4, false, {}));
  EXPECT_TRUE(refused(3, false, {}));   // index 3 of 3
  EXPECT_TRUE(refused(40, false, {}));  // -4 from the end of 40 rows
  EXPECT_FALSE(refused(4, false, {3, 3}));
  EXPECT_TRUE(refused(4, false, {3, 2}));
  engine::ScatterProblem p{.out = Shape{4, 3}, .shape = Shape{3, 1}, .strides = {3, 1}, .apart = true};
  p.terms.push_back({.steps = {1, 0}, .indices = 1, .size = 4, .stride = 1});
  std::vector<HostValue> out(1);
  EXPECT_FALSE(run(p, in, out).ok());  // index 3 is the next row's
}

TEST(Index, Concatenates) {
  for (int round = 0; round < 20; ++round) {
    const DType type = kMoved[round % 5];
    const int64_t axis = up_to(2);
    std::vector<HostValue> in;
    for (int64_t i = 0; i < 1 + up_to(4); ++i) {
      Dims dims = {2, 3, 4};
      dims[static_cast<size_t>(axis)] = up_to(3);
      in.emplace_back(numbered(type, dims));
    }
    expect_same(ops::Concat{.axis = axis - 3}, in);
  }
}

TEST(Index, PadsAndRepeats) {
  for (int round = 0; round < 60; ++round) {
    const DType type = kMoved[round % 5];
    const HostValue x(numbered(type, {2, 1 + up_to(3), 1 + up_to(4)}));
    Dims pads(6, 0);
    for (int64_t& pad : pads) pad = round % 3 == 0 ? up_to(5) : up_to(1) * up_to(7);
    if (round % 7 == 0) pads[2] = -1;
    const HostValue value = round % 2 ? HostValue(numbered(type, {})) : HostValue();
    for (const ops::PadMode mode : {ops::PadMode::constant, ops::PadMode::edge, ops::PadMode::reflect, ops::PadMode::wrap})
      expect_same(ops::Pad{.mode = mode}, {x, ints(pads), value});
    expect_same(ops::Pad{}, {x, ints({1, 0, 2, 3}), value, ints({-1, 0})});
    expect_same(ops::Tile{}, {x, ints({1 + up_to(1), up_to(3), 1 + up_to(2)})});
    expect_same(ops::ConstantOfShape{}, {ints({2, up_to(3), 5}), HostValue(numbered(type, {1}))});
  }
  for (const auto& [start, limit, delta] : {std::tuple{0, 7, 1}, {5, -8, -3}, {4, 4, 2}, {-300, 300, 50}})
    for (const DType type : {DType::i64, DType::i32, DType::i16})
      expect_same(ops::Range{},
                  {HostValue(scalar_tensor(type, start)), HostValue(scalar_tensor(type, limit)), HostValue(scalar_tensor(type, delta))});
}

TEST(Index, SizesThatHaveToAgree) {
  engine::IndexProblem p{.shape = Shape{2, 3}, .axis = 1, .pieces = {{.strides = {3, 1}}}};
  const std::vector<HostValue> in = {HostValue(numbered(DType::f32, {2, 3}))};
  std::vector<HostValue> out(1);
  p.agree = {2, 2, 4, 4};
  EXPECT_TRUE(run(p, in, out).ok());
  p.agree = {2, 2, 4, 5};
  EXPECT_FALSE(run(p, in, out).ok());
  EXPECT_FALSE(engine::check_sizes(p, {2, 3}).ok());
  const engine::PointwiseProblem sum{.expr = *from_text<Expr>("{add(x0:f32, x1:f32)}"), .in = {Shape{4, 3}, Shape{1}}, .out = Shape{4, 3}};
  EXPECT_TRUE(engine::check_sizes(sum, {4, 3}).ok());
  EXPECT_FALSE(engine::check_sizes(sum, {5, 3}).ok());  // a kernel would read a fifth row
}

TEST(Index, RefusesWhatLeavesATensor) {
  const std::vector<HostValue> in = {HostValue(numbered(DType::f32, {4, 3})), ints({0, 3, -4})};
  const auto refused = [&](engine::IndexProblem p) {
    std::vector<HostValue> out(1);
    return !run(p, in, out).ok();
  };
  const auto rows = [](int64_t size, int64_t source, int64_t indices) {
    engine::IndexPiece piece{.source = source, .strides = {0, 1}};
    piece.terms.push_back({.steps = {1, 0}, .indices = indices, .size = size, .stride = 3});
    return engine::IndexProblem{.shape = Shape{3, 3}, .pieces = {piece}};
  };
  EXPECT_FALSE(refused(rows(4, 0, 1)));
  EXPECT_TRUE(refused(rows(3, 0, 1)));                 // index 3 of 3
  EXPECT_TRUE(refused(rows(40, 0, 1)));                // -4 from the end of 40 rows
  EXPECT_TRUE(refused(rows(int64_t{1} << 61, 0, 1)));  // sums that wrap
  EXPECT_TRUE(refused(rows(4, 0, 0)));                 // indices of another type
  EXPECT_TRUE(refused(rows(4, 1, 1)));                 // a source of another type
  EXPECT_TRUE(refused(rows(4, 5, 1)));                 // an input that is not there
  EXPECT_TRUE(refused({.shape = Shape{13}, .pieces = {{.strides = {1}}}}));
  EXPECT_TRUE(refused({.shape = Shape{2}, .pieces = {{.offset = -1, .strides = {1}}}}));
  EXPECT_TRUE(refused({.shape = Shape{2}, .pieces = {{.strides = {}}}}));
  EXPECT_TRUE(refused({.shape = Shape{2}, .pieces = {{.strides = {1}}, {.first = 3, .strides = {1}}}}));
  EXPECT_TRUE(refused({.shape = Shape{2}, .pieces = {{.strides = {1}}}, .fill = 0}));
  EXPECT_TRUE(refused({.shape = Shape{Dim::symbol("n")}, .pieces = {{.strides = {1}}}}));
  engine::IndexProblem empty{.shape = Shape{2}};
  EXPECT_FALSE(refused(empty));  // zeros
}

}  // namespace
}  // namespace tenon::reference
