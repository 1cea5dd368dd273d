// Values of the module from what a file says of them: tensors, types, hints.
#include <algorithm>
#include <cstring>

#include "onnx/importer.h"

namespace tenon::onnx {
namespace {

/// Weights are what refit may change: float tensors of more than one element. All else is frozen.
bool is_weight(const Tensor& tensor) { return is_float(tensor.dtype) && tensor.elems() > 1; }

/// Files may hold any byte for a bool, and bytes at any address: frozen constants are small, so they are copied into the form that
/// evaluators like.
Result<Tensor> tidy(const Tensor& tensor) {
  if (tensor.dtype == DType::str) return tensor;
  TENON_TRY(copy, Tensor::allocate(tensor.dtype, tensor.dims));
  if (tensor.bytes() > 0) std::memcpy(copy.data, tensor.data, static_cast<size_t>(tensor.bytes()));
  if (copy.dtype == DType::boolean)
    for (uint8_t& value : copy.as<uint8_t>()) value = value != 0;
  return std::move(copy);
}

}  // namespace

Result<Tensor> import_tensor(const Model& model, const TensorView& view) {
  const std::optional<DType> dtype = dtype_of_onnx(view.data_type);
  if (!dtype || *dtype == DType::none)
    return fail(ErrorKind::invalid_model, "tensor '{}' has element type {}, which ONNX does not know", view.name, view.data_type);
  TENON_TRY(elems, checked_elems(view.dims));
  if (*dtype == DType::str) {
    if (static_cast<int64_t>(view.strings.size()) != elems)
      return fail(ErrorKind::invalid_model, "tensor '{}' of shape {} has {} strings", view.name, tenon::to_string(view.dims),
                  view.strings.size());
    TENON_TRY(tensor, Tensor::allocate(DType::str, view.dims));
    std::copy(view.strings.begin(), view.strings.end(), tensor.as<std::string>().begin());
    return std::move(tensor);
  }
  TENON_TRY(payload, model.payload(view));
  // Read-only by contract: nothing writes into the tensors of constants and roots.
  auto* data = const_cast<std::byte*>(payload.bytes.data());
  return Tensor::wrap(*dtype, view.dims, data, payload.owner ? payload.owner : model.keep_alive);
}

Result<Tensor> import_tensor(const Model& model, const SparseTensorView& view) {
  TENON_TRY(values, import_tensor(model, view.values));
  TENON_TRY(indices, import_tensor(model, view.indices));
  TENON_TRY(elems, checked_elems(view.dims));
  const int64_t count = values.elems(), rank = static_cast<int64_t>(view.dims.size());
  const bool linear = indices.rank() == 1;
  if (indices.dtype != DType::i64 || values.rank() != 1 || indices.elems() != count * (linear ? 1 : rank))
    return fail(ErrorKind::invalid_model, "sparse tensor '{}': {} values want i64 indices of shape [{}] or [{}, {}]", view.values.name,
                count, count, count, rank);
  if (values.dtype == DType::str || bits_of(values.dtype) < 8)
    return fail(ErrorKind::unsupported, "sparse tensor '{}': elements of type {}", view.values.name, to_string(values.dtype));
  TENON_TRY(dense, Tensor::allocate(values.dtype, view.dims));
  const auto size = static_cast<size_t>(bits_of(values.dtype) / 8);
  if (elems > 0) std::memset(dense.data, 0, static_cast<size_t>(dense.bytes()));
  const Dims strides = strides_of(view.dims);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = 0;
    if (linear) {
      at = element_as_int(indices, i);
    } else {
      for (int64_t d = 0; d < rank; ++d) {
        const int64_t index = element_as_int(indices, i * rank + d);
        if (index < 0 || index >= view.dims[static_cast<size_t>(d)]) at = -elems - 1;
        at += index * strides[static_cast<size_t>(d)];
      }
    }
    if (at < 0 || at >= elems) return fail(ErrorKind::invalid_model, "sparse tensor '{}': index {} lies outside", view.values.name, i);
    std::memcpy(dense.data + static_cast<size_t>(at) * size, values.data + static_cast<size_t>(i) * size, size);
  }
  return std::move(dense);
}

void Importer::declare_tensors(Scope& scope, const GraphView& graph) {
  for (const TensorView& tensor : graph.initializers) scope.tensors[tensor.name] = &tensor;
  for (const SparseTensorView& sparse : graph.sparse_initializers) {
    auto tensor = import_tensor(model_, sparse);
    if (tensor.ok()) {
      scope.names[sparse.values.name] = add_tensor(scope, sparse.values.name, std::move(*tensor));
    } else {
      report(tensor.error().message());
      scope.names[sparse.values.name] = poison(scope);
    }
  }
  for (const ValueView& info : graph.inputs) scope.hints[info.name] = &info.type;
  for (const ValueView& info : graph.value_infos) scope.hints[info.name] = &info.type;
  for (const ValueView& info : graph.outputs)
    if (info.type.kind != TypeView::Kind::none) scope.hints[info.name] = &info.type;
}

std::optional<ValueId> Importer::find(Scope& scope, std::string_view name) {
  if (const auto found = scope.names.find(name); found != scope.names.end()) return found->second;
  if (const auto tensor = scope.tensors.find(name); tensor != scope.tensors.end()) {
    auto loaded = import_tensor(model_, *tensor->second);
    ValueId value = ValueId::none;
    if (loaded.ok()) {
      value = add_tensor(scope, name, std::move(*loaded));
    } else {
      report(loaded.error().message());
      value = poison(scope);
    }
    return scope.names[name] = value;
  }
  if (!scope.outer) return std::nullopt;
  const std::optional<ValueId> outer = find(*scope.outer, name);
  if (!outer || *outer == ValueId::none) return outer;
  const ir::Value& value = module_[scope.outer->graph][*outer];
  if (poisoned(*scope.outer, *outer)) return scope.names[name] = poison(scope);
  if (!value.is_constant() && !value.is_root()) return std::nullopt;
  return scope.names[name] = recreate(scope.graph, value);
}

ValueId Importer::recreate(GraphId to, const ir::Value& value) {
  if (value.is_root()) return module_[to].add_root(value.root, value.fact);
  return module_[to].add_constant(*value.fact.constant, value.name);
}

ValueId Importer::add_tensor(Scope& scope, std::string_view name, Tensor tensor) {
  ir::Graph& graph = module_[scope.graph];
  if (!is_weight(tensor)) {
    auto copy = tidy(tensor);
    if (!copy.ok()) {
      report(strf("tensor '{}': {}", name, copy.error().message()));
      return poison(scope);
    }
    return graph.add_constant(std::move(*copy), scope.prefix + std::string(name));
  }
  std::string unique = scope.prefix + std::string(name);
  for (int i = 1; roots_.contains(unique); ++i) unique = strf("{}{}.{}", scope.prefix, name, i);
  roots_.emplace(unique, module_.roots.size());
  Fact fact(tensor.dtype, Shape::of(tensor.dims));
  module_.roots.push_back({unique, std::move(tensor)});
  return graph.add_root(unique, std::move(fact));
}

void Importer::prune_roots() {
  std::set<std::string_view> used;
  for (const ir::Graph& graph : module_.graphs) {
    const auto use = [&](ValueId id) {
      if (id != ValueId::none && graph[id].is_root()) used.insert(graph[id].root);
    };
    for (const ir::NodeId id : graph.order)
      for (const ValueId in : graph[id].in) use(in);
    for (const ir::Port& port : graph.outputs) use(port.value);
  }
  for (ir::Graph& graph : module_.graphs)  // a weight that an operator took as attributes leaves a value that nothing reads
    for (ir::Value& value : graph.values)
      if (value.is_root() && !used.contains(value.root)) value.root.clear();
  std::erase_if(module_.roots, [&](const ir::Root& root) { return !used.contains(root.name); });
}

ValueType Importer::value_type(const TypeView& type, std::string_view name) {
  switch (type.kind) {
    case TypeView::Kind::sequence: return ValueType::sequence(type.element ? value_type(*type.element, name) : ValueType());
    case TypeView::Kind::optional: return ValueType::optional(type.element ? value_type(*type.element, name) : ValueType());
    case TypeView::Kind::map:
      return ValueType::map(dtype_of_onnx(type.key_type).value_or(DType::none),
                            type.element ? value_type(*type.element, name) : ValueType());
    default: break;
  }
  const DType dtype = dtype_of_onnx(type.elem_type).value_or(DType::none);
  if (!type.has_shape) return ValueType::tensor(dtype, Shape::unknown());
  Shape shape;
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const DimView& dim = type.dims[i];
    if (dim.value && *dim.value > kMostElems)
      report(strf("value '{}': a dim of {} elements is more than any memory holds", name, *dim.value));
    if (dim.value && *dim.value >= 0) {
      shape.dims().push_back(Dim(std::min(*dim.value, kMostElems)));
    } else if (!dim.param.empty()) {
      module_.symbols.rows.try_emplace(std::string(dim.param));
      shape.dims().push_back(Dim::symbol(dim.param));
    } else {
      shape.dims().push_back(module_.symbols.mint(strf("{}_d{}", name, i)));
    }
  }
  return ValueType::tensor(dtype, std::move(shape));
}

/// The file's value_info is a hint: it fills what inference left open, and never overrides what it found.
void Importer::apply_hint(const Scope& scope, std::string_view name, Fact& fact) {
  const auto found = scope.hints.find(name);
  const TypeView* hint = found == scope.hints.end() ? nullptr : found->second;
  const auto remember_symbols = [&] {
    std::vector<std::string> names;
    if (fact.has_rank())
      for (const Dim& dim : fact.shape().dims()) dim.collect(names);
    seen_symbols_.insert(names.begin(), names.end());
  };
  if (!trusts_types_ || !hint || hint->kind == TypeView::Kind::none) return remember_symbols();
  const bool open_kind = fact.type.is_tensor() && fact.dtype() == DType::none && !fact.has_rank();
  if (hint->kind != TypeView::Kind::tensor) {
    if (open_kind) fact.type = value_type(*hint, name);
    return remember_symbols();
  }
  if (!fact.type.is_tensor()) return warn("value '{}': the file says tensor, it is {}", name, to_string(fact.type));
  const DType dtype = dtype_of_onnx(hint->elem_type).value_or(DType::none);
  if (fact.dtype() == DType::none) fact.type.dtype = dtype;
  if (dtype != DType::none && dtype != fact.dtype())
    warn("value '{}': the file says type {}, it is {}", name, to_string(dtype), to_string(fact.dtype()));
  if (!hint->has_shape) return remember_symbols();

  const auto said = [&](size_t i) -> std::optional<Dim> {
    const DimView& dim = hint->dims[i];
    if (dim.value && *dim.value >= 0 && *dim.value <= kMostElems) return Dim(*dim.value);
    if (!dim.param.empty() && module_.symbols.rows.contains(dim.param)) return Dim::symbol(dim.param);
    return std::nullopt;
  };
  if (!fact.has_rank()) {
    Shape shape;
    for (size_t i = 0; i < hint->dims.size(); ++i) shape.dims().push_back(said(i).value_or(module_.symbols.mint(strf("{}_d{}", name, i))));
    fact.type.shape = std::move(shape);
    return remember_symbols();
  }
  bool agrees = fact.rank() == static_cast<int64_t>(hint->dims.size());
  for (size_t i = 0; agrees && i < hint->dims.size(); ++i) {
    Dim& dim = fact.type.shape[static_cast<int64_t>(i)];
    const std::optional<Dim> want = said(i);
    if (!want || *want == dim) continue;
    const auto symbol = dim.as_symbol();
    if (module_.symbols.known_equal(dim, *want) == Known::no) {
      agrees = false;
    } else if (symbol && !seen_symbols_.contains(*symbol) && want->is_constant()) {
      dim = *want;  // a size that only the data decides, and that nothing else has read yet
    }
  }
  if (!agrees) {
    std::string dims;
    for (const DimView& dim : hint->dims)
      dims += (dims.empty() ? "" : ", ") + (dim.value ? strf("{}", *dim.value) : std::string(dim.param));
    warn("value '{}': the file says shape [{}], it is {}", name, dims, to_string(fact.shape()));
  }
  remember_symbols();
}

}  // namespace tenon::onnx
