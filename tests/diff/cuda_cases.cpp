#include "tests/diff/cuda_cases.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

#include "tests/diff/problems.h"
#include "tools/tenon/problem_io.h"

namespace tenon {
namespace {

bool is_input_or_cast(Fn fn) { return fn == Fn::input || fn == Fn::constant || fn == Fn::cast || fn == Fn::cast_saturate; }

/// Every function on every type that it takes, and every cast; a few together make an expression of several results.
std::vector<Expr> all_expressions() {
  constexpr size_t kTogether = 4, kCastsTogether = 13;
  std::vector<Expr> out;
  const std::vector<DType> types = {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i64, DType::i32,    DType::i16,
                                    DType::i8,  DType::u8,  DType::u16,  DType::u32, DType::u64, DType::boolean};
  for (const DType type : types) {
    const auto start = [&] {
      Expr expr;
      for (int i = 0; i < 2; ++i) expr.add_input(i, type);
      expr.add_input(2, DType::boolean);
      return expr;
    };
    const auto flush = [&](Expr& expr, size_t most) {
      if (expr.results.size() >= most) out.push_back(std::exchange(expr, start()));
    };
    Expr expr = start();
    for (size_t f = 0; f < enum_names(Fn{}).size(); ++f) {
      const auto fn = static_cast<Fn>(f);
      if (is_input_or_cast(fn)) continue;
      Expr with = expr;
      const int arity = arity_of(fn);
      with.results.push_back(fn == Fn::where ? with.add(fn, 2, 0, 1) : with.add(fn, 0, arity > 1 ? 1 : -1));
      if (verify(with).ok()) expr = std::move(with);
      flush(expr, kTogether);
    }
    flush(expr, 1);
    for (const bool saturate : {false, true}) {
      for (const DType to : types) {
        expr.results.push_back(expr.add_cast(0, to, saturate));
        flush(expr, kCastsTogether);
      }
      flush(expr, 1);
    }
  }
  return out;
}

/// The problem as it is and, where it has 32-bit floats, with others.
std::vector<CudaCase> typed_cases(const std::string& line, const DimValues& values) {
  const auto problem = cli::parse_problem(line);
  EXPECT_TRUE(problem.ok()) << line << ": " << problem.error().message();
  if (!problem.ok()) return {};
  std::vector<CudaCase> out = {{*problem, values}};
  for (const DType type : {DType::f16, DType::bf16, DType::f64})
    if (auto other = retyped(*problem, type, [](DType at) { return at == DType::f32; });
        other && engine::to_string(*other) != engine::to_string(*problem))
      out.push_back({*other, values});
  return out;
}

}  // namespace

std::vector<CudaCase> cuda_cases(std::string_view kind) {
  std::vector<CudaCase> out;
  const auto append = [&](const std::string& line, const DimValues& values) {
    if (!line.starts_with(std::string(kind) + "{")) return;
    for (CudaCase& one : typed_cases(line, values)) out.push_back(std::move(one));
  };
  for (const CudaRow& row : cuda_rows()) append(row.line, row.values);
  for (const std::string& line : bench_lines()) append(line, {});
  if (kind != "pointwise") return out;
  for (Expr& expr : all_expressions()) {
    const std::vector<Shape> in(static_cast<size_t>(expr.input_count()), Shape{67});
    out.push_back({engine::PointwiseProblem{.expr = std::move(expr), .in = in, .out = Shape{67}}, {}});
  }
  return out;
}

std::vector<std::string> some_configs(const tune::Tactic& tactic, const engine::Problem& problem, const engine::DeviceFacts& device,
                                      uint64_t seed) {
  if (!tactic.configs) return {""};
  std::vector<std::string> all = tactic.configs(problem, device, {});
  std::mt19937_64 random(seed);
  std::shuffle(all.begin() + 1, all.end(), random);
  all.resize(std::min<size_t>(all.size(), 2));
  return all;
}

}  // namespace tenon
