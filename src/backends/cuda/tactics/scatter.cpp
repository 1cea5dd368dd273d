// Updates put or combined where indices say, one after the other: a block owns rows of the result and keeps them in shared memory. It
// looks at updates, a round of them at a time, lists in order those that belong to its rows, and a thread applies what falls to its own
// elements. A row is what moves in one piece (a slice of ScatterND), or one element. An index that lies outside changes nothing.
// Many updates of many rows are sorted into bins first, which keeps their order: count those of each bin in each stretch of updates, sum
// up the counts, put every update's number to its place. A block then looks at its bin alone.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/cuda/tactics/team.h"

namespace tenon::cuda {
namespace {

using engine::IndexTerm;
using engine::ScatterProblem;
using engine::ScatterReduction;

constexpr int64_t kScatterThreads = 256, kOwnedBytes = 16 << 10, kLeastColumns = 32;
constexpr int64_t kMostBins = 4096, kLeastStretch = 4 * kScatterThreads;  // counts of bins lie in shared memory
constexpr int64_t kLeastBinned = 1 << 13, kLooks = 32;                    // updates; how often each would be looked at

engine::Verdict supports_scatter(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<ScatterProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->out.has_rank() || !p->shape.has_rank()) return engine::no("the rank is not known");
  if (bits_of(p->type) < 8) return engine::no("elements are not whole bytes");
  if (p->reduction != ScatterReduction::none && compute_type(p->type).empty()) return engine::no("elements that no kernel combines");
  return {};
}

class ScatterText {
 public:
  ScatterText(const ScatterProblem& p, const tune::BuildCtx& ctx)
      : p_(p), ctx_(ctx), dims_(p.shape.dims()), strides_(p.strides), terms_(p.terms), rows_(p.out.elems()) {
    moves_ = p.reduction == ScatterReduction::none;
    bytes_ = moves_ ? bits_of(p.type) / 8 : compute_type(p.type) == "float" ? 4 : 8;
    element_ = moves_ ? bytes_type(bytes_) : compute_type(p.type);
    join_columns();
    owned_ = std::max(kOwnedBytes / bytes_ / tile_, kScatterThreads / tile_);
    // A block for every multiprocessor, if they are few.
    tiles_ = (columns_ + tile_ - 1) / tile_;
    const int64_t rows = rows_.constant().value_or(INT32_MAX), groups = kScatterThreads / tile_;
    while (owned_ > groups && rows * tiles_ < owned_ * ctx.device.units) owned_ /= 2;
    choose_bins();
  }

  engine::Kernel build() {
    engine::Kernel out;
    const auto add = [&](engine::Kernel kernel) {
      out.workspaces = kernel.workspaces;
      out.launches.push_back(std::move(kernel.launches[0]));
    };
    if (bins_) {
      add(count_bins());
      add(sum_counts());
      add(fill_bins());
    }
    add(apply());
    return out;
  }

 private:
  /// Rows of several elements, where the last dim runs alike in updates and result and all that lies between is whole rows.
  void join_columns() {
    const auto last = dims_.empty() ? std::nullopt : dims_.back().constant();
    if (!last || *last < kLeastColumns || !(strides_.back() == Dim(1))) return;
    const auto in_rows = [&](Dim& dim) {
      const auto whole = exact_div(dim, Dim(*last));
      if (whole) dim = *whole;
      return whole.has_value();
    };
    Dim rows = rows_;
    std::vector<Dim> strides(strides_.begin(), strides_.end() - 1);
    std::vector<IndexTerm> terms = terms_;
    bool fits = in_rows(rows);
    for (Dim& stride : strides) fits = fits && in_rows(stride);
    for (IndexTerm& term : terms) {
      fits = fits && term.steps.back() == Dim(0) && in_rows(term.stride);
      term.steps.pop_back();
    }
    if (!fits) return;
    rows_ = rows, strides_ = std::move(strides), terms_ = std::move(terms), columns_ = *last;
    dims_.pop_back();
    for (; moves_ && bytes_ < 16 && columns_ % 2 == 0 && columns_ / 2 >= kLeastColumns; columns_ /= 2) bytes_ *= 2;
    if (moves_) element_ = bytes_type(bytes_);
    tile_ = std::min(next_power(columns_ + 1) / 2, kScatterThreads);
  }

  void choose_bins() {
    const auto updates = Shape(dims_).elems().constant(), rows = rows_.constant();
    if (!updates || !rows || *updates < kLeastBinned || *updates > INT32_MAX / 2) return;
    const int64_t blocks = (*rows + owned_ - 1) / owned_, parts = part() ? *dims_[0].constant() : 1;
    if (blocks < kLooks * parts) return;
    blocks_of_bin_ = (blocks + kMostBins - 1) / kMostBins;
    bins_ = (blocks + blocks_of_bin_ - 1) / blocks_of_bin_;
    updates_ = *updates;
    stretch_ = std::max(kLeastStretch, next_power(updates_ / (4 * ctx_.device.units)));  // a few for every multiprocessor
    stretches_ = (updates_ + stretch_ - 1) / stretch_;
  }

  /// A kernel's writer, with the workspaces that all of them share: where each stretch's updates of each bin begin, and their numbers.
  KernelWriter writer() const {
    KernelWriter w(3, 1);
    if (!bins_) return w;
    w.workspace(engine::WorkspaceKind::scratch, 4 * (bins_ * stretches_ + 1));
    w.workspace(engine::WorkspaceKind::scratch, 4 * updates_);
    return w;
  }

  /// Statements for each update `i` of a stretch, by round: `bin` is its bin, or behind all where an index lies outside.
  void each_update(KernelWriter& w, const std::string& statements) {
    w.line("for (u32 round = 0; round < {}; round += {}) {{", stretch_, kScatterThreads);
    w.line("const u32 i = blockIdx.x * {} + round + threadIdx.x;", stretch_);
    w.line("u32 bin = {};", bins_);
    w.line("if (i < {}) {{\n  i64 row = -1;", updates_);
    w.raw(place(w));
    w.line("if (row >= 0 && row < {}) bin = u32(row / {});\n  }}", w.size(rows_), owned_ * blocks_of_bin_);
    w.raw(statements);
    w.line("}}");
  }

  engine::Kernel count_bins() {
    KernelWriter w = writer();
    w.line("__shared__ u32 counts[{}];", bins_ + 1);
    w.line("for (u32 b = threadIdx.x; b <= {}; b += {}) counts[b] = 0;", bins_, kScatterThreads);
    w.line("__syncthreads();  // for the zeros");
    w.line("trigger(); wait();");
    each_update(w, "  atomicAdd(&counts[bin], 1u);\n");
    w.line("__syncthreads();  // for the counts of all");
    w.line("for (u32 b = threadIdx.x; b < {}; b += {})", bins_, kScatterThreads);
    w.line("  static_cast<u32*>(p.ws0)[b * {} + blockIdx.x] = counts[b];", stretches_);
    return w.finish(ctx_, {.grid = {stretches_}, .threads = kScatterThreads, .mode = mode_of(ctx_, stretches_)});
  }

  engine::Kernel sum_counts() {
    constexpr int64_t kThreads = 1024;
    KernelWriter w = writer();
    w.line("__shared__ u32 part[{}];", kThreads / 32);
    w.line("u32* const counts = static_cast<u32*>(p.ws0);");
    w.line("u32 carried = 0;");
    w.line("trigger(); wait();");
    w.line("for (u32 first = 0; first < {}; first += {}) {{", bins_ * stretches_, 4 * kThreads);
    w.line("const u32 mine = first + 4 * threadIdx.x;");
    w.line("u32 x[4], sum = 0, whole;");
    w.raw("#pragma unroll\n");
    w.line("for (int e = 0; e < 4; ++e) x[e] = mine + e < {} ? counts[mine + e] : 0, sum += x[e];", bins_ * stretches_);
    w.line("u32 left = carried + fold::before_thread<{}>(sum, fold::Sum{{}}, 0u, whole, part);", kThreads);
    w.raw("#pragma unroll\n");
    w.line("for (int e = 0; e < 4; ++e) {{");
    w.line("if (mine + e < {}) counts[mine + e] = left;", bins_ * stretches_);
    w.line("left += x[e];\n  }}");
    w.line("carried += whole;\n  }}");
    w.line("if (threadIdx.x == 0) counts[{}] = carried;", bins_ * stretches_);
    return w.finish(ctx_, {.grid = {1}, .threads = kThreads, .mode = engine::LaunchMode::dependent});
  }

  engine::Kernel fill_bins() {
    KernelWriter w = writer();
    w.line("__shared__ u32 next[{}], all[{}];", bins_ + 1, kScatterThreads);
    w.line("trigger(); wait();");
    w.line("for (u32 b = threadIdx.x; b < {}; b += {})", bins_, kScatterThreads);
    w.line("  next[b] = static_cast<const u32*>(p.ws0)[b * {} + blockIdx.x];", stretches_);
    // Places in the order of the updates: behind those of the threads before.
    each_update(w, strf(R"(  all[threadIdx.x] = bin;
  __syncthreads();  // for the bins of the round, and the places of the one before
  u32 ahead = 0, behind = 0;
#pragma unroll 8
  for (u32 t = 0; t < {0}; ++t) {{
    ahead += all[t] == bin && t < threadIdx.x;
    behind += all[t] == bin && t > threadIdx.x;
  }}
  const u32 to = bin < {1} ? next[bin] + ahead : 0;
  __syncthreads();  // for those who still read
  if (bin < {1}) static_cast<u32*>(p.ws1)[to] = i;
  if (bin < {1} && behind == 0) next[bin] = to + 1;
)",
                        kScatterThreads, bins_));
    return w.finish(ctx_, {.grid = {stretches_}, .threads = kScatterThreads, .mode = mode_of(ctx_, stretches_)});
  }

  engine::Kernel apply() {
    KernelWriter w = writer();
    const Dim updates = Shape(dims_).elems();
    const std::string_view index = index_type(updates);
    const int64_t groups = kScatterThreads / tile_;
    w.line("__shared__ {} owned[{}];", element_, owned_ * tile_);
    w.line("__shared__ u32 rows[{}], part[{}];", kScatterThreads, kScatterThreads / 32);
    w.line("__shared__ {} values[{}];", tile_ == 1 ? element_ : index, kScatterThreads);
    w.line("const u32 group = threadIdx.x / {}, at = threadIdx.x % {};", tile_, tile_);
    w.line("const i64 first_row = i64(blockIdx.x / {}) * {}, left = {} - first_row;", tiles_, owned_, w.size(rows_));
    w.line("const i64 count = left < {} ? left : {};", owned_, owned_);
    w.line("const i64 column = i64(blockIdx.x % {}) * {} + at;", tiles_, tile_);
    w.line("const bool inside = column < {};", columns_);
    w.line("const auto f = [](const {}& x, const {}& y) {{ return {}; }};", element_, element_, combined());
    w.line("trigger(); wait();");
    const auto each_row = [&](const std::string& body) { w.line("for (i64 r = group; inside && r < count; r += {}) {}", groups, body); };
    each_row(strf("owned[r * {} + at] = {};", tile_, read(0, strf("(first_row + r) * {} + column", columns_))));
    range(w);
    w.line("for (i64 round = begin; round < end; round += {}) {{", kScatterThreads);
    w.line("const i64 u = round + threadIdx.x;");
    w.line("{} i = 0;\n  i64 row = -1;", index);
    w.line("if (u < end) {{");
    w.line("i = {};", bins_ ? "static_cast<const u32*>(p.ws1)[u]" : strf("{}(u)", index));
    w.raw(place(w));
    w.line("row -= first_row;\n  }}");
    w.line("const bool mine = row >= 0 && row < count;");
    w.line("u32 all;");
    w.line("const u32 to = fold::before_thread<{}>(u32(mine), fold::Sum{{}}, 0u, all, part);", kScatterThreads);
    w.line("if (mine) {{");
    w.line("rows[to] = u32(row);");
    w.line("values[to] = {};", tile_ == 1 ? read(2, "i") : "i");
    w.line("}}");
    w.line("__syncthreads();  // for the list");
    w.raw("#pragma unroll 4\n");
    w.line("for (u32 k = 0; k < all; ++k) {{");
    w.line("const u32 r = rows[k];");
    w.line("if (r % {} != group || !inside) continue;", groups);
    w.line("{}& x = owned[r * {} + at];", element_, tile_);
    w.line("x = f(x, {});", tile_ == 1 ? "values[k]" : read(2, strf("i64(values[k]) * {} + column", columns_)));
    w.line("}}}}");
    const std::string x = strf("owned[r * {} + at]", tile_);
    each_row(strf("static_cast<{}*>(p.out0)[(first_row + r) * {} + column] = {};", storage(), columns_, moves_ ? x : stored(p_.type, x)));
    const Dim grid = some_blocks(rows_, owned_) * Dim(tiles_);
    return w.finish(ctx_, {.grid = {grid}, .threads = kScatterThreads, .mode = mode_of(ctx_, grid)});
  }

  std::string_view storage() const { return moves_ ? element_ : storage_type(p_.type); }
  std::string read(int input, const std::string& at) const {
    const std::string x = strf("static_cast<const {}*>(p.in{})[{}]", storage(), input, at);
    return moves_ ? x : loaded(p_.type, x);
  }

  std::string combined() const {
    const bool whole = element_ == "i64";
    const std::string_view lane = p_.type == DType::u64 ? "u64" : element_;
    switch (p_.reduction) {
      case ScatterReduction::add: return whole ? "fn::add(x, y)" : "x + y";
      case ScatterReduction::mul: return whole ? "fn::mul(x, y)" : "x * y";
      case ScatterReduction::max: return strf("{}(x) < {}(y) ? y : x", lane, lane);
      case ScatterReduction::min: return strf("{}(y) < {}(x) ? y : x", lane, lane);
      default: return "y";
    }
  }

  /// Of a leading dim whose updates stay in parts of so many rows.
  std::optional<Dim> part() const {
    return p_.apart && !dims_.empty() && !(strides_[0] == Dim(0)) ? std::optional(strides_[0]) : std::nullopt;
  }

  /// The updates [begin, end) that may belong to the block's rows.
  void range(KernelWriter& w) {
    const std::string updates = w.size(Shape(dims_).elems());
    if (bins_) {
      w.line("const u32 bin = blockIdx.x / {};", tiles_ * blocks_of_bin_);
      w.line("const u32* const begins = static_cast<const u32*>(p.ws0) + bin * {};", stretches_);
      w.line("const i64 begin = begins[0], end = begins[{}];", stretches_);
      return;
    }
    const auto rows = part();
    if (!rows) {
      w.line("const i64 begin = 0, end = {};", updates);
      return;
    }
    const std::string of_part = w.size(Shape(std::vector<Dim>(dims_.begin() + 1, dims_.end())).elems());
    const std::string first = quotient_text(w, "first_row", *rows), last = quotient_text(w, "(first_row + count - 1)", *rows);
    w.line("const i64 begin = count > 0 ? ({}) * {} : 0, behind = count > 0 ? ({} + 1) * {} : 0;", first, of_part, last, of_part);
    w.line("const i64 end = behind < {} ? behind : {};", updates, updates);
  }

  /// Statements that give `row` that of update i, unless an index lies outside.
  std::string place(KernelWriter& w) const {
    std::string out = split_text(w, dims_, "i", "c"), inside;
    std::string at = offset_text(w, strides_of_dims(strides_), "c");
    for (size_t t = 0; t < terms_.size(); ++t) {
      out += term_text(w, terms_[t], p_.index_type, strf("t{}", t), inside);
      at += strf(" + t{} * {}", t, w.size(terms_[t].stride));
    }
    return out + strf("  {}row = {};\n", inside.empty() ? "" : strf("if ({}) ", inside), at);
  }

  const ScatterProblem& p_;
  const tune::BuildCtx& ctx_;
  std::vector<Dim> dims_;  // of the updates, and what they and the terms say in rows
  std::vector<Dim> strides_;
  std::vector<IndexTerm> terms_;
  Dim rows_;
  bool moves_ = false;                                 // elements are bytes
  int64_t bytes_ = 4, columns_ = 1;                    // of an element; of a row
  int64_t tile_ = 1, tiles_ = 1, owned_ = 1;           // columns of a block, such tiles of a row, rows of a block
  int64_t bins_ = 0, blocks_of_bin_ = 1;               // none: every block looks at all updates of its part
  int64_t updates_ = 0, stretch_ = 0, stretches_ = 0;  // of bins
  std::string_view element_;
};

Result<engine::Kernel> build_scatter(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<ScatterProblem>();
  const size_t rank = p.shape.dims().size();
  if (p.strides.size() != rank) return fail("one stride per dim is wanted");
  for (const IndexTerm& term : p.terms)
    if (term.steps.size() != rank || term.indices > 1) return fail("one step per dim and indices in input 1 are wanted");
  return ScatterText(p, ctx).build();
}

}  // namespace

tune::Tactic scatter() { return {"scatter", supports_scatter, build_scatter}; }

}  // namespace tenon::cuda
