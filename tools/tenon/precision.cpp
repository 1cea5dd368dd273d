#include "precision.h"

#include <algorithm>
#include <functional>
#include <map>

namespace tenon::cli {
namespace {

using engine::Step;

void each_step(const engine::Body& body, const std::function<void(const Step&)>& fn) {
  for (const engine::Segment& segment : body.segments) {
    for (const Step& step : segment.steps)
      if (!step.problem.as<engine::TransferProblem>()) fn(step);
    for (const engine::Region& region : segment.region)
      for (const engine::Body& inner : region.bodies) each_step(inner, fn);
  }
}

DType dtype_of(const engine::Operand& operand) { return operand.type.is_tensor() ? operand.type.dtype : DType::none; }

/// "f16, f32": each type once.
std::string types_text(const std::vector<engine::Operand>& operands) {
  std::vector<std::string> out;
  for (const engine::Operand& operand : operands) {
    if (operand.buffer < 0) continue;
    const std::string name = dtype_of(operand) == DType::none ? "-" : std::string(to_string(dtype_of(operand)));
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return join(out, ", ");
}

/// Evaluators and kernels sum in FP32 or wider, whatever the operands; integers in 64 bits.
std::string sums_of(const Step& step) {
  const Math* math = engine::math_of(step.problem);
  if (math && math->accumulator != DType::none) return std::string(to_string(math->accumulator));
  if (step.problem.as<engine::CopyProblem>()) return "-";
  DType most = DType::none;
  for (const auto* list : {&step.in, &step.out})
    for (const engine::Operand& operand : *list)
      if (is_float(dtype_of(operand))) most = most == DType::f64 || dtype_of(operand) == DType::f64 ? DType::f64 : DType::f32;
  return most == DType::none ? "-" : std::string(to_string(most));
}

/// The narrowest float among the operands and results, or none.
DType narrowest(const Step& step) {
  DType out = DType::none;
  for (const auto* list : {&step.in, &step.out})
    for (const engine::Operand& operand : *list)
      if (const DType type = dtype_of(operand); is_float(type) && (out == DType::none || bits_of(type) < bits_of(out))) out = type;
  return out;
}

}  // namespace

std::vector<StepPrecision> precision_of(const engine::Plan& plan, const engine::Plan* portable) {
  std::map<std::string, DType, std::less<>> of_model;  // by ONNX node
  if (portable)
    each_step(portable->main, [&](const Step& step) {
      for (const std::string& name : split(step.name, '+')) of_model.try_emplace(name, narrowest(step));
    });
  std::vector<StepPrecision> out;
  each_step(plan.main, [&](const Step& step) {
    StepPrecision row{.step = step.name, .device = plan.devices[static_cast<size_t>(step.device)]};
    const auto* by_name = step.problem.as<engine::ReferenceProblem>();
    const std::string text = engine::to_string(step.problem);
    row.kind = by_name ? by_name->op : text.substr(0, text.find('{'));
    row.operands = types_text(step.in), row.results = types_text(step.out), row.sums = sums_of(step);
    const DType now = narrowest(step);
    DType was = DType::none;
    for (const std::string& name : split(step.name, '+'))
      if (const auto at = of_model.find(name); at != of_model.end() && was == DType::none) was = at->second;
    const Math* math = engine::math_of(step.problem);
    if (now == DType::none) {
      row.why = "no floats";
    } else if (math && math->operand_rounding != Rounding::f32) {
      row.why = strf("asked for: operands rounded to {}", to_text(math->operand_rounding));
    } else if (was == DType::none) {
      row.why = "made by the builder";
    } else {
      row.why = bits_of(now) < bits_of(was) ? strf("asked for: the model has {}", to_string(was)) : "as in the model";
    }
    out.push_back(std::move(row));
  });
  return out;
}

std::string precision_text(const std::vector<StepPrecision>& rows) {
  std::string out = strf("{:<12} {:<6} {:<14} {:<6} {:<12} {:<32} step\n", "kind", "device", "operands", "sums", "results", "why");
  for (const StepPrecision& row : rows)
    out +=
        strf("{:<12} {:<6} {:<14} {:<6} {:<12} {:<32} {}\n", row.kind, row.device, row.operands, row.sums, row.results, row.why, row.step);
  return out;
}

}  // namespace tenon::cli
