#include "tune/host_steps.h"

namespace tenon::tune {
namespace {

constexpr int64_t kHost = 0;

std::string kind_of(const engine::Problem& problem) {
  if (const auto* p = problem.as<engine::ReferenceProblem>()) return "reference " + p->op;
  const std::string text = engine::to_string(problem);
  return text.substr(0, text.find('{'));
}

std::optional<Dim> bytes_of_operands(const std::vector<engine::Operand>& in, const std::vector<engine::Operand>& out) {
  Dim bytes(0);
  for (const auto* list : {&in, &out})
    for (const engine::Operand& operand : *list) {
      if (operand.buffer < 0) continue;
      const int bits = operand.type.is_tensor() ? bits_of(operand.type.dtype) : 0;
      if (bits == 0 || !operand.type.shape.has_rank()) return std::nullopt;
      bytes = bytes + ceildiv(operand.type.shape.elems() * Dim(bits), Dim(8));
    }
  return bytes;
}

class Finder {
 public:
  Finder(const engine::Plan& plan, std::span<const engine::DeviceFacts> facts)
      : backend_(find_backend(plan.devices.back())), facts_(facts) {}

  void look(const engine::Body& body) {
    for (const engine::Segment& segment : body.segments) {
      for (const engine::Step& step : segment.steps)
        if (step.device == kHost && !step.problem.as<engine::TransferProblem>() && !is_result_copy(body, step))
          found.push_back({step.name, kind_of(step.problem), bytes_of_operands(step.in, step.out), reason(body, step)});
      for (const engine::Region& region : segment.region) {
        found.push_back({region.name, std::string(to_text(region.kind)), bytes_of_operands(region.in, region.out),
                         "control flow is decided on the host"});
        for (const engine::Body& inner : region.bodies) look(inner);
      }
    }
  }

  std::vector<HostStep> found;

 private:
  static bool is_slot(const engine::Body& body, const engine::Operand& operand) {
    return operand.buffer >= 0 && body.buffers[static_cast<size_t>(operand.buffer)].kind == engine::BufferKind::slot;
  }
  static bool is_result_copy(const engine::Body& body, const engine::Step& step) {
    return step.problem.as<engine::CopyProblem>() && step.out.size() == 1 && step.out[0].buffer >= 0 && step.name.starts_with("output ") &&
           body.buffers[static_cast<size_t>(step.out[0].buffer)].kind == engine::BufferKind::output;
  }
  std::string reason(const engine::Body& body, const engine::Step& step) const {
    for (const auto* list : {&step.in, &step.out})
      for (const engine::Operand& operand : *list)
        if (is_slot(body, operand)) return "a value has a size that only a run knows, or is no dense tensor";
    const engine::Verdict verdict = backend_->caps(step.problem, facts_.back());
    return verdict.ok ? "its neighbours are on the host" : std::string(verdict.why);
  }

  const Backend* backend_;
  std::span<const engine::DeviceFacts> facts_;
};

}  // namespace

std::vector<HostStep> host_steps(const engine::Plan& plan, std::span<const engine::DeviceFacts> facts) {
  if (plan.devices.size() < 2 || !find_backend(plan.devices.back())) return {};
  Finder finder(plan, facts);
  finder.look(plan.main);
  return std::move(finder.found);
}

Result<void> report_host_steps(const engine::Plan& plan, std::span<const engine::DeviceFacts> facts, bool strict, const Log& log) {
  const std::vector<HostStep> steps = host_steps(plan, facts);
  if (steps.empty()) return {};
  Dim known(0);
  std::string lines;
  size_t unknown = 0;
  for (const HostStep& step : steps) {
    const std::string bytes = step.bytes ? to_string(*step.bytes) + " bytes" : "bytes not known";
    const std::string line = strf("'{}' ({}, {}): {}", step.name, step.kind, bytes, step.why);
    log.detail(1, step.name, "{}: on the host: {}", plan.target, line);
    lines += "\n  " + line;
    known = step.bytes ? known + *step.bytes : known;
    unknown += !step.bytes;
  }
  const std::string more = unknown ? strf(" and what {} of them find", unknown) : "";
  if (strict)
    return fail(ErrorKind::unsupported, "{} steps for '{}' would run on the host ({} bytes{}):{}", steps.size(), plan.target,
                to_string(known), more, lines);
  log(Severity::warning, "{} steps for '{}' run on the host ({} bytes{}); TENON_LOG=1 names them, --strict refuses them", steps.size(),
      plan.target, to_string(known), more);
  return {};
}

}  // namespace tenon::tune
