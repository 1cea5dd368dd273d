// Steps that are code of the file: numbers into arguments once per shape, addresses at each run, a graph from the second run on.
#include <algorithm>
#include <cstring>

#include "base/env.h"
#include "runtime/frame_parts.h"

namespace tenon::runtime {
namespace {

constexpr int64_t kWorkspaceAlign = 256;
constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1;

int64_t aligned(int64_t bytes) { return (bytes + kWorkspaceAlign - 1) / kWorkspaceAlign * kWorkspaceAlign; }

Result<std::array<uint32_t, 3>> evaluate_extent(const std::vector<Dim>& dims, const DimValues& values) {
  std::array<uint32_t, 3> out{1, 1, 1};
  if (dims.size() > out.size()) return fail(ErrorKind::bad_engine, "a launch has {} dims", dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    TENON_TRY(size, evaluate(dims[i], values));
    if (size < 0 || size > kMostBlocks) return fail(ErrorKind::bad_engine, "a launch has {} in dim {}", size, i);
    out[i] = static_cast<uint32_t>(size);
  }
  return out;
}

/// TENON_DEPENDENT=0: a kernel begins when the one ahead has ended.
bool dependent_wanted() {
  static const bool wanted = knob_int("dependent") != 0;
  return wanted;
}

}  // namespace

Result<void> Frame::prepare_code(const engine::Kernel& kernel, const StepKernel& functions, StepCall& call) {
  const auto operands = static_cast<int64_t>(call.step->in.size() + call.step->out.size());
  const auto workspaces = static_cast<int64_t>(kernel.workspaces.size());
  for (size_t i = 0; i < kernel.launches.size(); ++i) {
    const engine::Launch& row = kernel.launches[i];
    CodeCall code{.row = &row, .launch = {.function = functions.functions[i]}, .args = row.args};
    TENON_TRY(grid, evaluate_extent(row.grid, values_));
    TENON_TRY(block, evaluate_extent(row.block, values_));
    TENON_TRY(cluster, evaluate_extent(row.cluster, values_));
    TENON_TRY(shared, evaluate(row.shared_bytes, values_));
    if (shared < 0 || shared > kMostBlocks) return fail(ErrorKind::bad_engine, "a launch wants {} bytes of shared memory", shared);
    code.launch.grid = grid;
    code.launch.block = block;
    code.launch.cluster = cluster;
    code.launch.shared_bytes = static_cast<uint32_t>(shared);
    code.launch.cooperative = row.cooperative;
    for (const engine::Reloc& reloc : row.relocs) {
      if (reloc.offset < 0 || reloc.offset + 8 > static_cast<int64_t>(code.args.size()))
        return fail(ErrorKind::bad_engine, "an argument lies outside the {} bytes of arguments", code.args.size());
      if (reloc.kind == engine::RelocKind::dim) {
        TENON_TRY(value, evaluate(reloc.value, values_));
        std::memcpy(code.args.data() + reloc.offset, &value, sizeof value);
      } else if (reloc.index < 0 || reloc.index >= (reloc.kind == engine::RelocKind::workspace ? workspaces : operands)) {
        return fail(ErrorKind::bad_engine, "an argument names {} {}", to_text(reloc.kind), reloc.index);
      }
    }
    call.code.push_back(std::move(code));
  }
  int64_t scratch = 0;
  for (const engine::Workspace& workspace : kernel.workspaces) {
    TENON_TRY(bytes, evaluate(workspace.bytes, values_));
    if (bytes < 0) return fail(ErrorKind::bad_engine, "a workspace of {} bytes", bytes);
    if (workspace.kind == engine::WorkspaceKind::scratch) {
      call.workspaces.push_back({.offset = scratch});
      scratch += aligned(bytes);
      continue;
    }
    const engine::DeviceApi& api = queues_.api(call.step->device);
    void* queue = queues_.queue(call.step->device);
    Chunk& own = owned_[{&workspace, call.step->device}];
    if (own.bytes < bytes || !own.memory) {
      if (own.memory) api.release(queue, own.memory);
      own = {};
      TENON_TRY(memory, api.allocate(queue, bytes));
      own = {memory, bytes};
      const Bytes zeros(static_cast<size_t>(bytes));
      TENON_OK(api.copy(queue, memory, zeros.data(), bytes, engine::CopyKind::to_device));
      TENON_OK(api.synchronize(queue));
    }
    call.workspaces.push_back({.own = &own});
  }
  call.scratch_bytes = scratch;
  return {};
}

/// One piece of memory in each space, as large as the step needs that needs most.
Result<void> Frame::reserve_scratch(const SegmentPlan& plan) {
  for (const StepCall& call : plan.calls) {
    if (call.scratch_bytes == 0) continue;
    const int64_t space = call.step->device;
    Chunk& chunk = scratch_[space];
    if (chunk.bytes >= call.scratch_bytes) continue;
    TENON_OK(queues_.synchronize());
    if (chunk.memory) queues_.api(space).release(queues_.queue(space), chunk.memory);
    chunk = {};
    TENON_TRY(memory, queues_.api(space).allocate(queues_.queue(space), call.scratch_bytes));
    chunk = {memory, call.scratch_bytes};
  }
  return {};
}

void Frame::find_runs(SegmentPlan& plan) const {
  for (size_t i = 0; i < plan.calls.size(); ++i) {
    const bool goes_on =
        i > 0 && !plan.runs.empty() && plan.runs.back().end == i && plan.calls[i - 1].step->device == plan.calls[i].step->device;
    if (plan.calls[i].code.empty()) continue;
    if (goes_on) {
      plan.runs.back().end = i + 1;
    } else {
      plan.runs.push_back({.first = i, .end = i + 1});
    }
  }
}

void Frame::drop_graphs(SegmentPlan& plan) {
  for (CodeRun& run : plan.runs) {
    const int64_t device = plan.calls[run.first].step->device;
    for (const CodeRun::Recording& recording : run.recent)
      if (recording.graph) queues_.api(device).code->drop(queues_.queue(device), recording.graph);
    run.recent.clear();
  }
}

/// All that the addresses of a run's operands follow from.
std::vector<const void*> Frame::addresses() const {
  std::vector<const void*> out = {reinterpret_cast<const void*>(weights_->serial())};
  for (const auto& [key, chunk] : chunks_) out.push_back(chunk.memory);
  for (const auto& [space, chunk] : scratch_) out.push_back(chunk.memory);
  for (const auto& [key, chunk] : owned_) out.push_back(chunk.memory);
  for (size_t i = 0; i < redirects_.size(); ++i)
    if (redirects_[i]) out.insert(out.end(), {reinterpret_cast<const void*>(i), redirects_[i]});
  return out;
}

/// `after_code`: a kernel was launched just before, and after this one.
Result<void> Frame::launch_code(StepCall& call, bool& after_code) {
  const engine::DeviceApi& api = queues_.api(call.step->device);
  const size_t inputs = call.in.size();
  for (CodeCall& code : call.code) {
    if (code.launch.blocks() == 0) continue;
    for (const engine::Reloc& reloc : code.row->relocs) {
      if (reloc.kind == engine::RelocKind::dim) continue;
      const auto index = static_cast<size_t>(reloc.index);
      const std::byte* address = nullptr;
      if (reloc.kind == engine::RelocKind::workspace) {
        const StepCall::Workspace& workspace = call.workspaces[index];
        address = workspace.own ? workspace.own->memory : scratch_.at(call.step->device).memory + workspace.offset;
      } else {
        address = index < inputs ? call.in[index].tensor.data : call.out[index - inputs].tensor.data;
      }
      std::memcpy(code.args.data() + reloc.offset, &address, sizeof address);
    }
    code.launch.args = code.args;
    code.launch.dependent = after_code && dependent_wanted() && code.row->code.has_wait && may_be_dependent(*code.row, code.launch);
    TENON_OK(api.code->launch(queues_.queue(call.step->device), code.launch));
    after_code = true;
  }
  return {};
}

/// TENON_CHECK_STEPS: the step's operands, copied to the host, before and after it.
Result<void> Frame::launch_checked(StepCall& call) {
  const engine::DeviceApi& api = queues_.api(call.step->device);
  void* queue = queues_.queue(call.step->device);
  const auto downloaded = [&](const std::vector<HostValue>& values) -> Result<std::vector<HostValue>> {
    std::vector<HostValue> out = values;
    for (HostValue& value : out) {
      if (value.kind != HostValue::Kind::tensor) continue;
      TENON_TRY(host, Tensor::allocate(value.tensor.dtype, value.tensor.dims));
      TENON_OK(api.copy(queue, host.data, value.tensor.data, host.bytes(), engine::CopyKind::to_host));
      value = HostValue(std::move(host));
    }
    TENON_OK(api.synchronize(queue));
    return out;
  };
  TENON_TRY(in, downloaded(call.in));
  bool after_code = false;
  TENON_OK(launch_code(call, after_code));
  TENON_TRY(out, downloaded(call.out));
  std::swap(call.in, in);
  std::swap(call.out, out);
  auto same = check_step(call);
  std::swap(call.in, in);
  std::swap(call.out, out);
  return same;
}

Result<void> Frame::stop_after(int64_t steps) {
  TENON_OK(queues_.synchronize());  // graphs may be at work
  step_limit_ = steps;
  for (const auto& [key, shapes] : shapes_)
    for (SegmentPlan& plan : shapes->segments) drop_graphs(plan);
  return {};
}

/// The steps of `run` before `end`.
Result<void> Frame::run_code(SegmentPlan& plan, CodeRun& run, size_t end) {
  static const bool sync = knob_int("sync") != 0, check = knob_int("check_steps") != 0;
  const int64_t device = plan.calls[run.first].step->device;
  const engine::DeviceApi& api = queues_.api(device);
  void* queue = queues_.queue(device);
  queues_.pending = true;
  std::vector<const void*> now = addresses();
  const auto at = std::find_if(run.recent.begin(), run.recent.end(), [&](const CodeRun::Recording& r) { return r.addresses == now; });
  const bool known = at != run.recent.end();
  if (known) {
    std::rotate(run.recent.begin(), at, at + 1);
  } else {
    if (run.recent.size() == kKeptGraphs) {
      if (run.recent.back().graph) api.code->drop(queue, run.recent.back().graph);
      run.recent.pop_back();
    }
    run.recent.insert(run.recent.begin(), {std::move(now), nullptr});
  }
  CodeRun::Recording& recording = run.recent.front();
  if (recording.graph) {
    ++queues_.stats.graphs;
    return api.code->replay(queue, recording.graph);
  }
  const bool capture = !sync && !check && known;
  if (capture) TENON_OK(api.code->begin_capture(queue));
  Result<void> done;
  bool after_code = false;  // the first kernel waits for what is on the queue, copies among it; empty grids launch nothing
  for (size_t i = run.first; i < end && done.ok(); ++i) {
    StepCall& call = plan.calls[i];
    done = set_operands(call, false);
    if (done.ok()) done = set_operands(call, true);
    if (done.ok()) done = check ? launch_checked(call) : launch_code(call, after_code);
    if (done.ok() && sync) done = api.synchronize(queue);
    if (!done.ok()) done = std::move(done.error()).within(call.step->name);
  }
  if (!capture) return done;
  auto graph = api.code->end_capture(queue);
  TENON_OK(std::move(done));
  if (!graph.ok()) return std::move(graph).error();
  recording.graph = *graph;
  ++queues_.stats.graphs;
  return api.code->replay(queue, recording.graph);
}

}  // namespace tenon::runtime
