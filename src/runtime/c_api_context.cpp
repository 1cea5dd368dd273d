// The C interface: contexts.
#include "runtime/c_api.h"

using tenon::fail;
using tenon::HostValue;
using tenon::Result;
using tenon::c_api::copy_of;
using tenon::c_api::describe;
using tenon::c_api::give;
using tenon::c_api::guarded;
using tenon::c_api::input_index;
using tenon::c_api::need;
using tenon::c_api::output_index;
using tenon::c_api::wrap;

namespace {

const tenon::engine::Body& body_of(const tenon_context* context) { return context->engine->plan().main; }

Result<size_t> result_index(const tenon_context* context, int64_t index) {
  TENON_TRY(i, output_index(context, index));
  if (!context->last_run) return fail("there are no results: the context has not run, or its last run failed");
  return i;
}

/// A weight that is an output lies in the engine's own memory, which no caller may write to.
bool is_weight(const tenon_context* context, size_t output) {
  const tenon::engine::Body& body = body_of(context);
  const int64_t buffer = body.outputs[output].operand.buffer;
  return buffer >= 0 && body.buffers[static_cast<size_t>(buffer)].kind == tenon::engine::BufferKind::weight;
}

}  // namespace

namespace tenon::c_api {

Result<size_t> output_index(const tenon_context* context, int64_t index) {
  TENON_OK(need(context, "context"));
  const size_t count = body_of(context).outputs.size();
  if (index < 0 || index >= static_cast<int64_t>(count)) return fail("output {} of {}", index, count);
  return static_cast<size_t>(index);
}

Result<size_t> input_index(const tenon_context* context, int64_t index) {
  TENON_OK(need(context, "context"));
  const size_t count = body_of(context).inputs.size();
  if (index < 0 || index >= static_cast<int64_t>(count)) return fail("input {} of {}", index, count);
  return static_cast<size_t>(index);
}

Result<void> set_output(tenon_context* context, size_t index, void* data, size_t bytes, bool on_device) {
  const engine::Port& port = body_of(context).outputs[index];
  if (!data) {
    context->callers_memory[index] = false;
    return context->context->set_output(index, {});
  }
  if (!port.type.is_tensor() || port.type.dtype == DType::str)
    return fail("output '{}' is {}, which does not fit into memory of the caller", port.name, to_string(port.type));
  const int bits = bits_of(port.type.dtype);
  const auto elems = static_cast<int64_t>(bits >= 8 ? bytes / static_cast<size_t>(bits / 8) : bytes * static_cast<size_t>(8 / bits));
  auto memory = wrap(static_cast<tenon_dtype>(port.type.dtype), 1, &elems, data);
  if (!memory.ok()) return std::move(memory.error()).within(strf("output '{}'", port.name));
  memory->on_device = on_device && elems > 0;
  TENON_OK(context->context->set_output(index, std::move(*memory)));
  context->callers_memory[index] = true;
  return {};
}

}  // namespace tenon::c_api

tenon_status tenon_context_create(const tenon_engine* engine, tenon_context** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(engine, "engine"));
    TENON_OK(need(out, "out"));
    auto handle = std::make_unique<tenon_context>();
    handle->engine = engine->engine;
    TENON_TRY(context, tenon::runtime::Context::create(engine->engine));
    handle->context = std::move(context);
    handle->callers_memory.resize(engine->outputs.size());
    *out = handle.release();
    return {};
  });
}
void tenon_context_free(tenon_context* context) { delete context; }

tenon_status tenon_context_set_input(tenon_context* context, int64_t index, tenon_dtype dtype, int64_t rank, const int64_t* dims,
                                     const void* data) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, input_index(context, index));
    auto tensor = wrap(dtype, rank, dims, data);
    if (!tensor.ok()) return std::move(tensor.error()).within(tenon::strf("input '{}'", body_of(context).inputs[i].name));
    return context->context->set_input(i, std::move(*tensor));
  });
}

tenon_status tenon_context_set_input_value(tenon_context* context, int64_t index, const tenon_value* value) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, input_index(context, index));
    return context->context->set_input(i, value ? value->value : HostValue());
  });
}

tenon_status tenon_context_set_output(tenon_context* context, int64_t index, void* data, size_t bytes) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, output_index(context, index));
    return tenon::c_api::set_output(context, i, data, bytes, false);
  });
}

tenon_status tenon_context_output(const tenon_context* context, int64_t index, tenon_tensor* out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    TENON_TRY(i, result_index(context, index));
    const HostValue& value = context->context->output(i);
    if (value.kind != HostValue::Kind::tensor)
      return fail("output '{}' is no tensor: ask for it with tenon_context_output_value", body_of(context).outputs[i].name);
    tenon_tensor view;
    describe(value.tensor, context->engine->choice(), view);
    return give(out, view);
  });
}

tenon_status tenon_context_output_value(const tenon_context* context, int64_t index, tenon_value** out) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(out, "out"));
    TENON_TRY(i, result_index(context, index));
    HostValue value = context->context->output(i);
    if (value.tensor.on_device && !value.tensor.owner)
      return fail("output '{}' lies in the caller's memory on the device: there is no other copy", body_of(context).outputs[i].name);
    const bool shared = (*context->last_run)[i] || is_weight(context, i);
    if (value.kind == HostValue::Kind::tensor && shared && !value.tensor.on_device) {
      TENON_TRY(copy, copy_of(value.tensor));
      value = HostValue(std::move(copy));
    }
    *out = new tenon_value{std::move(value)};
    return {};
  });
}

tenon_status tenon_context_output_shape(const tenon_context* context, int64_t index, int64_t capacity, int64_t* rank, int64_t* dims) {
  return guarded([&]() -> Result<void> {
    TENON_TRY(i, output_index(context, index));
    TENON_OK(need(rank, "rank"));
    TENON_TRY(shapes, context->context->output_shapes());
    if (!shapes[i]) {
      *rank = -1;
      return {};
    }
    if (static_cast<int64_t>(shapes[i]->size()) > capacity)
      return fail("output '{}' has {} dims, there is room for {}", body_of(context).outputs[i].name, shapes[i]->size(), capacity);
    if (!shapes[i]->empty()) TENON_OK(need(dims, "dims"));
    *rank = static_cast<int64_t>(shapes[i]->size());
    std::copy(shapes[i]->begin(), shapes[i]->end(), dims);
    return {};
  });
}

tenon_status tenon_context_memory(tenon_context* context, int64_t* bytes, int64_t* lower_bound) {
  return guarded([&]() -> Result<void> {
    TENON_OK(need(context, "context"));
    TENON_TRY(use, context->context->memory_use());
    if (bytes) *bytes = use.bytes;
    if (lower_bound) *lower_bound = use.lower_bound;
    return {};
  });
}
