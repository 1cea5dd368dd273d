#include "backends/cuda/tactics/finish_text.h"

#include "backends/cuda/tactics/expr_text.h"

namespace tenon::cuda {
namespace {

Dim product_of(std::span<const Dim> dims) {
  Dim out = 1;
  for (const Dim& dim : dims) out = out * dim;
  return out;
}

/// A dim of the output and how far an operand moves along it, in elements.
struct Step {
  Dim size, stride;
};

/// Steps of an operand along the output's dims; nothing if it does not broadcast to them.
std::optional<std::vector<Step>> steps_of(const Shape& operand, std::span<const Dim> out) {
  if (!operand.has_rank()) return std::nullopt;
  const std::vector<Dim>& dims = operand.dims();
  std::vector<Step> steps(out.size());
  Dim stride = 1;
  bool fits = true;
  for (size_t i = 0; i < std::max(out.size(), dims.size()); ++i) {
    const Dim have = i < dims.size() ? dims[dims.size() - 1 - i] : Dim(1);
    if (i >= out.size()) {
      fits = fits && have == Dim(1);
      continue;
    }
    Step& step = steps[out.size() - 1 - i];
    step.size = out[out.size() - 1 - i];
    fits = fits && (have == Dim(1) || have == step.size);
    if (have != Dim(1)) step.stride = stride;
    stride = stride * have;
  }
  if (fits) return steps;
  // The graph may group the dims otherwise.
  if (!(product_of(dims) == product_of(out))) return std::nullopt;
  stride = 1;
  for (size_t i = out.size(); i-- > 0; stride = stride * out[i]) steps[i] = {out[i], stride};
  return steps;
}

/// Neighbours that are walked evenly become one; dims of 1 vanish.
std::vector<Step> merged(std::span<const Step> steps) {
  std::vector<Step> out;
  for (const Step& step : steps) {
    if (step.size == Dim(1)) continue;
    if (!out.empty() && out.back().stride == step.stride * step.size)
      out.back() = {out.back().size * step.size, step.stride};
    else
      out.push_back(step);
  }
  return out;
}

/// How far the operand moves up to `index`, a text of type i64 or int.
std::string offset_text(KernelWriter& w, const std::vector<Step>& steps, const std::string& index) {
  std::string out, rest = index;
  for (size_t i = steps.size(); i-- > 0;) {
    const std::string at = i == 0 ? rest : strf("{} % {}", rest, w.size(steps[i].size));
    if (!(steps[i].stride == Dim(0))) {
      if (!out.empty()) out += " + ";
      out += steps[i].stride == Dim(1) ? strf("({})", at) : strf("i64({}) * {}", at, w.size(steps[i].stride));
    }
    if (i > 0) rest = strf("({} / {})", rest, w.size(steps[i].size));
  }
  return out.empty() ? "0" : out;
}

struct Operand {
  DType type = DType::none;
  std::vector<Step> rows, columns;
  bool constant() const { return columns.empty() || (columns.size() == 1 && columns[0].stride == Dim(0)); }  // along the columns
  bool dense() const { return columns.size() == 1 && columns[0].stride == Dim(1); }
};

DType type_of_input(const Expr& expr, int input) {
  for (const ExprNode& node : expr.nodes)
    if (node.fn == Fn::input && node.input == input) return node.type;
  return DType::none;  // not used
}

std::optional<Operand> operand_of(const FinishSpec& spec, size_t i) {
  std::vector<Dim> out = spec.row_dims;
  out.insert(out.end(), spec.column_dims.begin(), spec.column_dims.end());
  const auto steps = steps_of(spec.epilogue->operands[i], out);
  if (!steps) return std::nullopt;
  const std::span<const Step> all = *steps;
  return Operand{type_of_input(spec.epilogue->expr, static_cast<int>(i) + 1), merged(all.first(spec.row_dims.size())),
                 merged(all.subspan(spec.row_dims.size()))};
}

bool plain(const FinishSpec& spec) { return !spec.epilogue || spec.epilogue->expr.empty(); }

std::vector<DType> result_types(const FinishSpec& spec) {
  if (plain(spec)) return {spec.out};
  std::vector<DType> out;
  for (const int node : spec.epilogue->expr.results) out.push_back(spec.epilogue->expr.type_of(node));
  return out;
}

}  // namespace

engine::Verdict takes_finish(const FinishSpec& spec) {
  if (plain(spec)) return storage_type(spec.out).empty() ? engine::no("the output's type has no form on the device") : engine::Verdict{};
  const Expr& expr = spec.epilogue->expr;
  if (!has_text(expr)) return engine::no("the epilogue has types or functions without a device text");
  const DType first = type_of_input(expr, 0);
  if (first != DType::none && compute_type(first) != "float") return engine::no("the epilogue wants its sums in another type than f32");
  if (expr.input_count() > static_cast<int>(spec.epilogue->operands.size()) + 1) return engine::no("the epilogue lacks operands");
  for (size_t i = 0; i < spec.epilogue->operands.size(); ++i)
    if (!operand_of(spec, i)) return engine::no("an operand of the epilogue does not broadcast to the product's dims");
  return {};
}

size_t outputs_of(const FinishSpec& spec) { return result_types(spec).size(); }

std::string finish_text(KernelWriter& w, const FinishSpec& spec) {
  const std::string columns = w.size(product_of(spec.column_dims));
  std::string before, body, after;
  std::vector<std::string> inputs = {spec.has_bias ? "sum" : "v[e]"};
  // One operand: a vector where calls are whole and it lies dense, else an element at a time; one for all where it does not move.
  const auto operand = [&](const std::string& name, size_t input, const Operand& from) {
    const std::string_view type = storage_type(from.type);
    before += strf("    const {}* const {}_at = static_cast<const {}*>(p.in{}) + {};\n", type, name, type, input,
                   offset_text(w, from.rows, "at_row"));
    if (from.constant()) {
      before += strf("    const {} {} = {};\n", compute_type(from.type), name, loaded(from.type, strf("{}_at[0]", name)));
    } else if (from.dense() && spec.whole) {
      before += strf("    {} {}_each[{}];\n    load_each({}_each, {}_at + at_column);\n", type, name, spec.each, name, name);
      body += strf("      const {} {} = {};\n", compute_type(from.type), name, loaded(from.type, strf("{}_each[e]", name)));
    } else {
      body += strf("      const {} {} = {};\n", compute_type(from.type), name,
                   loaded(from.type, strf("{}_at[{}]", name, offset_text(w, from.columns, "(at_column + e)"))));
    }
    return name;
  };
  if (spec.has_bias) {
    Operand bias{spec.bias, {}, {{product_of(spec.column_dims), 1}}};
    if (!(spec.bias_rows == Dim(0))) bias = {spec.bias, {{product_of(spec.row_dims), 0}, {spec.bias_rows, 1}}, {}};
    operand("bias", 2, bias);
    body += "      const float sum = v[e] + float(bias);\n";
  }
  const bool normalised = spec.row_norm != engine::RowNorm::none;
  if (normalised) {
    const bool centred = spec.row_norm == engine::RowNorm::layer;
    if (centred) operand("of_b", 2, {DType::f32, {}, {{product_of(spec.column_dims), 1}}});
    body += strf("      const float normal = {} * moments.y;\n", centred ? "(v[e] - moments.x * of_b)" : "v[e]");
    inputs = {"normal"};
  }
  const std::vector<DType> types = result_types(spec);
  std::vector<std::string> results = inputs;
  if (!plain(spec)) {
    for (size_t i = 0; i < spec.epilogue->operands.size(); ++i) {
      const Operand from = *operand_of(spec, i);
      inputs.push_back(from.type == DType::none ? "0" : operand(strf("x{}", i + 1), spec.inputs + i, from));
    }
    const ExprText text = expr_text(spec.epilogue->expr, inputs, "t");
    body += text.statements;
    results = text.results;
  }
  for (size_t i = 0; i < types.size(); ++i) {
    const std::string_view type = storage_type(types[i]);
    before += strf("    {}* const y{}_at = static_cast<{}*>(p.out{}) + at_row * {} + at_column;\n", type, i, type, i, columns);
    if (spec.whole) {
      before += strf("    {} y{}[{}];\n", type, i, spec.each);
      after += strf("    store_each(y{}_at, y{});\n", i, i);
    }
    body += strf("      {}[e] = {};\n", spec.whole ? strf("y{}", i) : strf("y{}_at", i), stored(types[i], results[i]));
  }
  std::string out = strf("struct Finish {{\n  enum : int {{ EACH = {} }};\n", spec.each);
  out += "  static __device__ __forceinline__ void store(const Args& p, int batch, int row, int column,";
  out += strf(" const float (&v)[{}]{}) {{\n", spec.each, normalised ? ", float2 moments" : "");
  out += strf("    const i64 at_row = {};\n    const int at_column = {};\n", spec.row, spec.column);
  if (!spec.whole) out += strf("    const int end = {};\n", spec.columns);
  out += before + "#pragma unroll\n" + strf("    for (int e = 0; e < {}; ++e) {{\n", spec.each);
  if (!spec.whole) out += "      if (at_column + e >= end) continue;\n";
  return out + body + "    }\n" + after + "  }\n};\n";
}

}  // namespace tenon::cuda
