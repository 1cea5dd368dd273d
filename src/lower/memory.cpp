// What lowering says about memory once all steps of a body stand: in-place sets, and lifetimes that reach over device queues.
#include <algorithm>

#include "lower/body.h"

namespace tenon::lower {
namespace {

using engine::Body;
using engine::Buffer;
using engine::BufferKind;
using engine::Operand;
using engine::Step;

/// Calls fn(position, step or null, region or null) in order.
template <class Fn>
void for_each_position(Body& body, const Fn& fn) {
  int64_t at = 0;
  for (engine::Segment& segment : body.segments) {
    for (Step& step : segment.steps) fn(at++, &step, static_cast<engine::Region*>(nullptr));
    for (engine::Region& region : segment.region) fn(at++, static_cast<Step*>(nullptr), &region);
  }
}

int64_t root_of(const std::vector<int64_t>& set, int64_t i) {
  while (set[static_cast<size_t>(i)] != i) i = set[static_cast<size_t>(i)];
  return i;
}

/// The expression reads each element of the input only where it writes the output: same shape, same width, the buffer's last use.
bool may_overwrite(const Body& body, const Step& step, size_t input, int64_t at) {
  const Operand &in = step.in[input], &out = step.out[0];
  if (in.buffer < 0 || out.buffer < 0 || in.buffer == out.buffer) return false;
  const Buffer &from = body.buffers[static_cast<size_t>(in.buffer)], &to = body.buffers[static_cast<size_t>(out.buffer)];
  if (from.kind != BufferKind::arena || to.kind != BufferKind::arena || from.space != to.space) return false;
  if (from.last != at || to.first != at || !(from.bytes == to.bytes) || !(in.offset == Dim(0))) return false;
  if (!(in.type.shape == out.type.shape) || bits_of(in.type.dtype) != bits_of(out.type.dtype)) return false;
  for (size_t i = 0; i < step.in.size(); ++i)
    if (i != input && step.in[i].buffer == in.buffer) return false;
  return true;
}

}  // namespace

void share_in_place(Body& body) {
  std::vector<int64_t> set(body.buffers.size());
  for (size_t i = 0; i < set.size(); ++i) set[i] = static_cast<int64_t>(i);
  for_each_position(body, [&](int64_t at, Step* step, engine::Region*) {
    if (!step || !step->problem.as<engine::PointwiseProblem>() || step->out.size() != 1) return;
    for (size_t i = 0; i < step->in.size(); ++i) {
      if (!may_overwrite(body, *step, i, at)) continue;
      const int64_t a = root_of(set, step->in[i].buffer), b = root_of(set, step->out[0].buffer);
      set[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
      return;
    }
  });
  std::vector<int64_t> members(set.size());
  for (size_t i = 0; i < set.size(); ++i) ++members[static_cast<size_t>(root_of(set, static_cast<int64_t>(i)))];
  for (size_t i = 0; i < set.size(); ++i) {
    const int64_t root = root_of(set, static_cast<int64_t>(i));
    if (members[static_cast<size_t>(root)] > 1) body.buffers[i].alias = root;
  }
}

void extend_over_queues(Body& body) {
  std::vector<std::pair<int64_t, std::vector<int64_t>>> waits;  // of each host position: steps it waits for
  std::vector<int64_t> devices;
  int64_t end = 0;
  for_each_position(body, [&](int64_t at, Step* step, engine::Region* region) {
    end = at;
    devices.push_back(step ? step->device : 0);
    const std::vector<int64_t>& list = step ? step->waits : region->waits;
    if (devices.back() == 0 && !list.empty()) waits.push_back({at, list});
  });
  for_each_position(body, [&](int64_t at, Step* step, engine::Region*) {
    if (!step || step->device == 0) return;
    int64_t until = end;
    for (const auto& [position, list] : waits) {
      const bool covers =
          std::any_of(list.begin(), list.end(), [&](int64_t w) { return w >= at && devices[static_cast<size_t>(w)] == step->device; });
      if (position > at && covers) {
        until = position;
        break;
      }
    }
    for (const std::vector<Operand>* operands : {&step->in, &step->out})
      for (const Operand& operand : *operands) {
        if (operand.buffer < 0) continue;
        Buffer& buffer = body.buffers[static_cast<size_t>(operand.buffer)];
        if (buffer.kind == BufferKind::arena && buffer.space == 0) buffer.last = std::max(buffer.last, until);
      }
  });
}

}  // namespace tenon::lower
