#include "passes/order_of_dims.h"

#include <algorithm>
#include <numeric>

namespace tenon::passes {
namespace {

/// Dims [from, to) of the transposed value are dims [view_from, view_to) of the view; one of both is a single dim.
struct Run {
  size_t from = 0, to = 0, view_from = 0, view_to = 0;
};

/// How many of the dims from `first` on multiply to `product`; 0: none do.
size_t count_for(const std::vector<Dim>& dims, size_t first, const Dim& product) {
  Dim have(1);
  for (size_t i = first; i < dims.size(); ++i) {
    have = have * dims[i];
    if (have == product) return i + 1 - first;
  }
  return 0;
}

std::optional<std::vector<Run>> runs_of(const std::vector<Dim>& dims, const std::vector<Dim>& view) {
  std::vector<Run> runs;
  size_t i = 0, k = 0;
  while (i < dims.size() && k < view.size()) {
    if (const size_t joined = count_for(dims, i, view[k]); joined > 0) {
      runs.push_back({i, i + joined, k, k + 1});
    } else if (const size_t split = count_for(view, k, dims[i]); split > 0) {
      runs.push_back({i, i + 1, k, k + split});
    } else {
      return std::nullopt;
    }
    i = runs.back().to, k = runs.back().view_to;
  }
  // Dims of 1 that are left belong to the last run, if that does not make it one of many to many.
  if (runs.empty()) return std::nullopt;
  Run& last = runs.back();
  if (i < dims.size() && last.view_to - last.view_from > 1) return std::nullopt;
  if (k < view.size() && last.to - last.from > 1) return std::nullopt;
  last.to = dims.size(), last.view_to = view.size();
  const auto one = [](const Dim& dim) { return dim == Dim(1); };
  const auto rest = [](size_t at) { return static_cast<std::ptrdiff_t>(at); };
  if (!std::all_of(dims.begin() + rest(i), dims.end(), one) || !std::all_of(view.begin() + rest(k), view.end(), one)) return std::nullopt;
  return runs;
}

}  // namespace

bool is_identity(const Dims& perm) {
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return true;
}

int64_t from_of(const Dims& perm, int64_t axis) {
  return perm[axis < 0 ? perm.size() - static_cast<size_t>(-axis) : static_cast<size_t>(axis)];
}

Dims ranks_of(const Dims& values) {
  Dims sorted = values;
  std::sort(sorted.begin(), sorted.end());
  Dims out;
  for (const int64_t value : values) out.push_back(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
  return out;
}

bool moves_elements(const Shape& operand, const Dims& perm) {
  int64_t last = -1;
  for (const int64_t axis : perm) {
    if (operand[axis] == Dim(1)) continue;
    if (axis < last) return true;
    last = axis;
  }
  return false;
}

std::optional<ViewBefore> view_before(const Dims& perm, const Shape& transposed, const std::vector<Dim>& view) {
  auto runs = runs_of(transposed.dims(), view);
  if (!runs) return std::nullopt;
  std::sort(runs->begin(), runs->end(), [&](const Run& a, const Run& b) { return perm[a.from] < perm[b.from]; });
  ViewBefore out;
  out.after.resize(view.size());
  for (const Run& run : *runs) {
    for (size_t i = run.from; i < run.to; ++i) out.before.push_back(perm[i]);
    for (size_t k = run.view_from; k < run.view_to; ++k) {
      out.after[k] = static_cast<int64_t>(out.shape.size());
      out.shape.push_back(view[k]);
    }
  }
  return out;
}

}  // namespace tenon::passes
