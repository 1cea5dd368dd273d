#include "engine/plan.h"

#include <algorithm>

namespace tenon::engine {
namespace {

std::string operand_text(const Body& body, const Operand& operand) {
  if (operand.buffer < 0) return "_";
  std::string out = strf("b{}", operand.buffer);
  const Buffer& buffer = body.buffers[static_cast<size_t>(operand.buffer)];
  if (buffer.kind != BufferKind::arena) out += strf(":{}{}", to_text(buffer.kind), buffer.index >= 0 ? strf("{}", buffer.index) : "");
  if (buffer.space) out += strf("@{}", buffer.space);
  if (!(operand.offset == Dim(0))) out += strf("+{}", to_string(operand.offset));
  return out + " " + to_string(operand.type);
}

std::string operands_text(const Body& body, const std::vector<Operand>& operands) {
  std::vector<std::string> parts;
  for (const Operand& operand : operands) parts.push_back(operand_text(body, operand));
  return "(" + join(parts, ", ") + ")";
}

/// A launch of code with what decides how it runs; of a function of the build its name.
std::string launch_text(const Launch& launch) {
  std::string out = " kernel=" + launch.code.name;
  if (launch.code.module < 0) return out;
  out += strf(" by {} grid={} block={}", quote(launch.code.config), to_text(launch.grid), to_text(launch.block));
  if (!launch.cluster.empty()) out += " cluster=" + to_text(launch.cluster);
  if (!(launch.shared_bytes == Dim(0))) out += " shared=" + to_string(launch.shared_bytes);
  return out + strf(" {}{}", to_text(launch.mode), launch.cooperative ? " cooperative" : "");
}

std::string tail_text(const std::vector<int64_t>& waits, const std::vector<std::string>& defines) {
  std::string out;
  if (!waits.empty()) out += " waits=" + to_text(waits);
  if (!defines.empty()) out += " defines=" + join(defines, ",");
  return out;
}

void print_body(const Body& body, std::string indent, std::string& out) {
  for (const Port& port : body.inputs) out += strf("{}in  {}: {}\n", indent, quote(port.name), operand_text(body, port.operand));
  for (size_t i = 0; i < body.buffers.size(); ++i) {
    const Buffer& b = body.buffers[i];
    if (b.kind != BufferKind::arena) continue;
    out += strf("{}buffer b{} @{} bytes={} steps=[{}, {}]{}  # {}\n", indent, i, b.space, to_string(b.bytes), b.first, b.last,
                b.alias >= 0 ? strf(" alias={}", b.alias) : "", b.name);
  }
  int64_t number = 0;
  for (const Segment& segment : body.segments) {
    out += indent + "segment\n";
    for (const Step& step : segment.steps) {
      out += strf("{}  {} @{} {} = {}  {}{}", indent, number++, step.device, operands_text(body, step.out), operands_text(body, step.in),
                  to_string(step.problem), tail_text(step.waits, step.defines));
      for (const Variant& variant : step.variants)
        for (const Launch& launch : variant.kernel.launches) out += launch_text(launch);
      out += "  # " + step.name + "\n";
    }
    for (const Region& region : segment.region) {
      out += strf("{}  {} {} {} = {}{}  # {}\n", indent, number++, to_text(region.kind), operands_text(body, region.out),
                  operands_text(body, region.in), tail_text(region.waits, region.defines), region.name);
      for (const Body& inner : region.bodies) {
        out += indent + "  body\n";
        print_body(inner, indent + "    ", out);
      }
    }
  }
  for (const Port& port : body.outputs) out += strf("{}out {}: {}\n", indent, quote(port.name), operand_text(body, port.operand));
}

constexpr int kMaxNesting = 64;

struct Checker {
  const Plan& plan;

  static Error bad(std::string_view what) { return fail(ErrorKind::bad_engine, "{}", what); }

  Result<void> operand(const Body& body, const Operand& o, bool optional, std::string_view who) {
    if (o.buffer < 0) return optional && o.buffer == -1 ? Result<void>() : bad(strf("{} has no buffer", who));
    if (o.buffer >= static_cast<int64_t>(body.buffers.size()))
      return bad(strf("{} names buffer {} of {}", who, o.buffer, body.buffers.size()));
    const Buffer& buffer = body.buffers[static_cast<size_t>(o.buffer)];
    if (o.type.is_tensor() && o.type.dtype == DType::none) return bad(strf("{} has no element type", who));
    if (!o.strides.empty()) return bad(strf("{} has strides, which no kernel of this version takes", who));
    if (buffer.kind == BufferKind::arena && (!o.type.is_tensor() || !o.type.shape.has_rank() || o.type.dtype == DType::str))
      return bad(strf("{} is no dense tensor of known rank, but lies in an arena", who));
    return {};
  }

  Result<void> operands(const Body& body, const std::vector<Operand>& list, bool outputs, int64_t at, std::string_view who) {
    for (const Operand& o : list) {
      TENON_OK(operand(body, o, true, who));
      if (o.buffer < 0) continue;
      const Buffer& buffer = body.buffers[static_cast<size_t>(o.buffer)];
      if (buffer.kind == BufferKind::arena && (at < buffer.first || at > buffer.last))
        return bad(strf("{} uses buffer {} outside its lifetime", who, o.buffer));
      if (outputs && (buffer.kind == BufferKind::input || buffer.kind == BufferKind::weight))
        return bad(strf("{} writes to an input or a weight", who));
    }
    return {};
  }

  Result<void> waits(const std::vector<int64_t>& list, int64_t at, std::string_view who) {
    for (const int64_t step : list)
      if (step < 0 || step >= at) return bad(strf("{} waits for step {}", who, step));
    return {};
  }

  Result<void> region(const Body& body, const Region& r, int64_t at, int depth) {
    TENON_OK(operands(body, r.in, false, at, r.name));
    TENON_OK(operands(body, r.out, true, at, r.name));
    TENON_OK(waits(r.waits, at, r.name));
    const auto in = static_cast<int64_t>(r.in.size()), out = static_cast<int64_t>(r.out.size());
    const int64_t fixed = r.kind == RegionKind::branch ? 1 : r.kind == RegionKind::loop ? 2 : 0;
    if (r.captures < 0 || r.captures > in - fixed) return bad(strf("{}: {} captures of {} inputs", r.name, r.captures, in));
    if (r.bodies.size() != (r.kind == RegionKind::branch ? 2u : 1u)) return bad(strf("{} has {} bodies", r.name, r.bodies.size()));
    const int64_t rest = in - fixed - r.captures;
    if (r.kind == RegionKind::scan) {
      if (r.scan_inputs < 0 || r.scan_inputs > rest) return bad(strf("{}: {} scanned inputs of {}", r.name, r.scan_inputs, rest));
      const auto carried = rest - r.scan_inputs;
      const auto n = static_cast<size_t>(r.scan_inputs), m = static_cast<size_t>(std::max<int64_t>(out - carried, 0));
      if (r.in_axes.size() != n || r.in_reversed.size() != n || r.out_axes.size() != m || r.out_reversed.size() != m)
        return bad(strf("{} has scan attributes of the wrong length", r.name));
    }
    for (const Body& inner : r.bodies) {
      const auto ins = static_cast<int64_t>(inner.inputs.size()), outs = static_cast<int64_t>(inner.outputs.size());
      const bool fits = r.kind == RegionKind::branch ? ins == r.captures && outs == out
                        : r.kind == RegionKind::loop ? ins == in && outs == out + 1 && rest <= out
                                                     : ins == in && outs == out && rest - r.scan_inputs <= out;
      if (!fits) return bad(strf("{} has a body with {} inputs and {} outputs for {} and {}", r.name, ins, outs, in, out));
      TENON_OK(check(inner, depth + 1));
    }
    return {};
  }

  Result<void> buffers(const Body& body, int64_t steps) {
    const auto in_range = [](int64_t i, size_t n) { return i >= 0 && i < static_cast<int64_t>(n); };
    for (size_t i = 0; i < body.buffers.size(); ++i) {
      const Buffer& b = body.buffers[i];
      bool ok = in_range(b.space, plan.devices.size());
      if (b.kind == BufferKind::input) ok = ok && in_range(b.index, body.inputs.size()) && b.space == 0;
      if (b.kind == BufferKind::output) ok = ok && in_range(b.index, body.outputs.size()) && b.space == 0;
      if (b.kind == BufferKind::slot) ok = ok && b.space == 0;
      if (b.kind == BufferKind::weight) ok = ok && in_range(b.index, plan.weights.size());
      if (b.kind == BufferKind::arena)
        ok = ok && b.first >= 0 && b.first <= b.last && b.last < std::max<int64_t>(steps, 1) &&
             (b.alias == -1 || in_range(b.alias, body.buffers.size()));
      if (!ok) return bad(strf("buffer {} is out of range", i));
    }
    return {};
  }

  Result<void> check(const Body& body, int depth) {
    if (depth > kMaxNesting) return bad("regions are nested too deeply");
    int64_t steps = 0;
    for (const Segment& segment : body.segments) steps += static_cast<int64_t>(segment.steps.size() + segment.region.size());
    TENON_OK(buffers(body, steps));
    for (const Port& port : body.inputs) TENON_OK(operand(body, port.operand, false, port.name));
    for (size_t i = 0; i < body.inputs.size(); ++i) {
      const Buffer& b = body.buffers[static_cast<size_t>(body.inputs[i].operand.buffer)];
      if (b.kind != BufferKind::input || b.index != static_cast<int64_t>(i))
        return bad(strf("input '{}' has no buffer of its own", body.inputs[i].name));
    }
    for (const Port& port : body.outputs) {
      TENON_OK(operand(body, port.operand, false, port.name));
      const BufferKind kind = body.buffers[static_cast<size_t>(port.operand.buffer)].kind;
      if (kind != BufferKind::output && kind != BufferKind::slot && kind != BufferKind::input && kind != BufferKind::weight)
        return bad(strf("output '{}' lies in an arena", port.name));
    }
    int64_t at = 0;
    for (const Segment& segment : body.segments) {
      for (const Step& step : segment.steps) {
        if (step.device < 0 || step.device >= static_cast<int64_t>(plan.devices.size()))
          return bad(strf("step {} names device {}", at, step.device));
        TENON_OK(operands(body, step.in, false, at, step.name));
        TENON_OK(operands(body, step.out, true, at, step.name));
        TENON_OK(waits(step.waits, at, step.name));
        if (step.variants.empty()) return bad(strf("step {} ('{}') has no kernel", at, step.name));
        ++at;
      }
      if (segment.region.size() > 1) return bad("a segment has two regions");
      for (const Region& r : segment.region) TENON_OK(region(body, r, at++, depth));
    }
    return {};
  }

  Result<void> weights() {
    for (const WeightSource& source : plan.weights) TENON_OK(weight(source, plan.preps.size()));
    for (size_t i = 0; i < plan.preps.size(); ++i)
      for (const WeightSource& source : plan.preps[i].in) TENON_OK(weight(source, i));
    return {};
  }
  Result<void> weight(const WeightSource& source, size_t preps) {
    if (source.prep == -1 && !source.blob.empty()) return {};
    if (source.prep < 0 || source.prep >= static_cast<int64_t>(preps) || source.output < 0 ||
        source.output >= static_cast<int64_t>(plan.preps[static_cast<size_t>(source.prep)].out.size()))
      return bad(strf("a weight names output {} of preparation {}", source.output, source.prep));
    return {};
  }
};

}  // namespace

std::string to_string(const Plan& plan) {
  std::string out = strf("plan {} devices={}\n", plan.target, to_text(plan.devices));
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const WeightSource& w = plan.weights[i];
    out += w.prep < 0 ? strf("weight {} = blob {}\n", i, quote(w.blob)) : strf("weight {} = prep {} output {}\n", i, w.prep, w.output);
  }
  for (size_t i = 0; i < plan.preps.size(); ++i)
    out += strf("prep {} = {} v{} {} {}  # {}\n", i, plan.preps[i].pack, plan.preps[i].version, to_string(plan.preps[i].problem),
                to_text(plan.preps[i].in), plan.preps[i].name);
  print_body(plan.main, "", out);
  return out;
}

Result<void> validate(const Plan& plan) {
  Checker checker{plan};
  if (plan.devices.empty()) return Checker::bad("the plan names no device");
  TENON_OK(checker.weights());
  return checker.check(plan.main, 0);
}

}  // namespace tenon::engine
