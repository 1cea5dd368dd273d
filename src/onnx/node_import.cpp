#include "onnx/node_import.h"

#include <algorithm>

#include "base/text.h"
#include "onnx/importer.h"
#include "ops/pointwise.h"
#include "ops/range.h"
#include "ops/reshape.h"
#include "ops/shape_of.h"

namespace tenon::onnx {

NodeImport::NodeImport(Importer& importer, Scope& scope, const NodeView& node, int64_t opset, Values inputs, ir::Origin origin)
    : importer_(importer), scope_(scope), node_(node), opset_(opset), inputs_(std::move(inputs)), origin_(std::move(origin)) {}

const Model& NodeImport::model() const { return importer_.model_; }
ir::Module& NodeImport::module() { return importer_.module_; }
ir::Graph& NodeImport::graph() const { return importer_.module_[scope_.graph]; }

void NodeImport::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

ValueId NodeImport::required(size_t i, std::string_view name) {
  if (!has_input(i)) refuse("input {} ({}) is missing", i, name);
  return input(i);
}

// ---- attributes

const AttributeView* NodeImport::attr(std::string_view name) const { return importer_.resolve(scope_, node_.find(name)); }

const AttributeView* NodeImport::attr(std::string_view name, AttributeType type) {
  const AttributeView* found = attr(name);
  if (!found || found->type == AttributeType::undefined) return nullptr;
  if (found->type == type) return found;
  refuse("attribute '{}' is of type {}, wanted {}", name, to_string(found->type), to_string(type));
  return nullptr;
}

int64_t NodeImport::int_attr(std::string_view name, int64_t otherwise) {
  const int64_t number = wide_int_attr(name, otherwise);
  if (number == otherwise || (number >= -kMostCount && number <= kMostCount)) return number;
  refuse("attribute '{}' is {}", name, number);
  return otherwise;
}
int64_t NodeImport::wide_int_attr(std::string_view name, int64_t otherwise) {
  const AttributeView* found = attr(name, AttributeType::i);
  return found ? found->i : otherwise;
}
int64_t NodeImport::required_int(std::string_view name) {
  if (!has_attr(name)) refuse("attribute '{}' is missing", name);
  return int_attr(name, 0);
}
double NodeImport::float_attr(std::string_view name, double otherwise) {
  const AttributeView* found = attr(name, AttributeType::f);
  return found ? static_cast<double>(found->f) : otherwise;
}
std::string NodeImport::string_attr(std::string_view name, std::string_view otherwise) {
  const AttributeView* found = attr(name, AttributeType::s);
  return std::string(found ? found->s : otherwise);
}
Dims NodeImport::ints_attr(std::string_view name, Dims otherwise) {
  const AttributeView* any = attr(name);
  if (any && any->type == AttributeType::i) return {any->i};                        // some exporters write one axis as a plain integer
  if (any && any->type == AttributeType::floats && any->floats.empty()) return {};  // an empty list has no type on the wire
  const AttributeView* found = attr(name, AttributeType::ints);
  return found ? found->ints : otherwise;
}
std::vector<double> NodeImport::floats_attr(std::string_view name, std::vector<double> otherwise) {
  const AttributeView* any = attr(name);
  if (any && any->type == AttributeType::ints && any->ints.empty()) return {};
  const AttributeView* found = attr(name, AttributeType::floats);
  return found ? std::vector<double>(found->floats.begin(), found->floats.end()) : otherwise;
}
std::vector<std::string> NodeImport::strings_attr(std::string_view name, std::vector<std::string> otherwise) {
  const AttributeView* found = attr(name, AttributeType::strings);
  return found ? std::vector<std::string>(found->strings.begin(), found->strings.end()) : otherwise;
}
std::optional<Tensor> NodeImport::tensor_attr(std::string_view name) {
  const AttributeView* found = attr(name, AttributeType::tensor);
  if (!found || !found->tensor()) return std::nullopt;
  auto tensor = import_tensor(importer_.model_, *found->tensor());
  if (tensor.ok()) return std::move(*tensor);
  refuse(std::move(tensor.error()).within(strf("attribute '{}'", name)));
  return std::nullopt;
}
std::optional<ValueType> NodeImport::type_attr(std::string_view name) {
  const AttributeView* found = attr(name, AttributeType::type_proto);
  if (!found || !found->type_proto()) return std::nullopt;
  return importer_.value_type(*found->type_proto(), name);
}
size_t NodeImport::enum_index(std::string_view name, size_t otherwise, std::span<const std::string_view> names) {
  const AttributeView* found = attr(name, AttributeType::s);
  if (!found) return otherwise;
  const auto at = std::ranges::find(names, found->s);
  if (at != names.end()) return static_cast<size_t>(at - names.begin());
  refuse("attribute '{}' is '{}', wanted one of {}", name, found->s, join({names.begin(), names.end()}, ", "));
  return otherwise;
}
DType NodeImport::dtype_attr(std::string_view name, DType otherwise) {
  const AttributeView* found = attr(name, AttributeType::i);
  if (!found) return otherwise;
  const std::optional<DType> dtype = dtype_of_onnx(found->i);
  if (!dtype || *dtype == DType::none) refuse("attribute '{}' is {}, which is no element type", name, found->i);
  return dtype.value_or(otherwise);
}

// ---- facts

const Fact& NodeImport::fact(ValueId id) const {
  static const Fact unknown;
  return id == ValueId::none ? unknown : graph()[id].fact;
}
int64_t NodeImport::rank(ValueId id) {
  const Fact& known = fact(id);
  if (known.has_rank()) return known.rank();
  lacks_rank_ = lacks_rank_ || !failed();
  unsupported("the rank of an input is not known; give the model's inputs their shapes, or simplify it with onnx-simplifier");
  return 0;
}
std::optional<int64_t> NodeImport::size(ValueId id, int64_t axis) const {
  const Fact& known = fact(id);
  if (!known.has_rank()) return std::nullopt;
  const auto normalized = normalize_axis(axis, known.rank());
  return normalized.ok() ? known.shape()[*normalized].constant() : std::nullopt;
}
void NodeImport::keep_open(ValueId id) {
  std::vector<std::string> names;
  if (fact(id).has_rank())
    for (const Dim& dim : fact(id).shape().dims()) dim.collect(names);
  importer_.seen_symbols_.insert(names.begin(), names.end());
}
int64_t NodeImport::axis(int64_t axis, int64_t rank) {
  auto normalized = normalize_axis(axis, rank);
  if (normalized.ok()) return *normalized;
  refuse(std::move(normalized.error()));
  return 0;
}
Dims NodeImport::known_ints(ValueId id, std::string_view what) {
  if (auto values = ints(id)) return *values;
  unsupported("{} must be known when the model is imported", what);
  return {};
}
std::optional<Tensor> NodeImport::contents(ValueId id) const {
  if (id == ValueId::none) return std::nullopt;
  const ir::Value& value = graph()[id];
  if (value.is_constant()) return *value.fact.constant;
  if (value.is_root()) {
    if (const auto found = importer_.roots_.find(value.root); found != importer_.roots_.end())
      return importer_.module_.roots[found->second].data;
  }
  return std::nullopt;
}
ValueId NodeImport::frozen(ValueId id) {
  if (id == ValueId::none || !graph()[id].is_root()) return id;
  const std::string name = graph()[id].name;
  return graph().add_constant(*contents(id), name);
}

// ---- the graph

ValueId NodeImport::constant(Tensor tensor) { return failed() ? ValueId::none : graph().add_constant(std::move(tensor)); }

ValueId NodeImport::scalar(DType dtype, double value) {
  if (!is_float(dtype) && !is_int(dtype) && dtype != DType::boolean) refuse("an input of type {}, wanted numbers", to_string(dtype));
  return failed() ? ValueId::none : constant(scalar_tensor(dtype, value));
}

ValueId NodeImport::initializer(const Tensor& tensor) {
  const std::string_view name = has_output(0) ? node_.outputs[0] : std::string_view("constant");
  return failed() ? ValueId::none : importer_.add_tensor(scope_, name, tensor);
}

Values NodeImport::emit_op(Op op, Values in, std::vector<GraphId> regions, size_t outputs) {
  Values none(outputs, ValueId::none);
  if (failed()) return none;
  const std::string_view name = op.name();
  auto facts = ir::infer_node(importer_.module_, op, ir::facts_of(graph(), in), regions, static_cast<int>(outputs));
  if (!facts.ok()) {
    refuse(name == op_type() ? std::move(facts.error()) : std::move(facts.error()).within(name));
    return none;
  }
  if (facts->size() < outputs) {
    refuse("{} gives {} outputs, the node wants {}", name, facts->size(), outputs);
    return none;
  }
  facts->resize(outputs);
  for (const Fact& fact : *facts)
    if (fact.has_rank())
      for (const Dim& dim : fact.shape().dims())
        if (dim.constant().value_or(0) > kMostElems)
          refuse("{} makes a dim of {} elements, more than any memory holds", name, *dim.constant());
  if (failed()) return none;
  const ir::NodeId id = graph().add_node(std::move(op), std::move(in), std::move(*facts), {origin_});
  graph()[id].regions = std::move(regions);
  return graph()[id].out;
}

ValueId NodeImport::pointwise(const Values& in, const std::function<Term(const std::vector<Term>&)>& formula) {
  if (failed()) return ValueId::none;
  Expr expr;
  std::vector<Term> terms;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] == ValueId::none) refuse("input {} is missing", i);
    if (!fact(in[i]).type.is_tensor()) refuse("input {} is no tensor", i);
    if (dtype(in[i]) == DType::none) refuse("the element type of input {} is not known", i);
    if (failed()) return ValueId::none;
    terms.push_back({&expr, expr.add_input(static_cast<int>(i), dtype(in[i]))});
  }
  const Term result = formula(terms);
  if (failed()) return ValueId::none;
  expr.results = {result.node};
  const auto valid = verify(expr);
  if (!valid.ok()) {
    refuse(valid.error());
    return ValueId::none;
  }
  return emit(ops::Pointwise{.expr = std::move(expr)}, in);
}

ValueId NodeImport::cast(ValueId value, DType to) {
  if (failed() || dtype(value) == to) return value;
  return pointwise({value}, [&](const std::vector<Term>& x) { return x[0].cast(to); });
}

ValueId NodeImport::indices_of(ValueId value, int64_t axis, int64_t place, int64_t rank) {
  const int64_t zero = 0, one = 1;
  const auto number = [&](const int64_t& x) { return constant(make_tensor<int64_t>(DType::i64, {}, std::span(&x, 1))); };
  const ValueId size = emit(ops::Squeeze{.axes = {{0}}}, {emit(ops::ShapeOf{.start = axis, .end = axis + 1}, {value})});
  const ValueId range = emit(ops::Range{}, {number(zero), size, number(one)});
  Dims ones;
  for (int64_t i = 0; i < rank; ++i)
    if (i != place) ones.push_back(i);
  return ones.empty() ? range : emit(ops::Unsqueeze{.axes = ones}, {range});
}

// ---- regions

NodeImport::Captures NodeImport::captures(const std::vector<const GraphView*>& bodies) { return importer_.find_captures(scope_, bodies); }
GraphId NodeImport::region(const GraphView& body, const Facts& formals, const Captures& captures) {
  if (body.inputs.size() != formals.size())
    refuse("body '{}' takes {} inputs, the node gives {}", body.name, body.inputs.size(), formals.size());
  return failed() ? GraphId::none : importer_.import_body(scope_, body, formals, captures);
}
void NodeImport::drop_regions(size_t count) {
  importer_.module_.graphs.resize(count);
  std::erase_if(importer_.poisoned_, [&](const auto& entry) { return static_cast<size_t>(entry.first) >= count; });
}

}  // namespace tenon::onnx
