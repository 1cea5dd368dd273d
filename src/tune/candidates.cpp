#include "tune/candidates.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace tenon::tune {
namespace {

constexpr double kRefused = 1e9;  // microseconds of what the device does not launch

/// Sizes and kinds of the operands; symbols that have no value get kGuess. Nothing where a size follows from data or the data matters.
std::optional<std::vector<TimedOperand>> operands_of(const engine::Body& body, const engine::Step& step, DimValues& values) {
  std::vector<std::string> symbols;
  engine::collect_symbols(step.problem, symbols);
  for (const std::string& symbol : symbols) values.try_emplace(symbol, kGuess);
  std::vector<TimedOperand> out;
  for (const auto* list : {&step.in, &step.out})
    for (const engine::Operand& operand : *list) {
      TimedOperand& timed = out.emplace_back();
      if (operand.buffer < 0) continue;
      const engine::Buffer& buffer = body.buffers[static_cast<size_t>(operand.buffer)];
      if (!operand.type.is_tensor() || !operand.type.shape.has_rank() || buffer.kind == engine::BufferKind::slot) return std::nullopt;
      if (!is_float(operand.type.dtype)) return std::nullopt;  // indices would have to be right
      const auto elems = evaluate(operand.type.shape.elems(), values);
      if (!elems.ok() || *elems < 0) return std::nullopt;
      timed = {(*elems * bits_of(operand.type.dtype) + 7) / 8, buffer.kind == engine::BufferKind::weight};
    }
  return out;
}

/// Of all that the kernel's time follows from.
std::string key_of(const engine::Kernel& kernel, const std::vector<TimedOperand>& operands) {
  engine::Kernel bare = kernel;
  for (engine::Launch& launch : bare.launches) launch.code.module = -1;
  std::string sizes;
  for (const TimedOperand& operand : operands) sizes += strf("{}{} ", operand.bytes, operand.is_weight ? "w" : "");
  return strf("{:016x}", hash_text(sizes, hash_bytes(to_bytes(bare))));
}

bool can_measure(const engine::DeviceFacts& facts, const Tuning& tuning) {
  return tuning.device && tuning.device->code && !engine::is_ptx(facts.arch) && tuning.device->check(facts.arch, 0).ok();
}

/// Whose timings count: those of this machine's card, or of the one that the facts are of.
std::string card_of(const engine::DeviceFacts& facts, const Tuning& tuning) {
  return can_measure(facts, tuning) ? tuning.device->code->card() : facts.name;
}

}  // namespace

std::string operands_text(const engine::Body& body, const engine::Step& step, const DimValues& sizes) {
  DimValues values = sizes;
  std::string out = strf("{}/{}", step.in.size(), step.out.size());
  if (const auto operands = operands_of(body, step, values))
    for (const TimedOperand& operand : *operands) out += strf(" {}{}", operand.bytes, operand.is_weight ? "w" : "");
  return out;
}

Result<std::vector<Candidate>> candidates_for(const engine::Body& body, const engine::Step& step, const Backend& backend,
                                              const engine::DeviceFacts& facts, const Tuning& tuning) {
  std::vector<Candidate> out;
  std::string refusals;
  DimValues values = tuning.sizes;
  const auto operands = operands_of(body, step, values);
  const bool can_choose = operands && tuning.timings && backend.compile;
  for (const Tactic& tactic : backend.tactics) {
    const engine::Verdict verdict = tactic.supports(step.problem, facts);
    if (!verdict.ok) {
      refusals += strf("\n  {}: {}", tactic.name, verdict.why);
      continue;
    }
    std::vector<std::string> configs = {""};
    if (can_choose && tactic.configs) configs = tactic.configs(step.problem, facts, tuning.sizes);
    if (!out.empty()) configs.resize(1);  // of the tactics that are no favourites, their own favourite
    for (const std::string& config : configs) {
      Candidate& one = out.emplace_back();
      one.tactic = &tactic, one.config = config, one.values = values;
      if (!can_choose) {
        one.refusals = refusals;
        return out;
      }
      TENON_TRY(kernel, tactic.build(step.problem, {facts, one.code, static_cast<int64_t>(step.in.size()),
                                                    static_cast<int64_t>(step.out.size()), config, tuning.sizes}));
      one.key = key_of(kernel, *operands);
      one.kernel = std::move(kernel), one.operands = *operands, one.problem = engine::to_string(step.problem);
    }
  }
  if (out.empty())
    return fail(ErrorKind::unsupported, "no tactic of '{}' takes {}{}", backend.name, engine::to_string(step.problem), refusals);
  return out;
}

std::vector<KernelText> recall(std::vector<Candidate>& candidates, const engine::DeviceFacts& facts, const Tuning& tuning) {
  std::vector<KernelText> out;
  if (!tuning.timings) return out;
  const bool here = can_measure(facts, tuning);
  const std::string card = card_of(facts, tuning);
  for (Candidate& one : candidates) {
    if (one.key.empty()) continue;
    if (const Timing* known = tuning.timings->find(card, one.key)) {
      one.us = known->us;
    } else if (here) {
      out.insert(out.end(), one.code.rows().begin(), one.code.rows().end());
    }
  }
  return out;
}

Result<void> measure(std::vector<Candidate>& candidates, const CompiledKernels& compiled, const engine::DeviceFacts& facts,
                     const Tuning& tuning, const Log& log) {
  std::vector<Candidate*> fresh;
  std::vector<TimedKernel> timed;
  for (Candidate& one : candidates) {
    if (one.us || one.key.empty()) continue;
    TimedKernel row{.kernel = &one.kernel};
    for (const engine::Launch& launch : one.kernel.launches)
      if (const auto code = compiled.find(launch.code.name); code != compiled.end()) row.code.push_back(&code->second);
    if (row.code.size() != one.kernel.launches.size()) continue;
    timed.push_back(std::move(row));
    fresh.push_back(&one);
  }
  if (fresh.empty()) return {};
  const std::string card = card_of(facts, tuning);
  TENON_TRY(times, time_kernels(*tuning.device, timed, fresh[0]->operands, fresh[0]->values));
  for (size_t i = 0; i < fresh.size(); ++i) {
    Candidate& one = *fresh[i];
    one.us = std::min(times[i], kRefused);
    log.detail(4, one.problem, "{}: {} {} {:.2f} us", one.problem, one.tactic->name, one.config, *one.us);
    tuning.timings->add({card, one.key, *one.us, std::string(one.tactic->name), one.config, one.problem});
  }
  return {};
}

const Candidate& best_of(const std::vector<Candidate>& candidates) {
  return *std::min_element(candidates.begin(), candidates.end(),
                           [](const Candidate& a, const Candidate& b) { return a.us.value_or(HUGE_VAL) < b.us.value_or(HUGE_VAL); });
}

}  // namespace tenon::tune
