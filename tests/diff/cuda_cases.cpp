#include "tests/diff/cuda_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "base/file.h"
#include "base/text.h"
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

std::optional<engine::Problem> retyped(const engine::Problem& problem, DType type) {
  engine::Problem out = problem;
  if (const engine::Epilogue* epilogue = engine::epilogue_of(problem); epilogue && !epilogue->expr.empty()) return std::nullopt;
  const auto change = [&](DType& at) { at = at == DType::f32 ? type : at; };
  if (auto* gemm = std::get_if<engine::GemmProblem>(&out.kind)) {
    change(gemm->a), change(gemm->b), change(gemm->out);
  } else if (auto* conv = std::get_if<engine::ConvProblem>(&out.kind)) {
    change(conv->x), change(conv->w), change(conv->out);
  } else if (auto* reduce = std::get_if<engine::ReduceProblem>(&out.kind)) {
    change(reduce->in), change(reduce->out);
  } else if (auto* norm = std::get_if<engine::NormProblem>(&out.kind)) {
    change(norm->type);
  } else if (auto* pool = std::get_if<engine::PoolProblem>(&out.kind)) {
    change(pool->type);
  } else if (auto* copy = std::get_if<engine::CopyProblem>(&out.kind)) {
    change(copy->type);
  } else if (auto* attention = std::get_if<engine::AttentionProblem>(&out.kind)) {
    change(attention->type);
  } else if (auto* index = std::get_if<engine::IndexProblem>(&out.kind)) {
    change(index->type);
  } else if (auto* resize = std::get_if<engine::ResizeProblem>(&out.kind)) {
    change(resize->type);
  } else if (auto* scatter = std::get_if<engine::ScatterProblem>(&out.kind)) {
    change(scatter->type);
  } else if (auto* top = std::get_if<engine::TopKProblem>(&out.kind)) {
    change(top->type);
  } else if (auto* cumulative = std::get_if<engine::CumulativeProblem>(&out.kind)) {
    change(cumulative->type);
  } else if (auto* grid = std::get_if<engine::GridSampleProblem>(&out.kind)) {
    change(grid->type);
  } else if (auto* recurrent = std::get_if<engine::RecurrentProblem>(&out.kind)) {
    change(recurrent->type);
  } else if (auto* pointwise = std::get_if<engine::PointwiseProblem>(&out.kind)) {
    for (ExprNode& node : pointwise->expr.nodes) change(node.type);
  } else {
    return std::nullopt;
  }
  return out;
}

std::vector<std::string> bench_lines() {
  std::vector<std::string> out;
  for (const auto& file : std::filesystem::directory_iterator(std::string(TENON_SOURCE_DIR) + "/bench/problems")) {
    const auto text = read_text(file.path().string());
    EXPECT_TRUE(text.ok()) << file.path();
    for (const std::string& line : split(*text, '\n'))
      if (!line.empty() && line[0] != '#') out.push_back(line);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The problem as it is and, where it has 32-bit floats, with others.
std::vector<CudaCase> typed_cases(const std::string& line, const DimValues& values) {
  const auto problem = cli::parse_problem(line);
  EXPECT_TRUE(problem.ok()) << line << ": " << problem.error().message;
  if (!problem.ok()) return {};
  std::vector<CudaCase> out = {{*problem, values}};
  for (const DType type : {DType::f16, DType::bf16, DType::f64})
    if (auto other = retyped(*problem, type); other && engine::to_string(*other) != engine::to_string(*problem))
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
  std::vector<std::string> all = tactic.configs(problem, device);
  std::mt19937_64 random(seed);
  std::shuffle(all.begin() + 1, all.end(), random);
  all.resize(std::min<size_t>(all.size(), 2));
  return all;
}

}  // namespace tenon
