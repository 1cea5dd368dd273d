// Working out a set of shapes: stages, placement, steps with numbers. frame_run.cpp executes, frame_region.cpp runs If, Loop, Scan,
// frame_results.cpp sees to the caller's memory.
#include "runtime/frame.h"

#include <algorithm>
#include <cstring>

#include "runtime/frame_parts.h"

namespace tenon::runtime {
using engine::Buffer;
using engine::BufferKind;

Result<Tensor> clone(const Tensor& in) {
  TENON_TRY(out, Tensor::allocate(in.dtype, in.dims));
  if (in.dtype == DType::str) {
    const auto from = in.as<std::string>();
    std::copy(from.begin(), from.end(), out.as<std::string>().begin());
  } else if (in.bytes()) {
    std::memcpy(out.data, in.data, static_cast<size_t>(in.bytes()));
  }
  return out;
}

Frame::Frame(const Engine& engine, const engine::Body& body, Queues& queues) : engine_(engine), body_(body), queues_(queues) {
  find_stages();
  stored_.resize(body.buffers.size());
  kept_outputs_.resize(body.outputs.size());
  redirects_.resize(body.buffers.size());
  find_results();
}

Frame::~Frame() {
  (void)queues_.synchronize();
  for (auto& [key, shapes] : shapes_)
    for (SegmentPlan& segment : shapes->segments) drop_graphs(segment);
  for (const auto& [key, chunk] : owned_)
    if (chunk.memory) queues_.api(key.second).release(queues_.queue(key.second), chunk.memory);
  for (const auto& [space, chunk] : scratch_)
    if (chunk.memory) queues_.api(space).release(queues_.queue(space), chunk.memory);
  for (const auto& [key, chunk] : chunks_)
    if (chunk.memory) queues_.api(key.second).release(queues_.queue(key.second), chunk.memory);
}

void Frame::find_stages() {
  int64_t segment_number = 0;
  for (const engine::Segment& segment : body_.segments) {
    const auto defined = [&](const std::vector<std::string>& names) {
      for (const std::string& name : names) symbol_stage_.try_emplace(name, segment_number + 1);
    };
    for (const engine::Step& step : segment.steps) defined(step.defines);
    for (const engine::Region& region : segment.region) defined(region.defines);
    ++segment_number;
  }
  stage_begins_.assign(body_.segments.size() + 1, false);
  stage_begins_[0] = true;
  for (const auto& [name, stage] : symbol_stage_) stage_begins_[static_cast<size_t>(stage)] = true;

  std::map<int64_t, int64_t> leaders;
  set_of_.assign(body_.buffers.size(), -1);
  buffer_stage_.assign(body_.buffers.size(), 0);
  for (size_t i = 0; i < body_.buffers.size(); ++i) {
    const Buffer& buffer = body_.buffers[i];
    std::vector<std::string> names;
    buffer.bytes.collect(names);
    for (const std::string& name : names)
      if (const auto at = symbol_stage_.find(name); at != symbol_stage_.end()) buffer_stage_[i] = std::max(buffer_stage_[i], at->second);
    if (buffer.kind != BufferKind::arena) continue;
    // A set of one, or the first member of an alias set in the same space and stage.
    const auto self = static_cast<int64_t>(i);
    set_of_[i] = self;
    if (buffer.alias >= 0) {
      const int64_t leader = leaders.try_emplace(buffer.alias, self).first->second;
      const Buffer& first = body_.buffers[static_cast<size_t>(leader)];
      if (first.space == buffer.space && buffer_stage_[static_cast<size_t>(leader)] == buffer_stage_[i]) set_of_[i] = leader;
    }
    if (set_of_[i] == self) sets_.push_back(self);
  }
}

Result<DimValues> Frame::bind_inputs(std::span<const HostValue> inputs, const DimValues& outer) const {
  DimValues out = outer;
  if (inputs.size() != body_.inputs.size()) return fail("{} inputs are wanted, got {}", body_.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const engine::Port& port = body_.inputs[i];
    if (!port.type.is_tensor()) continue;
    if (inputs[i].kind != HostValue::Kind::tensor) return fail("input '{}' has no value: set it before running", port.name);
    const Tensor& tensor = inputs[i].tensor;
    if (tensor.dtype != port.type.dtype)
      return fail("input '{}' must be {}, got {}", port.name, to_string(port.type.dtype), to_string(tensor.dtype));
    if (!port.type.shape.has_rank()) continue;
    if (tensor.rank() != port.type.shape.rank())
      return fail("input '{}' must have shape {}, got {}", port.name, to_string(port.type.shape), to_string(tensor.dims));
    for (int64_t d = 0; d < tensor.rank(); ++d) {
      const int64_t size = tensor.dims[static_cast<size_t>(d)];
      if (const auto symbol = port.type.shape[d].as_symbol()) {
        const auto [at, fresh] = out.try_emplace(std::string(*symbol), size);
        if (!fresh && at->second != size)
          return fail("input '{}' has dim {} of {}, but '{}' is {} elsewhere", port.name, d, size, *symbol, at->second);
      }
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {  // dims that are no bare symbol, once all symbols are bound
    const engine::Port& port = body_.inputs[i];
    if (!port.type.is_tensor() || !port.type.shape.has_rank()) continue;
    const auto wanted = evaluate(port.type.shape, out);
    if (wanted.ok() && *wanted != inputs[i].tensor.dims)
      return fail("input '{}' must have shape {}, got {}", port.name, to_string(port.type.shape), to_string(inputs[i].tensor.dims));
  }
  return out;
}

std::vector<int64_t> Frame::key_of(int64_t stage) const {
  std::vector<int64_t> key;
  for (const auto& [name, value] : values_) {
    const auto at = symbol_stage_.find(name);
    if (at == symbol_stage_.end() || at->second <= stage) key.push_back(value);
  }
  return key;
}

Result<Frame::ShapePlan*> Frame::shape_plan() {
  std::vector<int64_t> key = key_of(0);
  for (size_t i = 0; i < shapes_.size(); ++i) {
    if (shapes_[i].first != key) continue;
    if (i)
      std::rotate(shapes_.begin(), shapes_.begin() + static_cast<std::ptrdiff_t>(i), shapes_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return shapes_.front().second.get();
  }
  auto plan = std::make_unique<ShapePlan>();
  plan->segments.resize(body_.segments.size());
  plan->stage_keys.resize(body_.segments.size() + 1);
  plan->stage_placed.resize(body_.segments.size() + 1);
  plan->offsets.resize(body_.buffers.size());
  plan->capacities.resize(body_.buffers.size());
  TENON_OK(queues_.synchronize());
  if (shapes_.size() >= kKeptShapes) {
    for (SegmentPlan& segment : shapes_.back().second->segments) drop_graphs(segment);
    shapes_.pop_back();
  }
  shapes_.emplace_front(std::move(key), std::move(plan));
  return shapes_.front().second.get();
}

Result<void> Frame::place_stage(ShapePlan& shapes, int64_t stage) {
  std::vector<int64_t> key = key_of(stage);
  const auto at = static_cast<size_t>(stage);
  if (!shapes.stage_placed[at] || shapes.stage_keys[at] != key) {
    std::map<int64_t, std::vector<Placed>> spaces;
    std::map<int64_t, std::pair<int64_t, size_t>> where;  // leader → space, index
    for (const int64_t leader : sets_) {
      const Buffer& buffer = body_.buffers[static_cast<size_t>(leader)];
      if (buffer_stage_[static_cast<size_t>(leader)] != stage) continue;
      std::vector<Placed>& list = spaces[buffer.space];
      where[leader] = {buffer.space, list.size()};
      list.push_back({0, INT64_MAX, 0});
    }
    for (size_t i = 0; i < body_.buffers.size(); ++i) {
      if (set_of_[i] < 0 || buffer_stage_[i] != stage) continue;
      const Buffer& buffer = body_.buffers[i];
      TENON_TRY(bytes, evaluate(buffer.bytes, values_));
      if (bytes < 0) return fail("the buffer of '{}' would have {} bytes", buffer.name, bytes);
      const auto& [space, index] = where.at(set_of_[i]);
      Placed& set = spaces[space][index];
      set.bytes = std::max(set.bytes, bytes);
      set.first = std::min(set.first, buffer.first);
      set.last = std::max(set.last, buffer.last);
      shapes.capacities[i] = bytes;
    }
    for (auto& [space, list] : spaces) {
      const Placement placement = place(list);
      shapes.memory[{stage, space}] = {placement.bytes, placement.lower_bound};
    }
    for (size_t i = 0; i < body_.buffers.size(); ++i)
      if (set_of_[i] >= 0 && buffer_stage_[i] == stage) {
        const auto& [space, index] = where.at(set_of_[i]);
        shapes.offsets[i] = spaces[space][index].offset;
      }
    shapes.stage_keys[at] = std::move(key);
    shapes.stage_placed[at] = true;
  }
  return {};
}

Result<MemoryUse> Frame::memory_use(const DimValues& values) {
  values_ = values;
  ShapePlan shapes;
  shapes.stage_keys.resize(body_.segments.size() + 1);
  shapes.stage_placed.resize(body_.segments.size() + 1);
  shapes.offsets.resize(body_.buffers.size());
  shapes.capacities.resize(body_.buffers.size());
  TENON_OK(place_stage(shapes, 0));
  MemoryUse out;
  for (const auto& [key, use] : shapes.memory) {
    out.bytes += use.bytes;
    out.lower_bound += use.lower_bound;
  }
  return out;
}

Result<void> Frame::prepare_operand(const engine::Operand& operand, bool output, StepCall& call, std::vector<HostValue>& list) {
  list.emplace_back();
  if (operand.buffer < 0) return {};
  const Buffer& buffer = body_.buffers[static_cast<size_t>(operand.buffer)];
  const bool given = buffer.kind == BufferKind::input && !operand.type.shape.has_rank();
  if (buffer.kind == BufferKind::slot || given || !operand.type.is_tensor()) return {};  // comes with its own dims
  TENON_TRY(dims, evaluate(operand.type.shape, values_));
  TENON_TRY(elems, checked_elems(dims));
  list.back() = HostValue(Tensor::wrap(operand.type.dtype, dims, nullptr));
  TENON_TRY(offset, evaluate(operand.offset, values_));
  const int64_t end = offset + bytes_of(operand.type.dtype, elems);
  int64_t capacity = INT64_MAX;
  if (buffer.kind == BufferKind::arena) {
    capacity = current_->capacities[static_cast<size_t>(operand.buffer)];
  } else if (buffer.kind == BufferKind::weight) {
    const Tensor& weight = weights_->get(buffer.index, buffer.space);
    capacity = weight.dtype == DType::str ? elems == weight.elems() ? end : -1 : weight.bytes();
    if (!same_width(weight.dtype, operand.type.dtype)) capacity = -1;
  }
  if (offset < 0 || end > capacity)
    return fail(ErrorKind::bad_engine, "step '{}': an {} of {} does not fit its buffer of {} bytes", call.step->name,
                output ? "output" : "input", to_string(operand.type), capacity);
  return {};
}

Result<void> Frame::prepare_segment(ShapePlan& shapes, int64_t segment) {
  SegmentPlan& plan = shapes.segments[static_cast<size_t>(segment)];
  std::vector<int64_t> key = key_of(segment);
  if (plan.made && plan.key == key) return {};
  TENON_OK(queues_.synchronize());  // queued work may still read the old calls
  drop_graphs(plan);
  plan.runs.clear();
  plan.calls.clear();
  plan.made = false;
  for (const engine::Step& step : body_.segments[static_cast<size_t>(segment)].steps) {
    StepCall call;
    call.step = &step;
    TENON_TRY(problem, engine::bind(step.problem, values_));
    call.problem = std::move(problem);
    if (const auto* transfer = call.problem.as<engine::TransferProblem>()) call.transfer_bytes = transfer->bytes.constant().value_or(0);
    size_t variant = 0;
    for (; variant < step.variants.size(); ++variant) {
      bool holds = true;
      for (const engine::Guard& guard : step.variants[variant].guards) {
        TENON_TRY(value, evaluate(guard.dim, values_));
        holds = holds && value >= guard.least && value <= guard.most;
      }
      if (holds) break;
    }
    if (variant == step.variants.size()) return fail(ErrorKind::bad_engine, "step '{}' has no kernel for these shapes", step.name);
    const StepKernel& kernel = engine_.kernel(step, variant);
    call.kernel = kernel.fn;
    if (!kernel.functions.empty()) TENON_OK(prepare_code(step.variants[variant].kernel, kernel, call));
    for (const engine::Operand& operand : step.in) TENON_OK(prepare_operand(operand, false, call, call.in));
    for (const engine::Operand& operand : step.out) TENON_OK(prepare_operand(operand, true, call, call.out));
    if (!call.out.empty() && call.out[0].kind == HostValue::Kind::tensor) {
      auto sizes = engine::check_sizes(call.problem, call.out[0].tensor.dims);
      if (!sizes.ok()) return std::move(sizes.error()).within(step.name);
    }
    plan.calls.push_back(std::move(call));
  }
  find_runs(plan);
  plan.key = std::move(key);
  plan.made = true;
  return {};
}

}  // namespace tenon::runtime
