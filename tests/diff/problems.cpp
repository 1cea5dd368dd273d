#include "tests/diff/problems.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"

namespace tenon {

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

std::optional<engine::Problem> retyped(const engine::Problem& problem, DType type, const std::function<bool(DType)>& which) {
  if (const engine::Epilogue* epilogue = engine::epilogue_of(problem); epilogue && !epilogue->expr.empty()) return std::nullopt;
  const auto change = [&](DType& at) { at = which(at) ? type : at; };
  engine::Problem out = problem;
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
  } else if (auto* attention = std::get_if<engine::AttentionProblem>(&out.kind)) {
    change(attention->type), change(attention->mask_type);
  } else if (auto* squeeze = std::get_if<engine::SqueezeExciteProblem>(&out.kind)) {
    if (!squeeze->inner.empty()) return std::nullopt;
    change(squeeze->type);
  } else if (auto* copy = std::get_if<engine::CopyProblem>(&out.kind)) {
    change(copy->type);
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
    change(grid->type), change(grid->grid_type);
  } else if (auto* recurrent = std::get_if<engine::RecurrentProblem>(&out.kind)) {
    change(recurrent->type);
  } else if (auto* pointwise = std::get_if<engine::PointwiseProblem>(&out.kind)) {
    for (ExprNode& node : pointwise->expr.nodes) change(node.type);
  } else {
    return std::nullopt;
  }
  return out;
}

}  // namespace tenon
