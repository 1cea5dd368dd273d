// Executing a body whose shapes are worked out.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/env.h"
#include "engine/reference_api.h"
#include "runtime/frame.h"
#include "runtime/frame_parts.h"

namespace tenon::runtime {
namespace {

using engine::Buffer;
using engine::BufferKind;

bool poison_wanted() {
  static const bool wanted = knob_int("poison") != 0;
  return wanted;
}
bool check_wanted() {
  static const bool wanted = knob_int("check_steps") != 0;
  return wanted;
}
bool sync_wanted() {
  static const bool wanted = knob_int("sync") != 0;
  return wanted;
}

/// A view shows the bytes of a value under another shape, which `type` says.
Result<void> show_as(const ValueType& type, const DimValues& symbols, HostValue& value) {
  if (value.kind != HostValue::Kind::tensor || !type.is_tensor()) return {};
  if (type.dtype != DType::none && value.tensor.dtype != type.dtype) {
    if (!same_width(value.tensor.dtype, type.dtype))
      return fail(ErrorKind::bad_engine, "a value of {} has type {}", to_string(type), to_string(value.tensor.dtype));
    value.tensor.dtype = type.dtype;
  }
  if (!type.shape.has_rank()) return {};
  auto dims = evaluate(type.shape, symbols);
  if (!dims.ok() || *dims == value.tensor.dims) return {};
  TENON_TRY(elems, checked_elems(*dims));
  if (elems != value.tensor.elems())
    return fail(ErrorKind::bad_engine, "a value of {} has shape {}", to_string(type), to_string(value.tensor.dims));
  value.tensor.dims = std::move(*dims);
  return {};
}

}  // namespace

Result<void> Frame::run(const WeightSet& weights, std::span<const HostValue> inputs, const DimValues& outer,
                        std::vector<HostValue>& outputs, bool wait) {
  weights_ = &weights;
  TENON_TRY(values, bind_inputs(inputs, outer));
  values_ = std::move(values);
  TENON_TRY(shapes, shape_plan());
  current_ = shapes;
  for (HostValue& value : stored_) value = {};
  std::fill(redirects_.begin(), redirects_.end(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) stored_[static_cast<size_t>(body_.inputs[i].operand.buffer)] = inputs[i];
  outputs.resize(body_.outputs.size());
  downloads_.clear();
  for (size_t i = 0; i < body_.buffers.size(); ++i) {
    if (body_.buffers[i].kind != BufferKind::output) continue;
    const HostValue& asked = outputs[static_cast<size_t>(body_.buffers[i].index)];
    // What the host writes goes through memory of its own.
    if (!(host_written_[i] && asked.tensor.on_device)) stored_[i] = asked;
  }
  steps_left_ = step_limit_ < 0 ? INT64_MAX : step_limit_;
  for (size_t i = 0; i < body_.segments.size(); ++i) {
    const auto segment = static_cast<int64_t>(i);
    if (stage_begins_[i]) {
      TENON_OK(place_stage(*shapes, segment));
      for (const auto& [key, use] : shapes->memory) {
        if (key.first != segment) continue;
        Chunk& chunk = chunks_[key];
        if (chunk.bytes >= use.bytes && chunk.memory) continue;
        TENON_OK(queues_.synchronize());
        if (chunk.memory) queues_.api(key.second).release(queues_.queue(key.second), chunk.memory);
        chunk = {};
        TENON_TRY(memory, queues_.api(key.second).allocate(queues_.queue(key.second), use.bytes + kGuardBytes));
        chunk = {memory, use.bytes};
        if (poison_wanted() && queues_.api(key.second).host_memory) std::memset(memory, 0xff, static_cast<size_t>(use.bytes + kGuardBytes));
      }
    }
    if (stage_begins_[i]) TENON_OK(redirect_results(segment));
    if (segment == 0 && poison_wanted()) TENON_OK(poison(false));
    TENON_OK(prepare_segment(*shapes, segment));
    TENON_OK(run_segment(*shapes, segment));
    for (const engine::Region& region : body_.segments[i].region) {
      if (steps_left_-- <= 0) break;
      auto done = run_region(region);
      if (!done.ok()) return std::move(done.error()).within(region.name);
    }
  }
  if (wait) TENON_OK(queues_.synchronize());
  if (wait && poison_wanted()) TENON_OK(poison(true));
  if (step_limit_ >= 0) return {};
  TENON_OK(finish(outputs));
  return wait ? queues_.synchronize() : Result<void>();
}

Result<void> Frame::poison(bool check) {
  for (const auto& [key, chunk] : chunks_) {
    if (!chunk.memory || !queues_.api(key.second).host_memory) continue;
    std::byte* guard = chunk.memory + chunk.bytes;
    if (!check) {
      std::memset(chunk.memory, 0xff, static_cast<size_t>(chunk.bytes + kGuardBytes));
    } else if (std::any_of(guard, guard + kGuardBytes, [](std::byte b) { return b != std::byte{0xff}; })) {
      return fail(ErrorKind::bad_engine, "a step wrote behind the end of an arena");
    }
  }
  return {};
}

Result<std::byte*> Frame::arena_address(int64_t buffer) const {
  const auto i = static_cast<size_t>(buffer);
  if (redirects_[i]) return redirects_[i];
  const auto at = chunks_.find({buffer_stage_[i], body_.buffers[i].space});
  if (at == chunks_.end() || !at->second.memory) return fail(ErrorKind::bad_engine, "buffer {} is used before its size is known", buffer);
  return at->second.memory + current_->offsets[i];
}

Result<void> Frame::set_operands(StepCall& call, bool outputs) {
  const std::vector<engine::Operand>& operands = outputs ? call.step->out : call.step->in;
  std::vector<HostValue>& values = outputs ? call.out : call.in;
  for (size_t i = 0; i < operands.size(); ++i) {
    const engine::Operand& operand = operands[i];
    if (operand.buffer < 0) continue;
    const Buffer& buffer = body_.buffers[static_cast<size_t>(operand.buffer)];
    TENON_TRY(offset, evaluate(operand.offset, values_));
    if (buffer.kind == BufferKind::arena) {
      TENON_TRY(address, arena_address(operand.buffer));
      values[i].tensor.data = address + offset;
    } else if (buffer.kind == BufferKind::weight) {
      if (values[i].kind == HostValue::Kind::absent) {
        values[i] = HostValue(weights_->get(buffer.index, buffer.space));
      } else {
        values[i].tensor.data = weights_->get(buffer.index, buffer.space).data + offset;
      }
    } else {
      TENON_TRY(place, stored(operand.buffer));
      HostValue* value = place;
      if (call.step->device == 0 && !outputs) {
        TENON_TRY(near, on_host(operand.buffer, *place));
        value = near;
      }
      if (buffer.kind == BufferKind::slot || !operand.type.is_tensor() || !operand.type.shape.has_rank()) {
        values[i] = outputs ? HostValue() : *value;
        if (!outputs) TENON_OK(show_as(operand.type, values_, values[i]));
        continue;
      }
      const int64_t elems = values[i].tensor.elems();
      const bool fits = operand.type.dtype == DType::str ? value->tensor.elems() == elems
                                                         : value->tensor.bytes() >= offset + bytes_of(operand.type.dtype, elems);
      if (!fits || !same_width(value->tensor.dtype, operand.type.dtype))
        return fail(ErrorKind::bad_engine, "step '{}': an operand of {} does not fit its value", call.step->name, to_string(operand.type));
      values[i].tensor.data = value->tensor.data + offset;
      values[i].tensor.on_device = value->tensor.on_device;
    }
  }
  return {};
}

Result<void> Frame::launch(StepCall& call) {
  const engine::Step& step = *call.step;
  const engine::DeviceApi& api = queues_.api(step.device);
  void* queue = queues_.queue(step.device);
  if (step.device != 0) queues_.pending = true;
  if (call.transfer_bytes < 0) return api.launch(queue, call.kernel, {&call.problem, call.in, call.out});
  const bool fits = call.in.size() == 1 && call.out.size() == 1 && call.in[0].tensor.data && call.out[0].tensor.data &&
                    call.in[0].tensor.bytes() >= call.transfer_bytes && call.out[0].tensor.bytes() >= call.transfer_bytes;
  if (!fits) return fail(ErrorKind::bad_engine, "{} bytes are to be copied that the operands do not have", call.transfer_bytes);
  const bool up = body_.buffers[static_cast<size_t>(step.out[0].buffer)].space == step.device;
  const bool within = up ? call.in[0].tensor.on_device : call.out[0].tensor.on_device;
  if (call.in[0].tensor.data == call.out[0].tensor.data) return {};               // redirect_results
  if (up && call.in[0].tensor.on_device && is_aligned(call.in[0].tensor.data)) {  // the caller's memory is where the copy would go
    redirects_[static_cast<size_t>(step.out[0].buffer)] = call.in[0].tensor.data;
    return {};
  }
  const auto kind = within ? engine::CopyKind::within : up ? engine::CopyKind::to_device : engine::CopyKind::to_host;
  return queues_.copy(step.device, call.out[0].tensor.data, call.in[0].tensor.data, call.transfer_bytes, kind);
}

Result<void> Frame::run_segment(ShapePlan& shapes, int64_t segment) {
  SegmentPlan& plan = shapes.segments[static_cast<size_t>(segment)];
  TENON_OK(reserve_scratch(plan));
  auto code = plan.runs.begin();
  for (size_t at = 0; at < plan.calls.size(); ++at) {
    if (steps_left_ <= 0) break;
    StepCall& call = plan.calls[at];
    if (code != plan.runs.end() && code->first == at) {
      const size_t end = std::min(code->end, at + static_cast<size_t>(std::min<int64_t>(steps_left_, INT32_MAX)));
      TENON_OK(run_code(plan, *code, end));
      steps_left_ -= static_cast<int64_t>(end - at);
      at = code++->end - 1;
      continue;
    }
    --steps_left_;
    const engine::Step& step = *call.step;
    const auto run = [&]() -> Result<void> {
      if (!step.waits.empty()) TENON_OK(queues_.synchronize());
      TENON_OK(set_operands(call, false));
      TENON_OK(set_operands(call, true));
      std::vector<HostValue> before;
      if (check_wanted() && step.device == 0)
        for (const HostValue& value : call.in) {
          before.push_back(value);
          if (value.kind != HostValue::Kind::tensor) continue;
          TENON_TRY(copy, clone(value.tensor));
          before.back().tensor = std::move(copy);
        }
      TENON_OK(launch(call));
      if (sync_wanted()) TENON_OK(queues_.synchronize());
      if (!before.empty()) {
        std::swap(before, call.in);
        auto same = check_step(call);
        std::swap(before, call.in);
        TENON_OK(std::move(same));
      }
      return after_step(step, call);
    };
    auto done = run();
    if (!done.ok()) {
      (void)queues_.synchronize();
      return std::move(done.error()).within(step.name);
    }
  }
  return {};
}

/// TENON_CHECK_STEPS: the same problem on the reference, on copies of the inputs.
Result<void> Frame::check_step(const StepCall& call) {
  if (call.transfer_bytes >= 0) return {};
  TENON_TRY(api, engine::load_reference());
  std::vector<HostValue> wanted(call.out.size());
  TENON_OK(api->run(call.problem, call.in, wanted));
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].kind != HostValue::Kind::tensor || call.out[i].kind != HostValue::Kind::tensor || wanted[i].tensor.dtype == DType::str)
      continue;
    const Tensor &a = wanted[i].tensor, &b = call.out[i].tensor;
    for (int64_t e = 0; e < a.elems() && e < b.elems(); ++e) {
      const double x = element_as_double(a, e), y = element_as_double(b, e);
      if ((std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= 1e-3 * std::abs(x) + 1e-5) continue;
      return fail("differs from the reference: output {} element {} is {}, the reference says {}; reproduce with: tenon bench \"{}\"", i, e,
                  y, x, engine::to_string(call.problem));
    }
  }
  return {};
}

namespace {

/// Evaluators put their inputs into sequences and optionals as they are: what points into an arena is copied before the arena moves on.
Result<void> own(HostValue& value) {
  if (value.tensor.data && !value.tensor.owner) {
    TENON_TRY(copy, clone(value.tensor));
    value.tensor = std::move(copy);
  }
  for (HostValue& item : value.items) TENON_OK(own(item));
  return {};
}

}  // namespace

Result<void> Frame::after_step(const engine::Step& step, StepCall& call) {
  for (size_t i = 0; i < step.out.size(); ++i) {
    const engine::Operand& operand = step.out[i];
    if (operand.buffer < 0 || body_.buffers[static_cast<size_t>(operand.buffer)].kind != BufferKind::slot) continue;
    if (operand.type.is_tensor() && operand.type.dtype != call.out[i].tensor.dtype && call.out[i].kind == HostValue::Kind::tensor)
      return fail(ErrorKind::bad_engine, "output {} is {}, the plan says {}", i, to_string(call.out[i].tensor.dtype),
                  to_string(operand.type));
    HostValue& value = stored_[static_cast<size_t>(operand.buffer)];
    value = call.out[i];
    TENON_OK(own(value));
  }
  return bind_defines(step.defines, step.out, call.out);
}

Result<void> Frame::bind_defines(const std::vector<std::string>& defines, const std::vector<engine::Operand>& out,
                                 std::span<const HostValue> values) {
  for (const std::string& name : defines) {
    bool found = false;
    for (size_t i = 0; i < out.size() && !found; ++i) {
      const ValueType& type = out[i].type;
      if (!type.is_tensor() || !type.shape.has_rank() || values[i].kind != HostValue::Kind::tensor ||
          values[i].tensor.rank() != type.shape.rank())
        continue;
      for (int64_t d = 0; d < type.shape.rank() && !found; ++d) {
        if (type.shape[d].as_symbol() != name) continue;
        values_[name] = values[i].tensor.dims[static_cast<size_t>(d)];
        found = true;
      }
    }
    if (!found) return fail(ErrorKind::bad_engine, "no output shows the size '{}'", name);
  }
  return {};
}

/// A value for a region: dense tensors in arenas are shown in place.
Result<HostValue> Frame::load(const engine::Operand& operand) {
  if (operand.buffer < 0) return HostValue{};
  const Buffer& buffer = body_.buffers[static_cast<size_t>(operand.buffer)];
  HostValue out;
  if (buffer.kind == BufferKind::arena) {
    TENON_TRY(address, arena_address(operand.buffer));
    TENON_TRY(dims, evaluate(operand.type.shape, values_));
    TENON_TRY(elems, checked_elems(dims));
    if (bytes_of(operand.type.dtype, elems) > current_->capacities[static_cast<size_t>(operand.buffer)])
      return fail(ErrorKind::bad_engine, "a value of {} does not fit its buffer", to_string(operand.type));
    return HostValue(Tensor::wrap(operand.type.dtype, dims, address));
  }
  if (buffer.kind == BufferKind::weight) {
    out = HostValue(weights_->get(buffer.index, buffer.space));
  } else {
    TENON_TRY(value, stored(operand.buffer));
    out = *value;
  }
  TENON_OK(show_as(operand.type, values_, out));
  return out;
}

}  // namespace tenon::runtime
