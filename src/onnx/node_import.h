// NodeImport: one ONNX node as its import function sees it, and the graph that the function appends to.
//
// The first error sticks: after it, emit() gives ValueId::none and appends nothing, attributes give their defaults, and whatever
// the function returns, the node is reported once. Facts of ValueId::none are unknown, so functions may ask without checking.
#pragma once
#include <functional>
#include <optional>

#include "ir/graph.h"
#include "onnx/model.h"
#include "onnx/term.h"
#include "ops/row.h"

namespace tenon::onnx {

using ir::GraphId;
using ir::ValueId;
using ir::Values;

class Importer;
struct Scope;

class NodeImport {
 public:
  NodeImport(Importer& importer, Scope& scope, const NodeView& node, int64_t opset, Values inputs, ir::Origin origin);

  std::string_view op_type() const { return node_.op_type; }
  int64_t opset() const { return opset_; }
  const Values& inputs() const { return inputs_; }
  size_t input_count() const { return inputs_.size(); }
  /// ValueId::none where absent.
  ValueId input(size_t i) const { return i < inputs_.size() ? inputs_[i] : ValueId::none; }
  bool has_input(size_t i) const { return input(i) != ValueId::none; }
  /// Errors where absent.
  ValueId required(size_t i, std::string_view name);
  size_t output_count() const { return node_.outputs.size(); }
  bool has_output(size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }

  /// Attributes: the default where absent, an error where of another type.
  bool has_attr(std::string_view name) const { return attr(name) != nullptr; }
  /// A count, an axis, a mode: at most kMostCount either way, so that a product of two is a number; else an error.
  int64_t int_attr(std::string_view name, int64_t otherwise);
  /// Any number.
  int64_t wide_int_attr(std::string_view name, int64_t otherwise);
  static constexpr int64_t kMostCount = int64_t{1} << 30;
  double float_attr(std::string_view name, double otherwise);
  std::string string_attr(std::string_view name, std::string_view otherwise);
  Dims ints_attr(std::string_view name, Dims otherwise = {});
  std::vector<double> floats_attr(std::string_view name, std::vector<double> otherwise = {});
  std::vector<std::string> strings_attr(std::string_view name, std::vector<std::string> otherwise = {});
  std::optional<Tensor> tensor_attr(std::string_view name);
  std::optional<ValueType> type_attr(std::string_view name);
  /// The attribute as it stands in the file, function references resolved; null where absent.
  const AttributeView* attr(std::string_view name) const;
  /// An attribute that must be there.
  int64_t required_int(std::string_view name);
  /// An attribute that says one of `names`: its position.
  template <class E>
  E enum_attr(std::string_view name, E otherwise);
  DType dtype_attr(std::string_view name, DType otherwise);

  const Fact& fact(ValueId id) const;
  DType dtype(ValueId id) const { return fact(id).dtype(); }
  /// Error where unknown.
  int64_t rank(ValueId id);
  /// Of a dim, which may count from the end, if it is known now.
  std::optional<int64_t> size(ValueId id, int64_t axis) const;
  /// Sizes of the value that follow from data stay open, whatever the file says of them.
  void keep_open(ValueId id);
  /// 0..rank-1; error outside.
  int64_t axis(int64_t axis, int64_t rank);
  /// Contents of an integer tensor, if known now.
  std::optional<Dims> ints(ValueId id) const { return fact(id).ints(); }
  /// The same, an error where they are not.
  Dims known_ints(ValueId id, std::string_view what);
  /// The contents of a frozen constant or of a root.
  std::optional<Tensor> contents(ValueId id) const;
  /// A root as a frozen constant, for operands that shape inference reads; all else as it is.
  ValueId frozen(ValueId id);

  ValueId constant(Tensor tensor);
  /// A value as an initializer would be: a root where it is a weight, a constant else.
  ValueId initializer(const Tensor& tensor);
  ValueId scalar(DType dtype, double value);
  ValueId int_list(const Dims& values) { return constant(int64_tensor(values)); }

  template <class T>
  ValueId emit(T attributes, Values in) {
    return first(emit_op(ops::make_op(std::move(attributes)), std::move(in), {}, 1));
  }
  template <class T>
  Values emit(T attributes, Values in, size_t outputs) {
    return emit_op(ops::make_op(std::move(attributes)), std::move(in), {}, outputs);
  }
  Values emit_op(Op op, Values in, std::vector<GraphId> regions, size_t outputs);
  /// One Pointwise node: input i of the expression is in[i].
  ValueId pointwise(const Values& in, const std::function<Term(const std::vector<Term>&)>& formula);
  ValueId cast(ValueId value, DType to);
  /// 0, 1, … up to the size of a dim of `value`, as i64 of shape [1, …, size, …, 1] with the size at `place` of `rank`.
  ValueId indices_of(ValueId value, int64_t axis, int64_t place, int64_t rank);

  /// Regions: what the bodies use from around them becomes trailing inputs.
  struct Captures {
    std::vector<std::string_view> names;
    Values values;
  };
  Captures captures(const std::vector<const GraphView*>& bodies);
  /// A body as a graph of the module; `formals` are the facts of its own inputs. Errors inside are reported by their own nodes.
  GraphId region(const GraphView& body, const Facts& formals, const Captures& captures);
  /// A region that `build` writes: it appends to the region's graph and returns what the region gives back. What it reads from around it
  /// are trailing inputs of the node, and so trailing `formals`.
  GraphId write_region(std::string name, const Facts& formals, const std::function<Values(NodeImport&, const Values&)>& build);
  /// Appends the nodes of a body here: `inputs` stand for its inputs, `captured` for captures.names. Its outputs.
  Values inline_body(const GraphView& body, const Values& inputs, const Captures& captures, const Values& captured);
  ir::Module& module();
  const Model& model() const;
  /// Drops the regions that were made after `count` graphs were there: they are imported anew with other facts.
  void drop_regions(size_t count);

  /// Records an error; the first one wins.
  void refuse(Error error);
  template <class... Args>
  void refuse(fmt::format_string<Args...> text, Args&&... args) {
    refuse(Error{ErrorKind::invalid_model, strf(text, std::forward<Args>(args)...)});
  }
  template <class... Args>
  void unsupported(fmt::format_string<Args...> text, Args&&... args) {
    refuse(Error{ErrorKind::unsupported, strf(text, std::forward<Args>(args)...)});
  }
  const std::optional<Error>& error() const { return error_; }
  bool failed() const { return error_.has_value(); }
  /// Whether it failed because rank() was not known.
  bool lacks_rank() const { return lacks_rank_; }
  const ir::Origin& origin() const { return origin_; }

 private:
  static ValueId first(const Values& values) { return values.empty() ? ValueId::none : values[0]; }
  const AttributeView* attr(std::string_view name, AttributeType type);
  size_t enum_index(std::string_view name, size_t otherwise, std::span<const std::string_view> names);
  ir::Graph& graph() const;

  Importer& importer_;
  Scope& scope_;
  const NodeView& node_;
  int64_t opset_ = 0;
  Values inputs_;
  ir::Origin origin_;
  std::optional<Error> error_;
  bool lacks_rank_ = false;
};

template <class E>
E NodeImport::enum_attr(std::string_view name, E otherwise) {
  static constexpr auto names = enum_names(E{});
  return static_cast<E>(enum_index(name, static_cast<size_t>(otherwise), names));
}

}  // namespace tenon::onnx
