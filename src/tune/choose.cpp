#include "backends/cpu/tactics/tactics.h"
#include "backends/cuda/tactics/tactics.h"
#include "backends/mock/tactics/tactics.h"
#include "base/hash.h"
#include "tune/candidates.h"

namespace tenon::tune {
namespace {

class Chooser {
 public:
  Chooser(engine::Plan& plan, std::span<const engine::DeviceFacts> facts, std::vector<engine::Blob>& blobs, const Log& log,
          const Tuning& tuning)
      : plan_(plan), facts_(facts), blobs_(blobs), log_(log), tuning_(tuning), stores_(facts.size()) {
    for (CodeStore& store : stores_) store.stress = tuning.stress;
  }

  Result<void> run() {
    TENON_OK(body(plan_.main));
    TENON_OK(compile_candidates());
    size_t done = 0;
    for (auto& [key, choice] : choices_) {
      TENON_OK(choose_for(choice));
      if (tuning_.progress) TENON_OK(tuning_.progress(static_cast<double>(++done) / static_cast<double>(choices_.size())));
    }
    for (size_t device = 0; device < stores_.size(); ++device) TENON_OK(compile(device));
    return {};
  }

 private:
  /// Steps that want the same kernel.
  struct Choice {
    std::vector<engine::Step*> steps;
    size_t device = 0;
    std::vector<Candidate> candidates;
  };

  Result<void> body(engine::Body& body) {
    for (engine::Segment& segment : body.segments) {
      for (engine::Step& step : segment.steps) {
        auto done = add_step(body, step);
        if (!done.ok()) return std::move(done.error()).within(strf("choosing a kernel for '{}'", step.name));
      }
      for (engine::Region& region : segment.region)
        for (engine::Body& inner : region.bodies) TENON_OK(this->body(inner));
    }
    return {};
  }

  Result<void> add_step(const engine::Body& body, engine::Step& step) {
    if (step.problem.as<engine::TransferProblem>()) {
      step.variants = {{.kernel = {.launches = {{.code = {.name = "copy"}}}}}};
      return {};
    }
    const auto device = static_cast<size_t>(step.device);
    const Backend* backend = find_backend(plan_.devices[device]);
    if (!backend) return fail("this build has no backend '{}'", plan_.devices[device]);
    Choice& choice = choices_[strf("{} {} {}", device, operands_text(body, step, tuning_.sizes), engine::to_string(step.problem))];
    choice.steps.push_back(&step);
    choice.device = device;
    if (choice.steps.size() > 1) return {};
    TENON_TRY(candidates, candidates_for(body, step, *backend, facts_[device], tuning_));
    choice.candidates = std::move(candidates);
    return {};
  }

  /// All that will be measured, side by side.
  Result<void> compile_candidates() {
    compiled_.resize(stores_.size());
    std::vector<std::map<std::string, KernelText>> texts(stores_.size());
    for (auto& [key, choice] : choices_)
      for (KernelText& text : recall(choice.candidates, facts_[choice.device], tuning_)) texts[choice.device].try_emplace(text.entry, text);
    for (size_t device = 0; device < texts.size(); ++device) {
      if (texts[device].empty()) continue;
      std::vector<KernelText> list;
      for (auto& [entry, text] : texts[device]) list.push_back(std::move(text));
      TENON_TRY(compiled, find_backend(plan_.devices[device])->compile(list, facts_[device], Log()));
      for (size_t i = 0; i < list.size(); ++i) compiled_[device].try_emplace(list[i].entry, std::move(compiled[i]));
    }
    return {};
  }

  /// The tactic and its configuration; without one asked for, the tactic's own favourite.
  std::string described(const Candidate& best, const engine::Problem& problem, const engine::DeviceFacts& facts) const {
    std::string config = best.config;
    if (config.empty() && best.tactic->configs)
      if (const std::vector<std::string> all = best.tactic->configs(problem, facts, tuning_.sizes); !all.empty()) config = all[0];
    return strf("{}{}{}", best.tactic->name, config.empty() ? "" : " ", config);
  }

  /// The best candidate's kernel, for all steps that want it.
  Result<void> choose_for(Choice& choice) {
    const engine::Step& first = *choice.steps[0];
    const engine::DeviceFacts& facts = facts_[choice.device];
    TENON_OK(measure(choice.candidates, compiled_[choice.device], facts, tuning_, log_));
    const Candidate& best = best_of(choice.candidates);
    TENON_TRY(kernel, best.tactic->build(first.problem, {facts, stores_[choice.device], static_cast<int64_t>(first.in.size()),
                                                         static_cast<int64_t>(first.out.size()), best.config, tuning_.sizes}));
    const std::string by = described(best, first.problem, facts);
    for (engine::Launch& launch : kernel.launches)
      if (launch.code.module >= 0) launch.code.config = by;
    for (engine::Step* step : choice.steps) {
      step->variants = {{.kernel = kernel}};
      const auto has_code = [](const engine::Launch& launch) { return launch.code.module >= 0; };
      if (std::any_of(kernel.launches.begin(), kernel.launches.end(), has_code)) coded_.push_back({step, choice.device});
      log_.detail(3, step->name, "{}: {} by {}{}{}", step->name, engine::to_string(step->problem), by,
                  best.us ? strf(" {:.2f} us", *best.us) : "", best.refusals);
    }
    return {};
  }

  /// The texts of a device become modules of the plan, and the steps name those.
  Result<void> compile(size_t device) {
    const std::vector<KernelText>& texts = stores_[device].rows();
    if (texts.empty()) return {};
    TENON_TRY(compiled, find_backend(plan_.devices[device])->compile(texts, facts_[device], log_));
    const auto first = static_cast<int64_t>(plan_.modules.size());
    for (CompiledKernel& kernel : compiled) {
      const std::string name = strf("#{:016x}", hash_bytes(kernel.binary));
      plan_.modules.push_back({.arch = facts_[device].arch, .blob = name});
      const auto same = [&](const engine::Blob& blob) { return blob.name == name; };
      if (std::any_of(blobs_.begin(), blobs_.end(), same)) continue;
      TENON_TRY(data, Tensor::allocate(DType::u8, {static_cast<int64_t>(kernel.binary.size())}));
      std::copy(kernel.binary.begin(), kernel.binary.end(), data.data);
      blobs_.push_back({.name = name, .data = std::move(data)});
    }
    for (const auto& [step, of] : coded_) {
      if (of != device) continue;
      for (engine::Launch& launch : step->variants[0].kernel.launches) {
        if (launch.code.module < 0) continue;
        const CompiledKernel& kernel = compiled[static_cast<size_t>(launch.code.module)];
        launch.code.module += first;
        launch.code.arch = facts_[device].arch;
        launch.code.lowest_driver = kernel.lowest_driver;
        launch.code.registers = kernel.registers;
        launch.code.shared_bytes = kernel.shared_bytes;
        launch.code.parameter_bytes = static_cast<int64_t>(launch.args.size());
        launch.code.has_wait = kernel.has_wait;
      }
    }
    return {};
  }

  struct Coded {
    engine::Step* step;
    size_t device;
  };
  engine::Plan& plan_;
  std::span<const engine::DeviceFacts> facts_;
  std::vector<engine::Blob>& blobs_;
  const Log& log_;
  const Tuning& tuning_;
  std::map<std::string, Choice> choices_;  // by device, operands and problem
  std::vector<CompiledKernels> compiled_;  // candidates of each device
  std::vector<CodeStore> stores_;          // chosen, of each device
  std::vector<Coded> coded_;
};

}  // namespace

const Backend* find_backend(std::string_view name) {
  for (const Backend* backend : {&cpu::backend(), &mock::backend(), &cuda::backend()})
    if (backend->name == name) return backend;
  return nullptr;
}

Result<void> choose(engine::Plan& plan, std::span<const engine::DeviceFacts> facts, std::vector<engine::Blob>& blobs, const Log& log,
                    const Tuning& tuning) {
  return Chooser(plan, facts, blobs, log, tuning).run();
}

}  // namespace tenon::tune
