#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/env.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/impossible.h"
#include "passes/pipeline.h"

namespace tenon::passes {
namespace {

constexpr int kMaxRounds = 8;
constexpr std::string_view kReproducerMark = "# tenon pass: ";

size_t node_count(const ir::Module& module) {
  size_t count = 0;
  for (const ir::GraphId id : ir::live_graphs(module)) count += module[id].order.size();
  return count;
}

std::string path_in(const std::string& folder, const std::string& name) {
  std::error_code ignored;  // write_file says what is wrong with the folder
  std::filesystem::create_directories(folder, ignored);
  return (std::filesystem::path(folder) / name).string();
}

/// Runs one list of passes on one module.
class Runner {
 public:
  Runner(ir::Module& module, const PassCtx& ctx, std::span<const Pass> passes) : module_(module), ctx_(ctx), passes_(passes) {
    // A target's list goes on where the portable one ends, so that a folder of dumps reads in order.
    const bool target = !passes.empty() && passes[0].target_pass;
    number_ = target ? 50 : 0;
    stop_after_ = ctx.stop_after.empty() ? knob("stop_after") : ctx.stop_after;
  }

  Result<void> run() {
    if (number_ == 0) TENON_OK(dump("import"));
    if (knob_int("verify"))
      if (auto verified = ir::verify(module_); !verified.ok()) return std::move(verified.error()).within("before the first pass");
    for (size_t i = 0; i < passes_.size() && !stopped_;) {
      size_t end = i + 1;
      while (passes_[i].repeat && end < passes_.size() && passes_[end].repeat) ++end;
      TENON_OK(run_group(i, end));
      i = end;
    }
    return {};
  }

 private:
  Result<void> run_group(size_t first, size_t end) {
    const int rounds = passes_[first].repeat ? kMaxRounds : 1;
    for (int round = 0; round < rounds; ++round) {
      bool changed = false;
      for (size_t i = first; i < end && !stopped_; ++i) {
        TENON_TRY(one, run_pass(passes_[i], static_cast<double>(i) / static_cast<double>(passes_.size())));
        changed = changed || one;
      }
      if (!changed || stopped_) return {};
    }
    return {};
  }

  bool is_disabled(std::string_view name) const {
    const std::vector<std::string> by_knob = split(knob("disable_pass"), ',');
    const auto names = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), name) != list.end(); };
    return names(ctx_.disabled) || names(by_knob);
  }

  Result<bool> run_pass(const Pass& pass, double share) {
    if (ctx_.progress) TENON_OK(ctx_.progress(pass.name, share));
    stopped_ = pass.name == stop_after_;
    if (is_disabled(pass.name)) {
      ctx_.log.detail(2, pass.name, "pass {:<18} disabled", pass.name);
      return false;
    }
    ir::Module before = module_;
    const auto start = std::chrono::steady_clock::now();
    auto changed = pass.run(module_, ctx_);
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (!changed.ok()) {
      module_ = std::move(before);
      return std::move(changed.error()).within(strf("pass {}", pass.name));
    }
    ctx_.log.detail(2, pass.name, "pass {:<18} {:<9} {:8.2f} ms, {} nodes -> {}", pass.name, *changed ? "changed" : "no change", ms,
                    node_count(before), node_count(module_));
    if (Log::wants(6, pass.name)) ctx_.log.detail(6, pass.name, "{}", ir::to_string(module_));
    TENON_OK(dump(pass.name));
    if (!knob_int("verify")) return *changed;
    auto verified = ir::verify(module_);
    if (!verified.ok() && replace_impossible()) verified = ir::verify(module_);
    if (verified.ok()) return *changed;
    module_ = std::move(before);
    return fail("pass {} broke the graph: {}; to report it, add the file {}", pass.name, verified.error().message(), reproducer(pass));
  }

  /// What a pass found out about sizes may forbid a node of a branch that is never taken. Whether there was one.
  bool replace_impossible() {
    const std::vector<ir::Contradiction> found = ir::contradictions_in_regions(module_);
    for (const ir::Contradiction& one : found) {
      ir::Graph& graph = module_[one.graph];
      ir::Node& node = graph[one.node];
      ops::Impossible stands{.why = strf("{}: {}", ir::describe(graph, node), one.why)};
      for (const ir::ValueId out : node.out) stands.types.push_back(out == ir::ValueId::none ? ValueType() : graph[out].fact.type);
      ctx_.log.detail(1, "", "{} fails if it is run", stands.why);
      node.op = ops::make_op(std::move(stands));
      node.in.clear();
      node.epilogue = {};
      node.math = {};
    }
    return !found.empty();
  }

  /// Writes the module as it was before the pass; the name of the file, or why there is none.
  std::string reproducer(const Pass& pass) const {
    const std::string folder = knob("reproducer").empty() ? "." : knob("reproducer");
    const std::string path = path_in(folder, strf("tenon_{}.ir", pass.name));
    const std::string text = strf("{}{}\n{}", kReproducerMark, pass.name, ir::to_reproducer(module_));
    const auto written = write_file(path, view_of(text));
    return written.ok() ? path : strf("that could not be written ({})", written.error().message());
  }

  Result<void> dump(std::string_view name) {
    const int number = number_++;
    if (knob("dump").empty()) return {};
    return write_file(path_in(knob("dump"), strf("{:02}_{}.ir", number, name)), view_of(ir::to_string(module_)));
  }

  ir::Module& module_;
  const PassCtx& ctx_;
  std::span<const Pass> passes_;
  std::string stop_after_;
  int number_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<void> run_pipeline(ir::Module& module, const PassCtx& ctx, std::span<const Pass> passes) {
  return Runner(module, ctx, passes).run();
}

Result<ir::Module> replay(std::string_view reproducer, std::span<const OpRow> ops, const PassCtx& ctx) {
  if (!reproducer.starts_with(kReproducerMark)) return fail("wanted a file whose first line is '{}<name>'", kReproducerMark);
  const std::string_view name = reproducer.substr(kReproducerMark.size(), reproducer.find('\n') - kReproducerMark.size());
  const Pass* pass = find_pass(name);
  if (!pass) return fail(ErrorKind::not_found, "there is no pass '{}'", name);
  TENON_TRY(module, ir::parse_module(reproducer, ops));
  TENON_OK(run_pipeline(module, ctx, std::span(pass, 1)));
  return std::move(module);
}

}  // namespace tenon::passes
