// Einsum: every equation becomes diagonals, reductions, transposes, and one matrix product per pair of operands.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "onnx/node_import.h"
#include "ops/concat.h"
#include "ops/gather.h"
#include "ops/mat_mul.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"
#include "ops/transpose.h"

namespace tenon::onnx {
namespace {

/// A tensor and a label for each of its dims. Labels of the ellipsis are 1000, 1001, … from the right.
struct Labelled {
  ValueId value = ValueId::none;
  std::vector<int> labels;

  bool has(int label) const { return std::ranges::find(labels, label) != labels.end(); }
  int64_t axis(int label) const { return std::ranges::find(labels, label) - labels.begin(); }
};

constexpr int kEllipsis = 1000;

/// Labels of one term; `rank` resolves the ellipsis, which stands for the dims that no letter names.
std::vector<int> labels_of(NodeImport& n, std::string_view term, int64_t rank) {
  std::vector<int> labels;
  const auto letters = std::ranges::count_if(term, [](unsigned char c) { return std::isalpha(c) != 0; });
  for (size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (term.substr(i, 3) == "...") {
      for (int64_t k = rank - letters; k-- > 0;) labels.push_back(kEllipsis + static_cast<int>(k));
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      labels.push_back(term[i]);
    } else {
      n.refuse("the equation has '{}' in term '{}'", term[i], term);
    }
  }
  return labels;
}

Labelled permuted(NodeImport& n, const Labelled& x, const std::vector<int>& to) {
  if (x.labels == to) return x;
  ops::Transpose transpose;
  for (const int label : to) transpose.perm.push_back(x.axis(label));
  return {n.emit(std::move(transpose), {x.value}), to};
}

Labelled reduced(NodeImport& n, const Labelled& x, const std::vector<int>& kept) {
  ops::Reduce reduce{.kind = engine::ReduceKind::sum, .keepdims = false};
  Labelled out;
  for (size_t i = 0; i < x.labels.size(); ++i) {
    if (std::ranges::find(kept, x.labels[i]) == kept.end()) {
      reduce.axes.push_back(static_cast<int64_t>(i));
    } else {
      out.labels.push_back(x.labels[i]);
    }
  }
  if (reduce.axes.empty()) return x;
  out.value = n.emit(std::move(reduce), {x.value});
  return out;
}

/// A label that stands twice reads the diagonal: the equal-index mask of the two dims selects it, and a sum drops one of them.
Labelled diagonal(NodeImport& n, Labelled x) {
  for (size_t i = 0; i < x.labels.size(); ++i) {
    for (size_t j = i + 1; j < x.labels.size(); ++j) {
      if (x.labels[i] != x.labels[j]) continue;
      const auto rank = static_cast<int64_t>(x.labels.size());
      const auto index = [&](size_t axis) {  // 0, 1, … along the axis, 1 elsewhere
        return n.indices_of(x.value, static_cast<int64_t>(axis), static_cast<int64_t>(axis), rank);
      };
      const ValueId picked = n.pointwise({x.value, index(i), index(j)}, [](const std::vector<Term>& t) {
        return where(apply(Fn::equal, t[1], t[2]), t[0], t[0].constant(0));
      });
      x.value = n.emit(ops::Reduce{.kind = engine::ReduceKind::sum, .axes = {static_cast<int64_t>(j)}, .keepdims = false}, {picked});
      x.labels.erase(x.labels.begin() + static_cast<std::ptrdiff_t>(j));
      --j;
    }
  }
  return x;
}

/// Dims of `labels` in x as a rank-1 tensor, for shapes put together from pieces.
ValueId dims_of(NodeImport& n, const Labelled& x, const std::vector<int>& labels) {
  Dims axes;
  for (const int label : labels) axes.push_back(x.axis(label));
  return n.emit(ops::Gather{}, {n.emit(ops::ShapeOf{}, {x.value}), n.int_list(axes)});
}

/// One matrix product of two operands: labels in both and kept are batch dims, labels in both and not kept are summed over.
Labelled multiplied(NodeImport& n, Labelled a, Labelled b, const std::vector<int>& kept) {
  std::vector<int> batch, rows, columns, inner;
  const auto is_kept = [&](int label) { return std::ranges::find(kept, label) != kept.end(); };
  for (const int label : a.labels) (b.has(label) ? (is_kept(label) ? batch : inner) : rows).push_back(label);
  for (const int label : b.labels)
    if (!a.has(label)) columns.push_back(label);
  const auto joined = [](std::vector<int> x, const std::vector<int>& y, const std::vector<int>& z) {
    x.insert(x.end(), y.begin(), y.end());
    x.insert(x.end(), z.begin(), z.end());
    return x;
  };
  const std::vector<int> labels = joined(batch, rows, columns);
  a = permuted(n, a, joined(batch, rows, inner));
  b = permuted(n, b, joined(batch, inner, columns));
  if (inner.empty()) {  // an outer product: broadcasting does it
    Dims a_axes, b_axes;
    for (size_t i = 0; i < columns.size(); ++i) a_axes.push_back(static_cast<int64_t>(batch.size() + rows.size() + i));
    for (size_t i = 0; i < rows.size(); ++i) b_axes.push_back(static_cast<int64_t>(batch.size() + i));
    const ValueId x = a_axes.empty() ? a.value : n.emit(ops::Unsqueeze{.axes = a_axes}, {a.value});
    const ValueId y = b_axes.empty() ? b.value : n.emit(ops::Unsqueeze{.axes = b_axes}, {b.value});
    return {n.pointwise({x, y}, [](const std::vector<Term>& t) { return t[0] * t[1]; }), labels};
  }
  // Batch dims stay as they are and broadcast; rows, columns and inner dims become one dim each.
  const auto flat = [&](const Labelled& x, const std::vector<int>& first, const std::vector<int>& second) {
    if (first.size() == 1 && second.size() == 1) return x.value;
    const ValueId ones = n.int_list({1});
    const auto size = [&](const std::vector<int>& of) {
      if (of.empty()) return ones;
      return n.emit(ops::Reduce{.kind = engine::ReduceKind::prod, .axes = {0}, .keepdims = true}, {dims_of(n, x, of)});
    };
    Values pieces;
    if (!batch.empty()) pieces.push_back(dims_of(n, x, batch));
    pieces.push_back(size(first));
    pieces.push_back(size(second));
    return n.emit(ops::Reshape{.allowzero = true}, {x.value, n.emit(ops::Concat{.axis = 0}, pieces)});
  };
  const ValueId product = n.emit(ops::MatMul{}, {flat(a, rows, inner), flat(b, inner, columns)});
  if (rows.size() == 1 && columns.size() == 1) return {product, labels};
  Values pieces;
  if (!batch.empty()) {  // a batch dim of 1 on one side takes the other's size
    pieces.push_back(n.emit(ops::ShapeOf{.start = 0, .end = static_cast<int64_t>(batch.size())}, {product}));
  }
  if (!rows.empty()) pieces.push_back(dims_of(n, a, rows));
  if (!columns.empty()) pieces.push_back(dims_of(n, b, columns));
  const ValueId shape = pieces.empty() ? n.int_list({}) : n.emit(ops::Concat{.axis = 0}, pieces);
  return {n.emit(ops::Reshape{.allowzero = true}, {product, shape}), labels};
}

}  // namespace

Result<Values> import_einsum(NodeImport& n) {
  std::string equation = n.string_attr("equation", "");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  const std::vector<std::string> terms = split(equation.substr(0, arrow), ',');
  if (terms.size() != n.input_count())
    n.refuse("the equation '{}' has {} terms, the node {} inputs", equation, terms.size(), n.input_count());
  std::vector<Labelled> operands;
  std::map<int, int> counts;
  for (size_t i = 0; i < terms.size() && !n.failed(); ++i) {
    const ValueId value = n.required(i, "an operand");
    const int64_t rank = n.rank(value);
    Labelled x{value, labels_of(n, terms[i], rank)};
    if (static_cast<int64_t>(x.labels.size()) != rank) n.refuse("term '{}' does not fit an operand of rank {}", terms[i], rank);
    for (const int label : x.labels) ++counts[label];
    operands.push_back(diagonal(n, std::move(x)));
  }
  std::vector<int> result;
  if (arrow == std::string::npos) {  // the ellipsis, then letters that stand once, in order
    for (const auto& [label, count] : counts)
      if (label < kEllipsis && count == 1) result.push_back(label);
    for (const auto& [label, count] : counts)
      if (label >= kEllipsis) result.insert(result.begin(), label);
  } else {
    int64_t ellipsis = 0, letters = 0;
    for (const auto& [label, count] : counts) ellipsis += label >= kEllipsis ? 1 : 0;
    for (const char c : equation.substr(arrow + 2)) letters += c != '.' ? 1 : 0;
    result = labels_of(n, std::string_view(equation).substr(arrow + 2), letters + ellipsis);
  }
  for (const int label : result)
    if (!counts.contains(label)) n.refuse("the result of '{}' names a dim that no operand has", equation);
  if (n.failed()) return Values{};

  Labelled all = operands[0];
  for (size_t i = 0; i < operands.size(); ++i) {
    // What later operands and the result still need.
    std::vector<int> needed = result;
    for (size_t k = i + 1; k < operands.size(); ++k) needed.insert(needed.end(), operands[k].labels.begin(), operands[k].labels.end());
    std::vector<int> wanted = needed;
    wanted.insert(wanted.end(), i == 0 ? needed.begin() : all.labels.begin(), i == 0 ? needed.end() : all.labels.end());
    const Labelled next = reduced(n, operands[i], wanted);
    all = i == 0 ? next : multiplied(n, all, next, needed);
    all = reduced(n, all, needed);
  }
  return Values{permuted(n, all, result).value};
}

}  // namespace tenon::onnx
