// Inputs and outputs in memory of the caller's or of the device: written and read in place where that can be, copied where not.
#include <algorithm>
#include <cstring>

#include "runtime/frame.h"
#include "runtime/frame_parts.h"

namespace tenon::runtime {
namespace {

bool lies_on_device(const HostValue& value) { return value.kind == HostValue::Kind::tensor && value.tensor.on_device; }

}  // namespace

/// Buffers of a device that are copied whole to an output; outputs that the host writes.
void Frame::find_results() {
  host_written_.resize(body_.buffers.size());
  for (const engine::Segment& segment : body_.segments)
    for (const engine::Step& step : segment.steps) {
      for (const engine::Operand& out : step.out)
        if (step.device == 0 && out.buffer >= 0) host_written_[static_cast<size_t>(out.buffer)] = true;
      if (!step.problem.as<engine::TransferProblem>() || step.in.size() != 1 || step.out.size() != 1) continue;
      const int64_t from = step.in[0].buffer, to = step.out[0].buffer;
      if (from < 0 || to < 0 || step.in[0].offset != Dim(0) || step.out[0].offset != Dim(0)) continue;
      const engine::Buffer &source = body_.buffers[static_cast<size_t>(from)], &target = body_.buffers[static_cast<size_t>(to)];
      if (source.kind != engine::BufferKind::arena || target.kind != engine::BufferKind::output) continue;
      results_.push_back({from, target.index});
    }
}

/// Where an output is wanted in the device's memory, the step that makes it writes it there: nothing is left to copy.
Result<void> Frame::redirect_results(int64_t stage) {
  for (const auto& [from, output] : results_) {
    const auto i = static_cast<size_t>(from);
    if (buffer_stage_[i] != stage) continue;
    const engine::Port& port = body_.outputs[static_cast<size_t>(output)];
    if (!lies_on_device(stored_[static_cast<size_t>(port.operand.buffer)]) || !evaluate(port.type.shape, values_).ok()) continue;
    TENON_TRY(value, stored(port.operand.buffer));
    const Tensor& to = value->tensor;
    if (to.dtype != port.type.dtype || !is_aligned(to.data)) continue;
    const int64_t bytes = current_->capacities[i];
    if (to.bytes() < bytes) continue;
    const bool read = std::any_of(body_.inputs.begin(), body_.inputs.end(), [&](const engine::Port& input) {
      const Tensor& in = stored_[static_cast<size_t>(input.operand.buffer)].tensor;
      return in.on_device && in.data < to.data + bytes && to.data < in.data + in.bytes();
    });
    if (!read) redirects_[i] = to.data;
  }
  return {};
}

/// The place of an input, output or slot; an output gets its memory at first use.
Result<HostValue*> Frame::stored(int64_t buffer) {
  const engine::Buffer& row = body_.buffers[static_cast<size_t>(buffer)];
  HostValue& value = stored_[static_cast<size_t>(buffer)];
  if (row.kind != engine::BufferKind::output) return &value;
  const auto index = static_cast<size_t>(row.index);
  const engine::Port& port = body_.outputs[index];
  TENON_TRY(dims, evaluate(port.type.shape, values_));
  if (value.kind == HostValue::Kind::tensor && value.tensor.defined()) {  // the caller's memory, or this run's
    if (value.tensor.dims == dims) return &value;
    TENON_TRY(elems, checked_elems(dims));
    if (value.tensor.dtype != port.type.dtype || value.tensor.bytes() < bytes_of(port.type.dtype, elems))
      return fail("output '{}' needs {} bytes for {}{}, its memory has {}", port.name, bytes_of(port.type.dtype, elems),
                  to_string(port.type.dtype), to_string(dims), value.tensor.bytes());
    value.tensor.dims = dims;
    return &value;
  }
  if (lies_on_device(value)) {
    TENON_TRY(fresh, queues_.result_memory(port.type.dtype, dims));
    value = HostValue(std::move(fresh));
    return &value;
  }
  HostValue& kept = kept_outputs_[index];
  if (!(kept.tensor.owner.use_count() == 1 && kept.tensor.dims == dims && kept.tensor.dtype == port.type.dtype)) {
    TENON_TRY(fresh, Tensor::allocate(port.type.dtype, dims));
    kept = HostValue(std::move(fresh));
  }
  value = kept;
  return &value;
}

/// A copy in the host's memory, once it is there.
Result<Tensor> Frame::downloaded(const Tensor& tensor) {
  TENON_TRY(out, Tensor::allocate(tensor.dtype, tensor.dims));
  TENON_OK(queues_.copy(engine_.last_device(), out.data, tensor.data, out.bytes(), engine::CopyKind::to_host));
  TENON_OK(queues_.synchronize());
  return std::move(out);
}

/// What the host reads of a value that may lie on the device: a copy, made once in a run.
Result<HostValue*> Frame::on_host(int64_t buffer, HostValue& value) {
  if (!lies_on_device(value)) return &value;
  HostValue& kept = downloads_[buffer];
  if (kept.kind == HostValue::Kind::absent) {
    TENON_TRY(copy, downloaded(value.tensor));
    kept = HostValue(std::move(copy));
  }
  return &kept;
}

/// Copies a result to where it is wanted.
Result<void> Frame::move(const Tensor& from, const Tensor& to, std::string_view output) {
  if (from.data == to.data) return {};
  if (!from.on_device && !to.on_device) {
    if (from.dtype == DType::str) {
      std::copy_n(reinterpret_cast<const std::string*>(from.data), from.elems(), reinterpret_cast<std::string*>(to.data));
    } else if (from.bytes()) {
      std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
    }
    return {};
  }
  const auto kind = !from.on_device ? engine::CopyKind::to_device : to.on_device ? engine::CopyKind::within : engine::CopyKind::to_host;
  const bool crosses = kind != engine::CopyKind::within;
  if (crosses && !queues_.may_wait)
    return fail(ErrorKind::unsupported, "output '{}' lies in the host's memory when it is ready: a run that does not wait cannot move it",
                output);
  TENON_OK(queues_.copy(engine_.last_device(), to.data, from.data, from.bytes(), kind));
  return crosses ? queues_.synchronize() : Result<void>();
}

/// Where a result goes that lies elsewhere.
Result<Tensor> Frame::result_memory(const HostValue& asked, const Tensor& value, const engine::Port& port) {
  if (asked.kind != HostValue::Kind::tensor || (!asked.tensor.data && !asked.tensor.on_device))
    return Tensor::allocate(value.dtype, value.dims);
  if (!asked.tensor.data) return queues_.result_memory(value.dtype, value.dims);
  Tensor to = asked.tensor;
  if (to.dtype != value.dtype || (to.dtype != DType::str && to.bytes() < value.bytes()))
    return fail("output '{}' needs {} bytes for {}{}, its memory has {}", port.name, value.bytes(), to_string(value.dtype),
                to_string(value.dims), to.bytes());
  to.dims = value.dims;
  return to;
}

bool Frame::shows_input(const engine::Operand& operand) const {
  return operand.buffer >= 0 && body_.buffers[static_cast<size_t>(operand.buffer)].kind == engine::BufferKind::input;
}

Result<void> Frame::finish(std::vector<HostValue>& outputs) {
  for (size_t i = 0; i < body_.outputs.size(); ++i) {
    const engine::Port& port = body_.outputs[i];
    TENON_TRY(value, load(port.operand));
    const bool on_device = lies_on_device(outputs[i]);
    if (value.kind != HostValue::Kind::tensor) {
      if (on_device) return fail(ErrorKind::unsupported, "output '{}' is no tensor: it cannot lie in a device's memory", port.name);
      outputs[i] = std::move(value);
      continue;
    }
    const bool asked = outputs[i].kind == HostValue::Kind::tensor && outputs[i].tensor.data;
    const bool made_there = value.tensor.owner && value.tensor.on_device == on_device && !(on_device && shows_input(port.operand));
    if (!asked && made_there) {
      outputs[i] = std::move(value);
      continue;
    }
    TENON_TRY(to, result_memory(outputs[i], value.tensor, port));
    TENON_OK(move(value.tensor, to, port.name));
    outputs[i] = HostValue(std::move(to));
  }
  for (HostValue& value : stored_) value = {};  // the next run's outputs reuse this one's memory unless the caller kept it
  downloads_.clear();
  return {};
}

}  // namespace tenon::runtime
