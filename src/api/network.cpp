// Network: inputs, constants, outputs, questions. The layers are in network_layers.cpp.
#include "api/network_impl.h"

namespace tenon {
inline namespace v1 {
namespace {

core::Dim dim_of(ir::Module& module, const Dim& dim, std::string_view input, size_t axis) {
  if (!dim.name.empty()) {
    module.symbols.rows.try_emplace(dim.name);
    return core::Dim::symbol(dim.name);
  }
  if (dim.size >= 0) return dim.size;
  return module.symbols.mint(strf("{}_d{}", input, axis));
}

core::Result<core::Tensor> copy_of(const Weights& weights) {
  const auto dtype = dtype_of_onnx(static_cast<int>(weights.dtype));
  if (!dtype || *dtype == core::DType::none || *dtype == core::DType::str)
    return fail("weights cannot have element type {}", to_string(weights.dtype));
  TENON_TRY(elems, checked_elems(weights.dims));
  const int64_t bytes = bytes_of(*dtype, elems);
  if (static_cast<size_t>(bytes) != weights.bytes)
    return fail("weights {}{} take {} bytes, got {}", to_string(*dtype), core::to_string(weights.dims), bytes, weights.bytes);
  if (bytes > 0 && !weights.data) return fail("the weights' data is null");
  TENON_TRY(tensor, core::Tensor::allocate(*dtype, weights.dims));
  if (bytes > 0) std::memcpy(tensor.data, weights.data, weights.bytes);
  return std::move(tensor);
}

}  // namespace

Log log_of(const Logger& logger) {
  if (!logger.callback) return Log();
  return Log(
      [callback = logger.callback, least = logger.least](core::Severity severity, std::string_view text) {
        if (static_cast<int>(severity) <= static_cast<int>(least)) callback(static_cast<Severity>(severity), text);
      },
      static_cast<core::Severity>(logger.least));
}

Tensor NetworkImpl::wrap(ir::ValueId id) const {
  Tensor out;
  out.network_ = this;
  out.id_ = static_cast<int64_t>(id);
  return out;
}

core::Result<ir::ValueId> NetworkImpl::unwrap(const Tensor& tensor) const {
  if (!tensor.network_) return fail("a tensor is empty: no input, constant or layer gave it");
  if (tensor.network_ != this) return fail("a tensor belongs to another network");
  return static_cast<ir::ValueId>(tensor.id_);
}

core::Result<ir::Values> NetworkImpl::unwrap(std::span<const Tensor> tensors) const {
  ir::Values out;
  for (const Tensor& tensor : tensors) {
    TENON_TRY(id, unwrap(tensor));
    out.push_back(id);
  }
  return out;
}

std::string NetworkImpl::name_for(std::string_view name, std::string_view kind) {
  if (!name.empty()) return std::string(name);
  return strf("{}_{}", kind, counts[std::string(kind)]++);
}

TensorInfo NetworkImpl::info(ir::ValueId id, std::string name) const {
  const ValueType& type = module.main()[id].fact.type;
  TensorInfo out{.name = std::move(name), .type = to_string(type)};
  if (!type.is_tensor()) return out;
  out.dtype = static_cast<DType>(type.dtype);
  out.has_rank = type.shape.has_rank();
  if (out.has_rank)
    for (const core::Dim& dim : type.shape.dims()) {
      out.dims.push_back(dim.constant().value_or(-1));
      out.dim_texts.push_back(to_string(dim));
    }
  return out;
}

core::Result<ir::ValueId> NetworkImpl::emit(Op op, ir::Values in, const std::string& name, std::string_view kind) {
  TENON_TRY(facts, ir::infer_node(module, op, ir::facts_of(graph(), in), {}, 1));
  facts.resize(1);
  const ir::NodeId node = graph().add_node(std::move(op), std::move(in), std::move(facts), {{name, std::string(kind)}});
  return graph()[node].out[0];
}

Network::Network() : impl_(std::make_unique<NetworkImpl>()) {}
Network::~Network() = default;
Network::Network(Network&& other) noexcept = default;
Network& Network::operator=(Network&& other) noexcept = default;

Result<Tensor> Network::add_input(std::string_view name, DType dtype, Shape shape) {
  return guarded<Result<Tensor>>([&]() -> Result<Tensor> {
    const auto type = dtype_of_onnx(static_cast<int>(dtype));
    if (!type || *type == core::DType::none) return to_public(fail("input '{}': {} is no element type", name, static_cast<int>(dtype)));
    if (name.empty()) return to_public(fail("an input needs a name"));
    for (const ir::Port& port : impl_->graph().inputs)
      if (port.name == name) return to_public(fail("the network has an input '{}' already", name));
    core::Shape dims;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i].size < -1) return to_public(fail("input '{}': dim {} is {}; -1 stands for an unknown one", name, i, shape[i].size));
      dims.dims().push_back(dim_of(impl_->module, shape[i], name, i));
    }
    return impl_->wrap(impl_->graph().add_input(std::string(name), Fact(*type, std::move(dims))));
  });
}

Result<Tensor> Network::add_constant(const Weights& weights, std::string_view name) {
  return impl_->layer("constant", name, [&](const std::string& label) -> core::Result<ir::ValueId> {
    TENON_TRY(tensor, copy_of(weights));
    if (!is_float(tensor.dtype) || tensor.elems() <= 1) return impl_->graph().add_constant(std::move(tensor), label);
    if (impl_->module.find_root(label)) return fail("the network has a constant of this name already");
    Fact fact(tensor.dtype, core::Shape::of(tensor.dims));
    impl_->module.roots.push_back({label, std::move(tensor)});
    return impl_->graph().add_root(label, std::move(fact));
  });
}

Status Network::mark_output(Tensor tensor, std::string_view name) {
  return guarded<Status>([&]() -> Status {
    auto id = impl_->unwrap(tensor);
    if (!id.ok()) return to_public(std::move(id.error()).within(strf("output '{}'", name)));
    if (name.empty()) return to_public(fail("an output needs a name"));
    for (const ir::Port& port : impl_->graph().outputs)
      if (port.name == name) return to_public(fail("the network has an output '{}' already", name));
    impl_->graph().add_output(std::string(name), *id);
    return {};
  });
}

Result<Tensor> Network::find(std::string_view name) const {
  const ir::Graph& graph = impl_->module.main();
  for (const auto* ports : {&graph.inputs, &graph.outputs})
    for (const ir::Port& port : *ports)
      if (port.name == name) return impl_->wrap(port.value);
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (graph.values[i].name == name) return impl_->wrap(static_cast<ir::ValueId>(i));
  return to_public(fail(core::ErrorKind::not_found, "the network has no tensor '{}'", name));
}

Result<TensorInfo> Network::info(Tensor tensor) const {
  auto id = impl_->unwrap(tensor);
  if (!id.ok()) return to_public(std::move(id.error()));
  return impl_->info(*id, impl_->module.main()[*id].name);
}

std::vector<TensorInfo> Network::inputs() const {
  std::vector<TensorInfo> out;
  for (const ir::Port& port : impl_->graph().inputs) out.push_back(impl_->info(port.value, port.name));
  return out;
}
std::vector<TensorInfo> Network::outputs() const {
  std::vector<TensorInfo> out;
  for (const ir::Port& port : impl_->graph().outputs) out.push_back(impl_->info(port.value, port.name));
  return out;
}
int64_t Network::layer_count() const { return static_cast<int64_t>(impl_->graph().order.size()); }

}  // namespace v1
}  // namespace tenon
