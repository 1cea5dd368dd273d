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
  TENON_TRY(queues, Queues::open(out->engine_));
  out->queues_ = std::move(queues);
  const engine::Body& body = out->engine_->plan().main;
  out->frame_ = std::make_unique<Frame>(*out->engine_, body, *out->queues_);
  out->inputs_.resize(body.inputs.size());
  out->outputs_.resize(body.outputs.size());
  out->wanted_.resize(body.outputs.size());
  out->placed_.resize(body.outputs.size());
  return out;
}

Context::~Context() {
  if (queues_) (void)wait();  // runs may still read inputs and weights
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
    auto there = check_memory(value.tensor);
    if (!there.ok()) return std::move(there.error()).within(strf("input '{}'", port.name));
  }
  inputs_[index] = std::move(value);
  return {};
}

Result<void> Context::set_output(size_t index, Tensor memory) {
  if (index >= wanted_.size()) return fail("output {} of {}", index, wanted_.size());
  auto there = check_memory(memory);
  if (!there.ok()) return std::move(there.error()).within(strf("output '{}'", engine_->plan().main.outputs[index].name));
  wanted_[index] = std::move(memory);
  return {};
}

Result<void> Context::place_output(size_t index, bool on_device) {
  if (index >= placed_.size()) return fail("output {} of {}", index, placed_.size());
  const engine::Port& port = engine_->plan().main.outputs[index];
  if (on_device && !engine_->has_device())
    return fail("output '{}' cannot lie on a device: the plan '{}' runs on the host alone", port.name, engine_->plan().target);
  if (on_device && (!port.type.is_tensor() || port.type.dtype == DType::str))
    return fail("output '{}' is {}, which cannot lie on a device", port.name, to_string(port.type));
  placed_[index] = on_device;
  return {};
}

/// Whether memory that is said to be the device's is: a run would fault, or read what is not there.
Result<void> Context::check_memory(const Tensor& tensor) const {
  if (!tensor.on_device) return {};
  if (!engine_->has_device())
    return fail("it lies in a device's memory, the plan '{}' runs on the host alone: load the engine with a device",
                engine_->plan().target);
  const int64_t last = engine_->last_device();
  return queues_->api(last).holds(queues_->queue(last), tensor.data, tensor.bytes());
}

Result<void> Context::check_unblocked() const {
  const engine::Plan& plan = engine_->plan();
  if (!engine_->has_device())
    return fail(ErrorKind::unsupported, "the plan '{}' runs on the host alone: only a run that waits computes it", plan.target);
  if (const auto& steps = engine_->host_steps(); !steps.empty())
    return fail(ErrorKind::unsupported,
                "the host runs {} of the steps, '{}' for one, and would wait for the device: only a run that waits computes them",
                steps.size(), steps.front());
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (const Tensor& in = inputs_[i].tensor; in.data && in.bytes() > 0 && !in.on_device)
      return fail("input '{}' lies in the host's memory: a run that does not wait wants it in that of {}", plan.main.inputs[i].name,
                  device_text(engine_->choice()));
  for (size_t i = 0; i < wanted_.size(); ++i) {
    const engine::Port& port = plan.main.outputs[i];
    if (!(wanted_[i].data ? wanted_[i].on_device : placed_[i]))
      return fail("output '{}' would lie in the host's memory: a run that does not wait wants it in that of {}", port.name,
                  device_text(engine_->choice()));
    if (port.operand.buffer >= 0 && plan.main.buffers[static_cast<size_t>(port.operand.buffer)].kind == engine::BufferKind::weight)
      return fail(ErrorKind::unsupported, "output '{}' is a weight, which the host's memory holds: only a run that waits moves it",
                  port.name);
  }
  return {};
}

Result<void> Context::run(const RunOptions& options) {
  if (!options.may_block) TENON_OK(check_unblocked());
  TENON_OK(queues_->begin(options.stream, options.may_block));
  auto done = start(options.wait);
  auto ended = queues_->end();
  return done.ok() ? std::move(ended) : std::move(done);
}

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
  auto weights = engine_->weights();
  if (weights_ && weights_ != weights) TENON_OK(this->wait());  // runs may still read the old ones
  weights_ = std::move(weights);
  outputs_.assign(outputs_.size(), {});
  for (size_t i = 0; i < wanted_.size(); ++i) {
    Tensor asked = wanted_[i];
    asked.on_device = asked.data ? asked.on_device : placed_[i];
    if (asked.data || asked.on_device) outputs_[i] = HostValue(std::move(asked));
  }
  for (const HostValue& input : inputs_) TENON_OK(DevicePool::show(input.tensor, queues_->stream()));
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
  TENON_TRY(queues, Queues::open(engine));
  Frame frame(*engine, engine->plan().main, *queues);
  return frame.memory_use(values);
}

}  // namespace tenon::runtime
