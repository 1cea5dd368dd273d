// Elements to where index expressions say: gathers, concatenations, padding. Elements are bytes, as wide as the runs along the last dim
// allow; a thread finds the coordinates of its result, from them the piece and the address of the source. An index that lies outside
// reads nothing and gives zero.
#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"
#include "backends/cuda/tactics/index_text.h"
#include "backends/cuda/tactics/tactics.h"

namespace tenon::cuda {
namespace {

using engine::IndexPiece;
using engine::IndexProblem;
using engine::IndexTerm;

constexpr int64_t kIndexThreads = 256;
constexpr size_t kMostPieces = 256;  // each is a pointer among 4 KB of arguments

bool is_rounded(const IndexProblem& p) { return p.to != DType::none && p.to != p.type; }
bool has_kernels(DType type) { return type == DType::f32 || is_16_bit_float(type); }

engine::Verdict supports_index(const engine::Problem& problem, const engine::DeviceFacts&) {
  const auto* p = problem.as<IndexProblem>();
  if (!p) return engine::no(kOtherKind);
  if (!p->shape.has_rank() || p->pieces.empty()) return engine::no("the rank is not known");
  if (bits_of(p->type) < 8) return engine::no("elements are not whole bytes");
  if (is_rounded(*p) && !(has_kernels(p->type) && has_kernels(p->to) && p->fill < 0)) return engine::no("no kernel rounds such elements");
  if (p->pieces.size() > kMostPieces) return engine::no("there are more pieces than a kernel takes pointers");
  return {};
}

std::optional<std::vector<Dim>> halves(const std::vector<Dim>& dims, size_t but) {
  std::vector<Dim> out = dims;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (d == but) continue;
    const auto half = exact_div(dims[d], Dim(2));
    if (!half) return std::nullopt;
    out[d] = *half;
  }
  return out;
}

/// The same problem in elements twice as wide, where runs along the last dim and all that lies between them are whole ones.
std::optional<IndexProblem> widened(const IndexProblem& p) {
  if (p.shape.dims().empty() || p.fill >= 0 || is_rounded(p)) return std::nullopt;
  const size_t last = p.shape.dims().size() - 1;
  IndexProblem out = p;
  const auto halve = [](Dim& dim) {
    const auto half = exact_div(dim, Dim(2));
    if (half) dim = *half;
    return half.has_value();
  };
  if (!halve(out.shape.dims()[last])) return std::nullopt;
  for (IndexPiece& piece : out.pieces) {
    if (!(piece.strides[last] == Dim(1)) || !halve(piece.offset)) return std::nullopt;
    if (p.axis == static_cast<int64_t>(last) && !halve(piece.first)) return std::nullopt;
    const auto strides = halves(piece.strides, last);
    if (!strides) return std::nullopt;
    piece.strides = *strides;
    for (IndexTerm& term : piece.terms)
      if (!(term.steps[last] == Dim(0)) || !halve(term.stride)) return std::nullopt;
  }
  return out;
}

class IndexText {
 public:
  IndexText(const IndexProblem& p, size_t inputs) : p_(p), w_(inputs, 1), bytes_(bits_of(p.type) / 8) {
    while (bytes_ < 16) {
      auto wide = widened(p_);
      if (!wide) break;
      p_ = std::move(*wide);
      bytes_ *= 2;
    }
  }

  engine::Kernel build(const tune::BuildCtx& ctx) {
    const Dim count = p_.shape.elems();
    const int64_t number = count.constant().value_or(INT32_MAX);
    const int64_t each = bytes_ >= 16 || number < 8 * ctx.device.units * kIndexThreads ? 1 : 4;
    const bool rounded = is_rounded(p_);
    const std::string_view type = rounded ? storage_type(p_.to) : bytes_type(bytes_), index = index_type(count);
    w_.line("const {} first = {}(blockIdx.x) * {} + threadIdx.x;", index, index, kIndexThreads * each);
    w_.line("trigger(); wait();");
    if (p_.fill >= 0) {
      w_.line("const {} fill = *static_cast<const {}*>(p.in{});", type, type, p_.fill);
    } else {
      w_.line("const {} fill = {};", type, rounded ? strf("{}(0.0f)", type) : "{}");
    }
    w_.line("{} x[{}];", type, each);
    const std::string size = w_.size(count);
    const auto loop = [&](const std::string& body) {
      w_.raw("#pragma unroll\n");
      w_.line("for (int u = 0; u < {}; ++u) {{", each);
      w_.line("const {} i = first + u * {};", index, kIndexThreads);
      w_.line("if (i < {}) {{", size);
      w_.raw(body);
      w_.line("}}}}");
    };
    std::string body = split_text(w_, p_.shape.dims(), "i", "c");
    body += strf("  const {}* from = nullptr;\n", source_type());
    for (size_t k = 0; k < p_.pieces.size(); ++k) body += piece_text(k);
    loop(body + (rounded ? strf("  x[u] = from ? {}(float(*from)) : fill;\n", type) : "  x[u] = from ? *from : fill;\n"));
    loop(strf("  static_cast<{}*>(p.out0)[i] = x[u];\n", type));
    const Dim grid = some_blocks(count, kIndexThreads * each);
    return w_.finish(ctx, {.grid = {grid}, .threads = kIndexThreads, .mode = mode_of(ctx, grid)});
  }

 private:
  /// "{ … from = …; }", for the elements that the piece gives.
  std::string piece_text(size_t k) {
    const IndexPiece& piece = p_.pieces[k];
    const auto axis = static_cast<size_t>(p_.axis);
    const bool many = p_.pieces.size() > 1;
    std::string out = k ? "  else " : "  ";
    if (k + 1 < p_.pieces.size()) out += strf("if (c{} < {}) ", axis, w_.size(p_.pieces[k + 1].first));
    out += "{\n";
    // Coordinates count from the piece's first element: what that makes is taken off the offsets.
    const Dim offset = many ? piece.offset - piece.first * piece.strides[axis] : piece.offset;
    std::string at = strf("{} + {}", w_.size(offset), offset_text(w_, strides_of_dims(piece.strides), "c"));
    std::string inside;
    for (size_t t = 0; t < piece.terms.size(); ++t) {
      IndexTerm term = piece.terms[t];
      if (many) term.start = term.start - piece.first * term.steps[axis];
      out += term_text(w_, term, p_.index_type, strf("t{}", t), inside);
      at += strf(" + t{} * {}", t, w_.size(term.stride));
    }
    const std::string pointer = strf("static_cast<const {}*>(p.in{}) + ({})", source_type(), piece.source, at);
    return out + strf("  {}from = {};\n  }}\n", inside.empty() ? "" : strf("if ({}) ", inside), pointer);
  }

  std::string_view source_type() const { return is_rounded(p_) ? storage_type(p_.type) : bytes_type(bytes_); }

  IndexProblem p_;
  KernelWriter w_;
  int64_t bytes_;
};

Result<engine::Kernel> build_index(const engine::Problem& problem, const tune::BuildCtx& ctx) {
  const auto& p = *problem.as<IndexProblem>();
  int64_t last = p.fill;
  for (const IndexPiece& piece : p.pieces) {
    if (piece.strides.size() != p.shape.dims().size()) return fail("one stride per dim is wanted");
    last = std::max(last, piece.source);
    for (const IndexTerm& term : piece.terms) {
      if (term.steps.size() != p.shape.dims().size()) return fail("one step per dim is wanted");
      last = std::max(last, term.indices);
    }
  }
  return IndexText(p, static_cast<size_t>(last + 1)).build(ctx);
}

}  // namespace

tune::Tactic index() { return {"index", supports_index, build_index}; }

}  // namespace tenon::cuda
