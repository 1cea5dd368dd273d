#include "backends/cuda/tactics/index_text.h"

#include <algorithm>

#include "backends/cuda/tactics/expr_text.h"

namespace tenon::cuda {

Walk broadcast_walk(const Shape& out, std::span<const Shape> operands, size_t first, size_t last) {
  Walk walk;
  walk.dims.assign(out.dims().begin() + static_cast<std::ptrdiff_t>(first), out.dims().begin() + static_cast<std::ptrdiff_t>(last));
  for (const Shape& operand : operands) {
    const size_t rank = out.dims().size(), missing = rank - std::min(rank, operand.dims().size());
    std::vector<Stride> strides(rank, Stride{0, {}});
    Dim step = 1;
    for (size_t d = rank; d-- > missing;) {
      const Dim& size = operand.dims()[d - missing];
      if (size == Dim(1)) continue;
      strides[d].step = step;
      if (!(size == out.dims()[d]) && !size.is_constant()) strides[d].unless_one = size;
      step = step * size;
    }
    walk.operands.emplace_back(strides.begin() + static_cast<std::ptrdiff_t>(first), strides.begin() + static_cast<std::ptrdiff_t>(last));
  }
  return walk;
}

Walk collapse(const Walk& walk) {
  Walk out;
  out.operands.resize(walk.operands.size());
  for (size_t d = 0; d < walk.dims.size(); ++d) {
    if (walk.dims[d] == Dim(1)) continue;
    const bool joins = !out.dims.empty() && [&] {
      for (size_t k = 0; k < walk.operands.size(); ++k) {
        const Stride &before = out.operands[k].back(), &here = walk.operands[k][d];
        if (before.unless_one || here.unless_one || !(before.step == here.step * walk.dims[d])) return false;
      }
      return true;
    }();
    if (joins) {
      out.dims.back() = out.dims.back() * walk.dims[d];
      for (size_t k = 0; k < walk.operands.size(); ++k) out.operands[k].back() = walk.operands[k][d];
    } else {
      out.dims.push_back(walk.dims[d]);
      for (size_t k = 0; k < walk.operands.size(); ++k) out.operands[k].push_back(walk.operands[k][d]);
    }
  }
  return out;
}

std::string_view index_type(const Dim& count) {
  const auto number = count.constant();
  return number && *number < INT32_MAX / 2 ? "u32" : "i64";
}

std::string quotient_text(KernelWriter& w, const std::string& a, const Dim& b) {
  if (b.is_constant()) return strf("{} / {}", a, w.size(b));
  return strf("quotient({}, {})", a, w.size(b));
}

std::string split_text(KernelWriter& w, const std::vector<Dim>& dims, const std::string& index, std::string_view prefix) {
  if (dims.empty()) return {};
  const std::string_view type = index_type(Shape(dims).elems());
  if (dims.size() == 1) return strf("  const {} {}0 = {};\n", type, prefix, index);
  std::string out, rest = index;
  for (size_t d = dims.size(); d-- > 1;) {
    const std::string next = d == 1 ? strf("{}0", prefix) : strf("{}q{}", prefix, d);
    out += strf("  const {} {} = {};\n", type, next, quotient_text(w, rest, dims[d]));
    out += strf("  const {} {}{} = {} - {} * {};\n", type, prefix, d, rest, next, w.size(dims[d]));
    rest = next;
  }
  return out;
}

std::string stride_text(KernelWriter& w, const Stride& stride) {
  if (!stride.unless_one) return w.size(stride.step);
  return strf("({} == 1 ? 0 : {})", w.size(*stride.unless_one), w.size(stride.step));
}

std::string offset_text(KernelWriter& w, const std::vector<Stride>& strides, std::string_view prefix) {
  std::string out;
  for (size_t d = 0; d < strides.size(); ++d) {
    if (strides[d].is(0)) continue;
    const std::string term =
        strides[d].is(1) ? strf("i64({}{})", prefix, d) : strf("i64({}{}) * ({})", prefix, d, stride_text(w, strides[d]));
    out += out.empty() ? term : " + " + term;
  }
  return out.empty() ? "0" : out;
}

std::vector<Stride> strides_of_dims(const std::vector<Dim>& dims) {
  std::vector<Stride> out;
  for (const Dim& dim : dims) out.push_back({dim, {}});
  return out;
}

std::string term_text(KernelWriter& w, const engine::IndexTerm& term, DType index_type, const std::string& name, std::string& inside) {
  using engine::Outside;
  const std::string size = w.size(term.size);
  std::string out = strf("  i64 {} = {} + {};\n", name, w.size(term.start), offset_text(w, strides_of_dims(term.steps), "c"));
  const auto must = [&](const std::string& condition) { inside += (inside.empty() ? "" : " && ") + condition; };
  if (term.indices >= 0) {
    const std::string_view type = index_type == DType::i32 ? "i32" : "i64";
    out += strf("  {} = load<{}>(p.in{}, {}).v[0];\n", name, type, term.indices, name);
    out += strf("  if ({} < 0) {} += {};\n", name, name, size);
    must(strf("u64({}) < u64({})", name, size));
    return out;
  }
  if (term.outside == Outside::fill) must(strf("u64({}) < u64({})", name, size));
  if (term.outside == Outside::fill || term.outside == Outside::never) return out;
  if (!term.size.is_constant()) {
    must(strf("{} > 0", size));
    out += strf("  if ({} > 0) {{\n", size);
  } else if (term.size == Dim(0)) {
    must("false");
    return out;
  }
  if (term.outside == Outside::edge) {
    out += strf("  {} = {} < 0 ? 0 : {} < {} ? {} : {} - 1;\n", name, name, name, size, name, size);
  } else {
    const bool mirrors = term.outside == Outside::reflect;
    const std::string period = mirrors ? w.size(max(Dim(2) * (term.size - 1), Dim(1))) : size;
    out += strf("  {} = {} % {};\n  if ({} < 0) {} += {};\n", name, name, period, name, name, period);
    if (mirrors) out += strf("  if ({} >= {}) {} = {} - {};\n", name, size, name, period, name);
  }
  if (!term.size.is_constant()) out += "  }\n";
  return out;
}

std::string_view bytes_type(int64_t bytes) {
  switch (bytes) {
    case 1: return "u8";
    case 2: return "u16";
    case 4: return "u32";
    case 8: return "u64";
    default: return "uint4";
  }
}

Dim some_blocks(const Dim& count, int64_t each) { return max(blocks(count, each), Dim(1)); }

ResultText::ResultText(KernelWriter& w, const engine::Epilogue& epilogue, size_t operand, DType type, Shape out,
                       std::vector<IndexPart> parts)
    : w_(w), epilogue_(epilogue), operand_(operand), type_(type), out_(std::move(out)), parts_(std::move(parts)) {
  if (epilogue.expr.empty()) {
    types_ = {type};
  } else {
    for (const int node : epilogue.expr.results) types_.push_back(epilogue.expr.type_of(node));
  }
}

std::string ResultText::compute(const std::string& value) {
  if (epilogue_.expr.empty()) {
    results_ = {stored(type_, value)};
    return {};
  }
  std::string out;
  std::vector<std::string> offsets(epilogue_.operands.size());
  for (size_t k = 0; k < parts_.size(); ++k) {
    const IndexPart& part = parts_[k];
    const Walk walk = collapse(broadcast_walk(out_, epilogue_.operands, part.first, part.last));
    const std::string prefix = strf("e{}_", k);
    const bool moves = std::any_of(walk.operands.begin(), walk.operands.end(), [](const std::vector<Stride>& strides) {
      return std::any_of(strides.begin(), strides.end(), [](const Stride& stride) { return !stride.is(0); });
    });
    if (!moves) continue;
    out += split_text(w_, walk.dims, part.index, prefix);
    for (size_t i = 0; i < offsets.size(); ++i) {
      const std::string term = offset_text(w_, walk.operands[i], prefix);
      if (term != "0") offsets[i] += offsets[i].empty() ? term : " + " + term;
    }
  }
  std::vector<std::string> inputs(static_cast<size_t>(std::max(epilogue_.expr.input_count(), 1)));
  // An integer result is wrapped to its type before the expression sees it.
  inputs[0] = "e_x";
  const std::string first = compute_type(type_) == "i64" ? loaded(type_, stored(type_, value)) : value;
  out += strf("  const {} e_x = {};\n", compute_type(type_), first);
  for (const ExprNode& node : epilogue_.expr.nodes) {
    if (node.fn != Fn::input || node.input == 0 || !inputs[static_cast<size_t>(node.input)].empty()) continue;
    const auto i = static_cast<size_t>(node.input) - 1;
    inputs[i + 1] = strf("e_x{}", i);
    const std::string at = strf("load<{}>(p.in{}, {}).v[0]", storage_type(node.type), operand_ + i, offsets[i].empty() ? "0" : offsets[i]);
    out += strf("  const {} {} = {};\n", compute_type(node.type), inputs[i + 1], loaded(node.type, at));
  }
  const ExprText text = expr_text(epilogue_.expr, inputs, "e_t");
  results_.clear();
  for (size_t r = 0; r < text.results.size(); ++r) results_.push_back(stored(types_[r], text.results[r]));
  return out + text.statements;
}

std::string ResultText::store(const std::string& value, std::string_view index) {
  std::string out = compute(value);
  for (size_t r = 0; r < results_.size(); ++r)
    out += strf("  static_cast<{}*>(p.out{})[{}] = {};\n", storage_type(types_[r]), r, index, results_[r]);
  return out;
}

engine::Verdict takes_epilogue(const engine::Epilogue& epilogue) {
  if (!has_text(epilogue.expr)) return engine::no("the epilogue has elements that no kernel computes with");
  for (const Shape& operand : epilogue.operands)
    if (!operand.has_rank()) return engine::no("the rank of an operand is not known");
  return {};
}

}  // namespace tenon::cuda
