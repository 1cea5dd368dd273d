#include "tensor/dim.h"

#include <gtest/gtest.h>

#include <random>

#include "tensor/shape.h"

namespace tenon {
namespace {

constexpr std::string_view kNames[] = {"n", "h", "w"};

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

/// A random dim and its value at n, h, w, computed beside it; nothing where a division by zero or a large number appears.
struct Pair {
  Dim dim;
  std::optional<int64_t> value;
};
Pair random_dim(std::mt19937& random, const DimValues& at, int depth) {
  const auto pick = [&](unsigned n) { return static_cast<int64_t>(random() % n); };
  if (depth == 0 || pick(5) == 0) {
    if (pick(3) == 0) {
      const int64_t c = pick(15) - 5;
      return {Dim(c), c};
    }
    const std::string_view name = kNames[pick(3)];
    return {Dim::symbol(name), at.find(name)->second};
  }
  const Pair a = random_dim(random, at, depth - 1), b = random_dim(random, at, depth - 1);
  const auto with = [&](Dim dim, auto f) -> Pair {
    if (!a.value || !b.value) return {std::move(dim), std::nullopt};
    const int64_t value = f(*a.value, *b.value);
    return {std::move(dim), std::abs(value) < (int64_t{1} << 40) ? std::optional(value) : std::nullopt};
  };
  switch (pick(7)) {
    case 0: return with(a.dim + b.dim, [](int64_t x, int64_t y) { return x + y; });
    case 1: return with(a.dim - b.dim, [](int64_t x, int64_t y) { return x - y; });
    case 2: return with(a.dim * b.dim, [](int64_t x, int64_t y) { return x * y; });
    case 3: return with(min(a.dim, b.dim), [](int64_t x, int64_t y) { return std::min(x, y); });
    case 4: return with(max(a.dim, b.dim), [](int64_t x, int64_t y) { return std::max(x, y); });
    default: {
      const bool divides = pick(2);
      Dim dim = divides ? floordiv(a.dim, b.dim) : mod(a.dim, b.dim);
      if (!b.value || *b.value == 0) return {std::move(dim), std::nullopt};
      return with(std::move(dim), [&](int64_t x, int64_t y) { return divides ? floor_div(x, y) : x - floor_div(x, y) * y; });
    }
  }
}

TEST(Dim, PrintsParsesAndEvaluates) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    DimValues at;
    for (const std::string_view name : kNames) at[std::string(name)] = 1 + static_cast<int64_t>(random() % 9);
    const Pair x = random_dim(random, at, 4);
    const std::string text = to_string(x.dim);
    const auto parsed = from_text<Dim>(text);
    ASSERT_TRUE(parsed.ok()) << text;
    ASSERT_EQ(to_string(*parsed), text);
    ASSERT_TRUE(*parsed == x.dim);
    if (!x.value) continue;
    const auto value = evaluate(x.dim, at);
    ASSERT_TRUE(value.ok()) << text << ": " << value.error().message();
    ASSERT_EQ(*value, *x.value) << text;
    std::map<std::string, Dim, std::less<>> with;
    for (const auto& [name, number] : at) with.emplace(name, Dim(number));
    ASSERT_EQ(substitute(x.dim, with).constant(), *x.value) << text;
    Symbols symbols;
    for (const auto& [name, number] : at) symbols.rows[name] = {1, 9};
    const Interval interval = symbols.interval(x.dim);
    ASSERT_LE(interval.least, *x.value) << text;
    ASSERT_GE(interval.most, *x.value) << text;
  }
}

TEST(Dim, CanonicalForms) {
  const Dim n = Dim::symbol("n"), h = Dim::symbol("h");
  EXPECT_TRUE((n + h) * (n - h) == n * n - h * h);
  EXPECT_TRUE(floordiv(n * 4 + 6, 2) == n * 2 + 3);
  EXPECT_EQ(to_string(floordiv(h * 2 + 1, 2)), "h");
  EXPECT_TRUE(exact_div(n * h * 6, h * 2) == std::optional(n * 3));
  EXPECT_FALSE(exact_div(n + 1, Dim(2)).has_value());
  EXPECT_TRUE(mod(n * 8, Dim(4)) == Dim(0));
  EXPECT_EQ((n * 0).constant(), 0);
  EXPECT_TRUE(max(n, min(n, Dim(512))) == n);
  EXPECT_TRUE(min(max(h, n), n) == n);
  EXPECT_TRUE(max(max(n, h), n + 1) == max(h, n + 1));
  EXPECT_EQ(to_string(max(max(n, Dim(3)), max(h, n))), "max(3, max(h, n))");
}

TEST(Dim, TheEndsOf64Bits) {
  const Dim least(INT64_MIN);
  EXPECT_EQ(floordiv(least, Dim(-1)).constant(), int64_t{1} << 62);
  EXPECT_EQ(exact_div(least, Dim(-1)), std::optional(Dim(int64_t{1} << 62)));
  EXPECT_EQ(mod(least, Dim(-1)).constant(), 0);
  EXPECT_EQ(mod(least, Dim(3)).constant(), 1);
  EXPECT_EQ(floordiv(least, Dim(3)).constant(), INT64_MIN / 3 - 1);
  EXPECT_FALSE(exact_div(least, Dim(0) - Dim::symbol("n")).has_value());
}

TEST(Dim, Errors) {
  EXPECT_FALSE(evaluate(Dim::symbol("n"), {}).ok());
  EXPECT_FALSE(evaluate(floordiv(Dim::symbol("n"), Dim::symbol("h")), {{"n", 1}, {"h", 0}}).ok());
  EXPECT_FALSE(evaluate(Dim::symbol("n") * Dim::symbol("n"), {{"n", int64_t{1} << 40}}).ok());
  for (const char* text : {"", "n+", "min(n)", "(n", "3 4", "99999999999999999999"}) EXPECT_FALSE(from_text<Dim>(text).ok()) << text;
  EXPECT_FALSE(from_text<Dim>(std::string(100000, '(')).ok());
}

TEST(Shape, BroadcastsSymbols) {
  const Dim n = Dim::symbol("n");
  EXPECT_TRUE(*broadcast_shapes(Shape{n, 1}, Shape{4}) == (Shape{n, 4}));
  EXPECT_TRUE(*broadcast_shapes(Shape{n}, Shape{7}) == Shape{7});
  EXPECT_FALSE(broadcast_shapes(Shape{3}, Shape{7}).ok());
  const Dim h = Dim::symbol("h"), both = broadcast(n, h);
  EXPECT_EQ(to_string(both), "broadcast(h, n)");
  EXPECT_TRUE(*from_text<Dim>(to_string(both)) == both);
  EXPECT_TRUE(broadcast(both, n) == both);
  EXPECT_TRUE(broadcast(both, Dim(1)) == both);
  EXPECT_TRUE(broadcast(both, Dim(7)) == Dim(7));
  EXPECT_TRUE(broadcast(n, min(n, Dim(16))) == n);
  EXPECT_FALSE(broadcast(n, min(n, Dim(0))) == n);
  EXPECT_TRUE(substitute(both, {{"h", Dim(1)}}) == n);
  for (const auto& [x, y, want] : {std::array<int64_t, 3>{0, 1, 0}, {1, 0, 0}, {1, 5, 5}, {5, 5, 5}, {0, 0, 0}})
    EXPECT_EQ(*evaluate(both, {{"n", x}, {"h", y}}), want);
  EXPECT_FALSE(evaluate(both, {{"n", 2}, {"h", 3}}).ok());
  EXPECT_FALSE(broadcast_shapes(Shape::unknown(), Shape{7})->has_rank());
  EXPECT_EQ(checked_elems(Dims{0, int64_t{1} << 59}).ok(), true);
  EXPECT_FALSE(checked_elems(Dims{int64_t{1} << 40, int64_t{1} << 40}).ok());
  EXPECT_FALSE(checked_elems(Dims{-1}).ok());
}

}  // namespace
}  // namespace tenon
