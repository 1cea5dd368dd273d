#include <cmath>
#include <limits>

#include "reference/common.h"
#include "reference/reference.h"

namespace tenon::reference {
namespace {

using engine::ReduceKind;

bool gives_index(ReduceKind kind) { return kind == ReduceKind::arg_max || kind == ReduceKind::arg_min; }

/// The input as alternating kept and reduced runs: neighbours of one sort are joined.
struct Run {
  int64_t size = 1;
  bool reduced = false;
};

/// Calls fn(row, out): `row` elements from the start of row number `r` on belong to outputs from `out` on. The last run is the row.
template <class Fn>
void for_each_row(const std::vector<Run>& runs, const Fn& fn) {
  Dims sizes, steps;
  int64_t step = runs.back().reduced ? 1 : runs.back().size, rows = 1;
  for (size_t r = runs.size() - 1; r-- > 0;) {
    sizes.push_back(runs[r].size);
    steps.push_back(runs[r].reduced ? 0 : step);
    if (!runs[r].reduced) step *= runs[r].size;
    rows *= runs[r].size;
  }
  Dims at(sizes.size(), 0);
  int64_t out = 0;
  for (int64_t row = 0; row < rows; ++row) {
    fn(row, out);
    for (size_t d = 0; d < sizes.size(); ++d) {  // innermost first
      out += steps[d];
      if (++at[d] < sizes[d]) break;
      out -= steps[d] * sizes[d];
      at[d] = 0;
    }
  }
}

/// One pass that folds every element into its output: acc = f(acc, x).
template <class T, class Acc, class F>
void fold(const std::vector<Run>& runs, const T* x, Acc* acc, F f) {
  const int64_t width = runs.back().size;
  for (const Run& run : runs)
    if (run.size == 0) return;
  for_each_row(runs, [&](int64_t row, int64_t out) {
    const T* from = x + row * width;
    if (runs.back().reduced) {
      Acc sum = acc[out];
      for (int64_t i = 0; i < width; ++i) sum = f(sum, static_cast<Acc>(from[i]), out);
      acc[out] = sum;
    } else {
      for (int64_t i = 0; i < width; ++i) acc[out + i] = f(acc[out + i], static_cast<Acc>(from[i]), out + i);
    }
  });
}

/// Integers: sums wrap. Floats: in double, so that long sums lose nothing that their type could hold.
template <class Acc>
Acc plus(Acc a, Acc b) {
  if constexpr (std::is_floating_point_v<Acc>) return a + b;
  return static_cast<Acc>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
template <class Acc>
Acc times(Acc a, Acc b) {
  if constexpr (std::is_floating_point_v<Acc>) return a * b;
  return static_cast<Acc>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
template <class Acc>
Acc size_of(Acc x) {
  if constexpr (std::is_unsigned_v<Acc>) return x;
  return x < 0 ? times<Acc>(x, Acc(-1)) : x;
}

/// The value before the first element, which an empty slice keeps.
template <class Acc>
Acc first_value(ReduceKind kind) {
  using Limits = std::numeric_limits<Acc>;
  constexpr bool kReal = std::is_floating_point_v<Acc>;
  switch (kind) {
    case ReduceKind::prod: return Acc(1);
    case ReduceKind::max: return kReal ? -Limits::infinity() : Limits::lowest();
    case ReduceKind::min: return kReal ? Limits::infinity() : Limits::max();
    default: return Acc(0);
  }
}

template <class T, class Acc>
void reduce(ReduceKind kind, const std::vector<Run>& runs, int64_t count, const T* x, std::vector<Acc>& acc) {
  std::fill(acc.begin(), acc.end(), first_value<Acc>(kind));
  Acc* to = acc.data();
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::mean:
    case ReduceKind::log_sum: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return plus(a, v); }); break;
    case ReduceKind::max: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return a > v || a != a ? a : v; }); break;
    case ReduceKind::min: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return a < v || a != a ? a : v; }); break;
    case ReduceKind::prod: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return times(a, v); }); break;
    case ReduceKind::l1: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return plus(a, size_of(v)); }); break;
    case ReduceKind::l2:
    case ReduceKind::sum_square: fold(runs, x, to, [](Acc a, Acc v, int64_t) { return plus(a, times(v, v)); }); break;
    case ReduceKind::log_sum_exp: {  // shifted by the largest, so that exp stays in range
      std::vector<double> most(acc.size(), -INFINITY), sum(acc.size(), 0);
      fold(runs, x, most.data(), [](double a, double v, int64_t) { return a > v || a != a ? a : v; });
      for (double& value : most)
        if (std::isinf(value)) value = 0;
      fold(runs, x, sum.data(), [&](double a, double v, int64_t out) { return a + std::exp(v - most[static_cast<size_t>(out)]); });
      for (size_t i = 0; i < acc.size(); ++i) acc[i] = element_of<Acc>(std::log(sum[i]) + most[i]);
      break;
    }
    case ReduceKind::arg_max:
    case ReduceKind::arg_min: break;
  }
  for (Acc& value : acc) {
    if (kind == ReduceKind::mean) value = std::is_floating_point_v<Acc> || count ? value / static_cast<Acc>(count) : Acc(0);
    if (kind == ReduceKind::l2) value = element_of<Acc>(std::sqrt(static_cast<double>(value)));
    if (kind == ReduceKind::log_sum) value = element_of<Acc>(std::log(static_cast<double>(value)));
  }
}

/// Elements [outer, size, inner]: index along the middle of the largest or smallest. NaN counts as both.
template <class T>
void find_index(bool largest, bool last, int64_t outer, int64_t size, int64_t inner, const T* x, int64_t* out) {
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const T* from = x + o * size * inner + i;
      int64_t best = 0;
      for (int64_t k = 1; k < size; ++k) {
        const T a = from[best * inner], b = from[k * inner];
        if (a != a) break;
        const bool better = largest ? b > a : b < a;
        if (better || b != b || (last && a == b)) best = k;
      }
      out[o * inner + i] = best;
    }
}

struct ReduceSlices {
  std::vector<Run> runs;
  Dims kept;          // of the output
  int64_t count = 1;  // elements of one slice
};

Result<ReduceSlices> slices_of(const engine::ReduceProblem& p, const Dims& dims) {
  ReduceSlices out;
  for (size_t k = 0; k < p.axes.size(); ++k)
    if (p.axes[k] < 0 || p.axes[k] >= static_cast<int64_t>(dims.size()) || (k && p.axes[k] <= p.axes[k - 1]))
      return fail("axes {} are no sorted dims of {}", to_string(p.axes), to_string(dims));
  for (size_t d = 0, k = 0; d < dims.size(); ++d) {
    const bool reduced = k < p.axes.size() && p.axes[k] == static_cast<int64_t>(d);
    k += reduced;
    if (reduced) out.count *= dims[d];
    if (!reduced || p.keepdims) out.kept.push_back(reduced ? 1 : dims[d]);
    if (!out.runs.empty() && out.runs.back().reduced == reduced) {
      out.runs.back().size *= dims[d];
    } else {
      out.runs.push_back({dims[d], reduced});
    }
  }
  if (out.runs.empty()) out.runs.push_back({});
  return out;
}

/// T: elements as they are read; Acc: sums; Store: elements of the result.
template <class T, class Acc, class Store>
void reduce_into(ReduceKind kind, const ReduceSlices& slices, const Tensor& x, Tensor& out) {
  std::vector<Acc> acc(static_cast<size_t>(out.elems()));
  reduce(kind, slices.runs, slices.count, reinterpret_cast<const T*>(x.data), acc);
  Store* to = reinterpret_cast<Store*>(out.data);
  for (size_t i = 0; i < acc.size(); ++i) to[i] = static_cast<Store>(acc[i]);
}

}  // namespace

Result<void> run(const engine::ReduceProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_TRY(tensor, operand(in, 0, "the input"));
  TENON_TRY(slices, slices_of(p, tensor->dims));
  TENON_TRY(x, widen(*tensor));
  const bool is_unsigned = tensor->dtype == DType::u64;  // its lanes are the same bits as i64
  const DType type = gives_index(p.kind) ? DType::i64 : x.dtype;
  TENON_TRY(result, begin_result(type, slices.kept, p.out, p.epilogue, out));
  if (gives_index(p.kind)) {
    if (p.axes.size() != 1) return fail("an index is along one axis, got {}", to_string(p.axes));
    const auto axis = static_cast<size_t>(p.axes[0]);
    const int64_t size = x.dims[axis];
    if (size == 0 && result.elems() > 0) return fail("dim {} of {} has no largest or smallest element", axis, to_string(x.dims));
    const int64_t outer = elems_of(std::span(x.dims).first(axis)), inner = elems_of(std::span(x.dims).subspan(axis + 1));
    const bool largest = p.kind == ReduceKind::arg_max;
    int64_t* to = result.as<int64_t>().data();
    if (result.elems() == 0) {
      // nothing to find
    } else if (x.dtype == DType::f32) {
      find_index(largest, p.last_index, outer, size, inner, x.as<float>().data(), to);
    } else if (x.dtype == DType::f64) {
      find_index(largest, p.last_index, outer, size, inner, x.as<double>().data(), to);
    } else if (is_unsigned) {
      find_index(largest, p.last_index, outer, size, inner, x.as<uint64_t>().data(), to);
    } else {
      find_index(largest, p.last_index, outer, size, inner, x.as<int64_t>().data(), to);
    }
  } else if (x.dtype == DType::f32) {
    reduce_into<float, double, float>(p.kind, slices, x, result);
  } else if (x.dtype == DType::f64) {
    reduce_into<double, double, double>(p.kind, slices, x, result);
  } else if (is_unsigned) {
    reduce_into<uint64_t, uint64_t, uint64_t>(p.kind, slices, x, result);
  } else {
    reduce_into<int64_t, int64_t, int64_t>(p.kind, slices, x, result);
  }
  return finish(result, p.out, p.epilogue, in.subspan(1), out);
}

}  // namespace tenon::reference
