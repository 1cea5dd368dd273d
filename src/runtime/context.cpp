#include "runtime/context.h"

namespace tenon::runtime {
namespace {

Result<size_t> port_index(const std::vector<engine::Port>& ports, std::string_view name, std::string_view kind) {
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
    names.push_back(quote(ports[i].name));
  }
  return fail(ErrorKind::not_found, "the engine has no {} '{}', it has: {}", kind, name, join(names, ", "));
}

}  // namespace

Result<std::unique_ptr<Context>> Context::create(std::shared_ptr<const Engine> engine) {
  auto out = std::unique_ptr<Context>(new Context);
  out->engine_ = std::move(engine);
  TENON_TRY(queues, Queues::open(*out->engine_));
  out->queues_ = std::move(queues);
  const engine::Body& body = out->engine_->plan().main;
  out->frame_ = std::make_unique<Frame>(*out->engine_, body, *out->queues_);
  out->inputs_.resize(body.inputs.size());
  out->outputs_.resize(body.outputs.size());
  out->wanted_.resize(body.outputs.size());
  return out;
}

Result<size_t> Context::input_index(std::string_view name) const { return port_index(engine_->plan().main.inputs, name, "input"); }
Result<size_t> Context::output_index(std::string_view name) const { return port_index(engine_->plan().main.outputs, name, "output"); }

Result<void> Context::set_input(size_t index, HostValue value) {
  if (index >= inputs_.size()) return fail("input {} of {}", index, inputs_.size());
  const engine::Port& port = engine_->plan().main.inputs[index];
  if (port.type.is_tensor() && value.kind == HostValue::Kind::tensor && value.tensor.dtype != port.type.dtype)
    return fail("input '{}' must be {}, got {}", port.name, to_string(port.type.dtype), to_string(value.tensor.dtype));
  if (value.kind == HostValue::Kind::tensor) {
    TENON_TRY(elems, checked_elems(value.tensor.dims));
    // Exporters write "no shape known" as a scalar's shape, and callers then give [1]: one element is one element.
    if (elems == 1 && port.type.is_tensor() && port.type.shape.has_rank() && port.type.shape.rank() == 0) value.tensor.dims.clear();
  }
  inputs_[index] = std::move(value);
  return {};
}

Result<void> Context::set_output(size_t index, Tensor memory) {
  if (index >= wanted_.size()) return fail("output {} of {}", index, wanted_.size());
  wanted_[index] = std::move(memory);
  return {};
}

Result<void> Context::run() { return start(true); }
Result<void> Context::enqueue() { return start(false); }
Result<void> Context::wait() {
  queues_->pending = true;
  return queues_->synchronize();
}

Result<std::byte*> Context::device_memory(int64_t bytes) {
  const auto last = static_cast<int64_t>(engine_->plan().devices.size()) - 1;
  const engine::DeviceApi& api = queues_->api(last);
  if (api.host_memory) return fail("the plan '{}' has no device beside the host", engine_->plan().target);
  TENON_TRY(memory, api.allocate(queues_->queue(last), bytes));
  device_memory_.emplace_back(memory, [&api, queue = queues_->queue(last)](std::byte* p) { api.release(queue, p); });
  return memory;
}

Result<void> Context::copy(std::byte* to, const std::byte* from, int64_t bytes, engine::CopyKind kind) {
  const auto last = static_cast<int64_t>(engine_->plan().devices.size()) - 1;
  TENON_OK(queues_->api(last).copy(queues_->queue(last), to, from, bytes, kind));
  return queues_->api(last).synchronize(queues_->queue(last));
}

Result<void> Context::start(bool wait) {
  weights_ = engine_->weights();
  outputs_.assign(outputs_.size(), {});
  for (size_t i = 0; i < wanted_.size(); ++i)
    if (wanted_[i].data) outputs_[i] = HostValue(wanted_[i]);
  return frame_->run(*weights_, inputs_, {}, outputs_, wait);
}

Result<std::vector<std::optional<Dims>>> Context::output_shapes() const {
  TENON_TRY(values, frame_->bind_inputs(inputs_, {}));
  std::vector<std::optional<Dims>> out;
  for (const engine::Port& port : engine_->plan().main.outputs) {
    auto dims = evaluate(port.type.shape, values);
    out.push_back(dims.ok() ? std::optional<Dims>(*dims) : std::nullopt);
  }
  return out;
}

Result<MemoryUse> Context::memory_use() {
  TENON_TRY(values, frame_->bind_inputs(inputs_, {}));
  return frame_->memory_use(values);
}

Result<MemoryUse> memory_for(std::shared_ptr<const Engine> engine, const DimValues& values) {
  TENON_TRY(queues, Queues::open(*engine));
  Frame frame(*engine, engine->plan().main, *queues);
  return frame.memory_use(values);
}

}  // namespace tenon::runtime
