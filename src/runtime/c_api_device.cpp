// The C interface: tensors in a device's memory, streams.
#include "runtime/c_api.h"

using tenon::fail;
using tenon::HostValue;
using tenon::Result;
using tenon::Tensor;
using tenon::to_string;
using tenon::c_api::give;
using tenon::c_api::guarded;
using tenon::c_api::input_index;
using tenon::c_api::need;
using tenon::c_api::output_index;
using tenon::c_api::wrap;
using tenon::runtime::device_text;
using tenon::runtime::DeviceChoice;
using tenon::runtime::DevicePool;

namespace {

/// The members that the caller's version of the struct has; the others are zero.
Result<tenon_tensor> taken(const tenon_tensor* given) {
  TENON_OK(need(given, "tensor"));
  if (given->size < offsetof(tenon_tensor, device_kind))
    return fail("the struct's size field is {}, set it to sizeof the struct", given->size);
  tenon_tensor out = {};
  std::memcpy(&out, given, std::min(given->size, sizeof out));
  return out;
}

/// Whether a tensor lies on the engine's device; false: in the host's memory. Errors: on another device.
Result<bool> lies_there(const tenon_context* context, const tenon_tensor& tensor) {
  if (tensor.device_kind == 0 || tensor.device_kind == TENON_DEVICE_CPU) return false;
  const DeviceChoice wanted = context->engine->choice();
  const DeviceChoice given{static_cast<tenon::engine::DeviceKind>(tensor.device_kind), tensor.device_index};
  if (!context->engine->has_device())
    return fail("the tensor lies on {}, the plan '{}' runs on the host alone: load the engine with that device", device_text(given),
                context->engine->plan().target);
  if (given != wanted)
    return fail("the tensor lies on {}, the engine runs on {}: move the tensor, or load the engine for its device", device_text(given),
                device_text(wanted));
  return true;
}

Result<std::shared_ptr<DevicePool>> pool_of(const tenon_engine* engine) {
  const std::lock_guard lock(engine->mutex);
  if (!engine->pool) {
    TENON_TRY(pool, DevicePool::open(engine->engine));
    engine->pool = std::move(pool);
  }
  return engine->pool;
}

Result<const Tensor*> tensor_in(const tenon_value* value) {
  TENON_OK(need(value, "value"));
  if (value->value.kind != HostValue::Kind::tensor) return fail("the value is no tensor");
  return &value->value.tensor;
}

}  // namespace

tenon_status tenon_engine_device(const tenon_engine* engine, tenon_device_kind* kind, int32_t* index) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(kind, "kind"));
    TENON_OK(need(index, "index"));
    *kind = static_cast<tenon_device_kind>(engine->engine->choice().kind);
    *index = static_cast<int32_t>(engine->engine->choice().index);
    return {};
  });
}
tenon_status tenon_engine_host_step_count(const tenon_engine* engine, int64_t* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    *out = static_cast<int64_t>(engine->engine->host_steps().size());
    return {};
  });
}
tenon_status tenon_engine_host_step_name(const tenon_engine* engine, int64_t index, const char** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    const auto& steps = engine->engine->host_steps();
    if (index < 0 || index >= static_cast<int64_t>(steps.size())) return fail("host step {} of {}", index, steps.size());
    *out = steps[static_cast<size_t>(index)].c_str();
    return {};
  });
}

tenon_status tenon_value_to_device(const tenon_engine* engine, const tenon_value* value, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    TENON_TRY(tensor, tensor_in(value));
    if (tensor->on_device) return fail("the value lies in a device's memory already");
    TENON_TRY(pool, pool_of(engine));
    TENON_TRY(copy, pool->upload(*tensor));
    *out = new tenon_value{std::move(copy)};
    return {};
  });
}
tenon_status tenon_value_to_host(const tenon_value* value, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    TENON_TRY(tensor, tensor_in(value));
    auto copy = tensor->on_device ? DevicePool::download(*tensor) : tenon::c_api::copy_of(*tensor);
    if (!copy.ok()) return std::move(copy).error();
    *out = new tenon_value{std::move(*copy)};
    return {};
  });
}
tenon_status tenon_value_use_on(const tenon_value* value, void* stream) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(tensor, tensor_in(value));
    TENON_OK(need(stream, "stream"));
    return DevicePool::show(*tensor, {.handle = stream});
  });
}

tenon_status tenon_context_set_input_tensor(tenon_context* context, int64_t index, const tenon_tensor* tensor) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, input_index(context, index));
    TENON_TRY(given, taken(tensor));
    const auto set = [&]() -> Result<void> {
      TENON_TRY(there, lies_there(context, given));
      TENON_TRY(wrapped, wrap(given.dtype, given.rank, given.dims, given.data));
      if (wrapped.bytes() > 0 && given.bytes < static_cast<size_t>(wrapped.bytes()))
        return fail("{}{} has {} bytes, the tensor's memory {}", to_string(wrapped.dtype), to_string(wrapped.dims), wrapped.bytes(),
                    given.bytes);
      wrapped.on_device = there && wrapped.bytes() > 0;
      return context->context->set_input(i, std::move(wrapped));
    };
    auto done = set();
    const std::string who = tenon::strf("input '{}'", context->engine->plan().main.inputs[i].name);
    if (done.ok() || done.error().message().starts_with(who)) return done;
    return std::move(done.error()).within(who);
  });
}

tenon_status tenon_context_set_output_tensor(tenon_context* context, int64_t index, const tenon_tensor* memory) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, output_index(context, index));
    TENON_TRY(given, taken(memory));
    const tenon::engine::Port& port = context->engine->plan().main.outputs[i];
    if (port.type.is_tensor() && given.data && given.dtype != static_cast<tenon_dtype>(port.type.dtype))
      return fail("output '{}' is {}, its memory is said to be {}", port.name, to_string(port.type.dtype), tenon_dtype_name(given.dtype));
    auto there = lies_there(context, given);
    if (!there.ok()) return std::move(there.error()).within(tenon::strf("output '{}'", port.name));
    return tenon::c_api::set_output(context, i, const_cast<void*>(given.data), given.bytes, *there);
  });
}

tenon_status tenon_context_place_output(tenon_context* context, int64_t index, tenon_device_kind kind) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, output_index(context, index));
    const bool on_device = kind != TENON_DEVICE_CPU;
    const auto wanted = static_cast<tenon::engine::DeviceKind>(kind);
    if (on_device && context->engine->has_device() && wanted != context->engine->choice().kind)
      return fail("output '{}' cannot lie on {}: the engine runs on {}", context->engine->plan().main.outputs[i].name,
                  device_text(DeviceChoice{wanted}), device_text(context->engine->choice()));
    return context->context->place_output(i, on_device);
  });
}

namespace {

Result<void> begin_run(tenon_context* context, const tenon::runtime::RunOptions& options) {
  TENON_OK(need(context, "context"));
  context->last_run.reset();
  TENON_OK(context->context->run(options));
  context->last_run = context->callers_memory;
  return {};
}

}  // namespace

tenon_status tenon_context_run(tenon_context* context) {
  return guarded([&] { return begin_run(context, {}); });
}
tenon_status tenon_context_run_on(tenon_context* context, void* stream) {
  return guarded([&] { return begin_run(context, {.stream = stream}); });
}
tenon_status tenon_context_enqueue(tenon_context* context, void* stream) {
  return guarded([&] { return begin_run(context, {.stream = stream, .wait = false, .may_block = false}); });
}

tenon_status tenon_context_synchronize(tenon_context* context) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(context, "context"));
    return context->context->wait();
  });
}

tenon_status tenon_context_stream(const tenon_context* context, void** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(context, "context"));
    TENON_OK(need(out, "out"));
    *out = context->context->stream();
    return {};
  });
}

tenon_status tenon_context_run_stats(const tenon_context* context, tenon_run_stats* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(context, "context"));
    TENON_OK(need(out, "out"));
    const tenon::runtime::RunStats& stats = context->context->stats();
    return give(out, tenon_run_stats{.size = sizeof(tenon_run_stats),
                                     .copies_to_device = stats.copies_to_device,
                                     .bytes_to_device = stats.bytes_to_device,
                                     .copies_to_host = stats.copies_to_host,
                                     .bytes_to_host = stats.bytes_to_host,
                                     .copies_within_device = stats.copies_within,
                                     .bytes_within_device = stats.bytes_within,
                                     .graphs = stats.graphs});
  });
}
