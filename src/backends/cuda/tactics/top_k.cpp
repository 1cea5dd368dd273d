// The largest or smallest elements along an axis, by kernels/top_k.cuh. A block has a slice: it sorts all of it, or what a search found to
// be its best. Where neither size nor k is known to fit shared memory, a thread counts how many elements come before its own.
#include <algorithm>

#include "backends/cuda/kernels/texts.h"
#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

using engine::TopKProblem;

constexpr int64_t kSortedBytes = 32 << 10;  // of static shared memory, which ends at 48 KB
constexpr int64_t kCountThreads = 256;

engine::Verdict supports_top_k(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<TopKProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank() || p->axis < 0 || p->axis >= p->shape.rank()) return engine::no("the rank is not known");
  if (compute_type(p->type).empty()) return engine::no("elements that no kernel compares");
  if (const auto size = p->shape[p->axis].constant(); size && *size > INT32_MAX) return engine::no("positions of more than 31 bits");
  return {};
}

int64_t most_of(const Dim& dim) { return Symbols{}.interval(dim).most; }

class TopKText {
 public:
  TopKText(const TopKProblem& p, const tune::BuildCtx& ctx)
      : p_(p), ctx_(ctx), w_(1, ctx.outputs == 1 ? 1 : 2), wide_(bits_of(p.type) == 64), entry_(wide_ ? "topk::Wide" : "u64") {
    const auto product = [&](int64_t first, int64_t last) {
      Dim out = 1;
      for (int64_t d = first; d < last; ++d) out = out * p.shape[d];
      return out;
    };
    outer_ = product(0, p.axis), inner_ = product(p.axis + 1, p.shape.rank());
    const int64_t most = kSortedBytes / (wide_ ? 16 : 8);
    if (const int64_t size = most_of(p.shape[p.axis]); size <= most) {
      sorted_ = next_power(std::max<int64_t>(size, 2));
      threads_ = std::clamp<int64_t>(sorted_ / 2, 32, 512);
    } else if (const int64_t k = most_of(p.k); k <= most) {
      sorted_ = next_power(std::max<int64_t>(k, 2));
      threads_ = p.shape[p.axis].constant().value_or(0) > 16384 ? 1024 : 512;
      searches_ = true;
    } else {
      threads_ = kCountThreads;
    }
  }

  engine::Kernel build() {
    w_.raw_top(kTopK);
    const Dim slices = outer_ * inner_, parts = sorted_ ? Dim(1) : some_blocks(p_.shape[p_.axis], threads_);
    const std::string_view index = index_type(slices * parts);
    if (sorted_) w_.line("__shared__ {} best[{}];", entry_, sorted_);
    if (searches_) w_.line("__shared__ topk::Search search;\n  __shared__ u32 taken;");
    if (!sorted_) w_.line("__shared__ {} tile[{}];", entry_, threads_);
    w_.line("const {} slice = {};", index, quotient_text(w_, strf("{}(blockIdx.x)", index), parts));
    w_.raw(split_text(w_, {outer_, max(inner_, Dim(1))}, "slice", "c"));  // threads of no slice divide too
    w_.line("const u32 size = u32({}), k = u32({});", w_.size(p_.shape[p_.axis]), w_.size(p_.k));
    const std::string inner = w_.size(inner_);
    w_.line("const i64 from = i64(c0) * size * {} + c1, to = i64(c0) * k * {} + c1;", inner, inner);
    w_.line("const auto entry_of = [&](u32 i) {{");
    w_.line("  const auto x = {};", loaded(p_.type, strf("load<{}>(p.in0, from + i64(i) * {}).v[0]", storage_type(p_.type), inner)));
    w_.line("  return topk::entry({}, i);\n  }};", key());
    w_.line("trigger(); wait();");
    w_.line("if (slice >= {} || k == 0) return;", w_.size(slices));
    if (sorted_) {
      sort();
    } else {
      count(w_.size(parts));
    }
    const Dim grid = max(slices * parts, Dim(1));
    return w_.finish(ctx_, {.grid = {grid}, .threads = threads_, .mode = mode_of(ctx_, grid)});
  }

 private:
  std::string key() const {
    std::string out = "topk::key(x)";
    if (compute_type(p_.type) == "i64") {
      out = strf("{}(x)", wide_ ? "u64" : "u32");
      if (is_signed_int(p_.type)) out = strf("({} ^ {})", out, wide_ ? "1ull << 63" : "1u << 31");
    }
    return p_.largest ? out : "~" + out;
  }

  void sort() {
    if (searches_) {
      w_.line("const {} last = topk::last_of_best<{}, {}>(entry_of, size, k, search);", entry_, threads_, entry_);
      w_.line("for (u32 i = threadIdx.x; i < {}; i += {}) best[i] = {{}};", sorted_, threads_);
      w_.line("if (threadIdx.x == 0) taken = 0;");
      w_.line("__syncthreads();  // for the empty list");
      w_.line("for (u32 i = threadIdx.x; i < size; i += {}) {{", threads_);
      w_.line("  const {} e = entry_of(i);", entry_);
      w_.line("  if (!topk::better(last, e)) best[atomicAdd(&taken, 1u)] = e;\n  }}");
    } else {
      w_.line("for (u32 i = threadIdx.x; i < {}; i += {}) best[i] = i < size ? entry_of(i) : {}{{}};", sorted_, threads_, entry_);
    }
    w_.line("topk::sort<{}, {}>(best);", sorted_, threads_);
    w_.line("for (u32 rank = threadIdx.x; rank < k; rank += {}) {{", threads_);
    w_.line("const u32 at = topk::place(best[rank]);");
    store();
    w_.line("}}");
  }

  void count(const std::string& parts) {
    w_.line("const u32 at = u32(blockIdx.x - slice * {}) * {} + threadIdx.x;", parts, threads_);
    w_.line("const {} mine = at < size ? entry_of(at) : {}{{}};", entry_, entry_);
    w_.line("u32 rank = 0;");
    w_.line("for (u32 first = 0; first < size; first += {}) {{", threads_);
    w_.line("__syncthreads();  // for those who still read the last tile");
    w_.line("tile[threadIdx.x] = first + threadIdx.x < size ? entry_of(first + threadIdx.x) : {}{{}};", entry_);
    w_.line("__syncthreads();  // for the tile");
    w_.raw("#pragma unroll 8\n");
    w_.line("for (u32 i = 0; i < {}; ++i) rank += topk::better(tile[i], mine);\n  }}", threads_);
    w_.line("if (at < size && rank < k) {{");
    store();
    w_.line("}}");
  }

  /// The element `at` to place `rank`.
  void store() {
    const std::string_view type = storage_type(p_.type);
    const std::string inner = w_.size(inner_), place = strf("to + i64(rank) * {}", inner);
    w_.line("static_cast<{}*>(p.out0)[{}] = static_cast<const {}*>(p.in0)[from + i64(at) * {}];", type, place, type, inner);
    if (ctx_.outputs != 1) w_.line("static_cast<i64*>(p.out1)[{}] = at;", place);
  }

  const TopKProblem& p_;
  const tune::BuildCtx& ctx_;
  KernelWriter w_;
  bool wide_, searches_ = false;
  std::string_view entry_;
  Dim outer_, inner_;
  int64_t sorted_ = 0, threads_ = 0;  // sorted: entries that a block sorts, 0: none
};

Result<engine::Kernel> build_top_k(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  return TopKText(*problem.as<TopKProblem>(), ctx).build();
}

}  // namespace

tune::Tactic top_k() { return {"top_k", supports_top_k, build_top_k}; }

}  // namespace tenon::cuda
