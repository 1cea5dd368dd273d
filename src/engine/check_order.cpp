#include "engine/check_order.h"

#include <algorithm>
#include <map>
#include <set>

namespace tenon::engine {
namespace {

constexpr int64_t kHostDevice = 0;

Error step_error(std::string_view step, std::string_view what) { return fail(ErrorKind::bad_engine, "step '{}' {}", step, what); }

/// A step or region that reads or writes a buffer.
struct Access {
  int64_t at = 0, device = 0;
  bool writes = false;
};

/// The launches of one step.
class LaunchChecker {
 public:
  LaunchChecker(const Plan& plan, const Body& body, const Step& step, const DeviceFacts* facts)
      : plan_(plan), body_(body), step_(step), facts_(facts) {}

  Result<void> check() const {
    TENON_OK(constants());
    for (const Variant& variant : step_.variants)
      for (const Launch& launch : variant.kernel.launches) {
        if (launch.code.module < 0) continue;  // a function of the host's build, which takes tensors
        TENON_OK(code(launch));
        TENON_OK(arguments(launch, static_cast<int64_t>(variant.kernel.workspaces.size())));
        TENON_OK(mode(launch));
      }
    return {};
  }

 private:
  Error bad(std::string_view what) const { return step_error(step_.name, what); }

  /// What a kernel may fetch before it waits never changes.
  Result<void> constants() const {
    const Weights weights = weights_of(step_.problem);
    for (size_t i = weights.first; weights.are_static && i < weights.last; ++i) {
      const int64_t buffer = step_.in.size() > i ? step_.in[i].buffer : -1;
      if (buffer < 0 || body_.buffers[static_cast<size_t>(buffer)].kind != BufferKind::weight)
        return bad(strf("takes its input {} for a constant, which is no weight of the plan", i));
    }
    return {};
  }

  Result<void> code(const Launch& launch) const {
    if (launch.code.module >= static_cast<int64_t>(plan_.modules.size()))
      return bad(strf("names module {} of {}", launch.code.module, plan_.modules.size()));
    const CodeModule& module = plan_.modules[static_cast<size_t>(launch.code.module)];
    if (launch.code.arch != module.arch) return bad(strf("has code for '{}' in a module for '{}'", launch.code.arch, module.arch));
    return {};
  }

  Result<void> arguments(const Launch& launch, int64_t workspaces) const {
    const auto bytes = static_cast<int64_t>(launch.args.size()), operands = static_cast<int64_t>(step_.in.size() + step_.out.size());
    if (launch.code.parameter_bytes != bytes)
      return bad(strf("has {} bytes of arguments for a kernel of {}", bytes, launch.code.parameter_bytes));
    for (const Reloc& reloc : launch.relocs) {
      if (reloc.offset < 0 || reloc.offset % 8 != 0 || reloc.offset > bytes - 8)
        return bad(strf("has an argument at byte {} of {}", reloc.offset, bytes));
      const bool of_workspace = reloc.kind == RelocKind::workspace;
      if (reloc.kind == RelocKind::dim) continue;
      if (!of_workspace && reloc.kind != RelocKind::arena)
        return bad(strf("has an argument of kind {}, which nothing fills", to_text(reloc.kind)));
      if (reloc.index < 0 || reloc.index >= (of_workspace ? workspaces : operands))
        return bad(strf("has an argument that names {} {}", to_text(reloc.kind), reloc.index));
    }
    return {};
  }

  Result<void> mode(const Launch& launch) const {
    if (!launch.cluster.empty() && !has_clusters(launch.code.arch)) return bad(strf("has clusters, which {} lacks", launch.code.arch));
    if (launch.mode == LaunchMode::plain) return {};
    if (!has_dependent_launch(launch.code.arch)) return bad(strf("is launched dependently, which {} lacks", launch.code.arch));
    if (!launch.code.has_wait) return bad(strf("is launched dependently, but its kernel '{}' does not wait", launch.code.name));
    if (launch.cooperative) return bad("is launched dependently, but wants all its blocks at once");
    if (!facts_) return {};
    Dim blocks(1);
    for (const Dim& dim : launch.grid) blocks = blocks * dim;
    const int64_t most = kDependentBlocksPerUnit * facts_->units;
    const auto number = blocks.constant();
    if (!number && launch.most_blocks < 1)
      return bad(strf("is launched dependently with a number of blocks that only a run knows ({})", to_string(blocks)));
    if (launch.most_blocks > most)
      return bad(strf("is launched dependently with up to {} blocks, {} are the most", launch.most_blocks, most));
    if (number && *number > most) return bad(strf("is launched dependently with {} blocks, {} are the most", *number, most));
    return {};
  }

  const Plan& plan_;
  const Body& body_;
  const Step& step_;
  const DeviceFacts* facts_;
};

/// One body: what its positions touch and what each knows to have ended.
class BodyChecker {
 public:
  BodyChecker(const Plan& plan, const Body& body, std::span<const DeviceFacts> facts)
      : plan_(plan), body_(body), facts_(facts), accesses_(body.buffers.size()) {}

  Result<void> check() {
    for (const Segment& segment : body_.segments) {
      for (const Step& step : segment.steps) {
        const auto device = static_cast<size_t>(step.device);
        TENON_OK(LaunchChecker(plan_, body_, step, device < facts_.size() ? &facts_[device] : nullptr).check());
        TENON_OK(position(step.name, step.device, step.waits, step.in, step.out, step.problem.as<TransferProblem>() != nullptr));
      }
      for (const Region& region : segment.region) {
        TENON_OK(position(region.name, kHostDevice, region.waits, region.in, region.out, false));
        for (const Body& inner : region.bodies) TENON_OK(BodyChecker(plan_, inner, facts_).check());
      }
    }
    TENON_OK(check_sets());
    return check_places();
  }

 private:
  /// The host waits for what it does itself, and a wait of the host holds back all that comes after; a wait of a device only its own.
  Result<void> position(const std::string& name, int64_t device, const std::vector<int64_t>& waits, const std::vector<Operand>& in,
                        const std::vector<Operand>& out, bool transfer) {
    const auto at = static_cast<int64_t>(names_.size());
    std::vector<int64_t>& known = known_by_[device];
    known.resize(plan_.devices.size(), -1);
    for (const int64_t step : waits) {
      int64_t& ended = known[static_cast<size_t>(devices_[static_cast<size_t>(step)])];
      ended = std::max(ended, step);
    }
    const auto& host = known_by_.try_emplace(kHostDevice, plan_.devices.size(), -1).first->second;
    std::vector<int64_t> ended(plan_.devices.size());
    for (size_t d = 0; d < ended.size(); ++d) ended[d] = std::max(known_by_.at(device)[d], host[d]);
    names_.push_back(name), devices_.push_back(device), ended_.push_back(std::move(ended));
    for (const auto* list : {&in, &out})
      for (const Operand& operand : *list) {
        if (operand.buffer < 0) continue;
        const int64_t space = body_.buffers[static_cast<size_t>(operand.buffer)].space;
        if (space != device && !(transfer && space == kHostDevice))
          return step_error(name, strf("on device {} touches memory of device {}", device, space));
        accesses_[static_cast<size_t>(operand.buffer)].push_back({at, device, list == &out});
      }
    return {};
  }

  bool ordered(int64_t at, int64_t device, int64_t later, int64_t later_device) const {
    return device == kHostDevice || device == later_device || ended_[static_cast<size_t>(later)][static_cast<size_t>(device)] >= at;
  }
  const std::string& name(int64_t at) const { return names_[static_cast<size_t>(at)]; }

  /// Steps that touch the same bytes by name.
  Result<void> check_sets() const {
    std::map<std::pair<int64_t, int64_t>, std::vector<Access>> sets;  // (space, alias set or buffer)
    for (size_t i = 0; i < accesses_.size(); ++i) {
      const Buffer& buffer = body_.buffers[i];
      const int64_t set = buffer.kind == BufferKind::arena && buffer.alias >= 0 ? buffer.alias : static_cast<int64_t>(i);
      auto& list = sets[{buffer.space, set}];
      list.insert(list.end(), accesses_[i].begin(), accesses_[i].end());
    }
    for (auto& [key, list] : sets) {
      std::stable_sort(list.begin(), list.end(), [](const Access& a, const Access& b) { return a.at < b.at; });
      for (size_t j = 1; j < list.size(); ++j)
        for (size_t i = 0; i < j; ++i) {
          const Access &a = list[i], &b = list[j];
          if (a.at == b.at || !(a.writes || b.writes) || ordered(a.at, a.device, b.at, b.device)) continue;
          return step_error(name(b.at), strf("{} what '{}' {} and does not wait for it", b.writes ? "writes" : "reads", name(a.at),
                                             a.writes ? "writes" : "reads"));
        }
    }
    return {};
  }

  /// Buffers that may get the same place one after the other: all that touch the first have ended before the second is touched.
  Result<void> check_places() const {
    std::map<int64_t, std::set<int64_t>> users;  // devices that touch a space
    std::vector<std::map<int64_t, int64_t>> first(accesses_.size()), last(accesses_.size());
    for (size_t i = 0; i < accesses_.size(); ++i)
      for (const Access& access : accesses_[i]) {
        first[i].try_emplace(access.device, access.at);
        last[i][access.device] = access.at;
        users[body_.buffers[i].space].insert(access.device);
      }
    for (size_t i = 0; i < accesses_.size(); ++i) {
      const Buffer& a = body_.buffers[i];
      if (a.kind != BufferKind::arena || users[a.space].size() < 2) continue;
      for (const auto& [device, at] : last[i])
        for (size_t j = 0; device != kHostDevice && j < accesses_.size(); ++j) {
          const Buffer& b = body_.buffers[j];
          if (b.kind != BufferKind::arena || b.space != a.space || a.last >= b.first || (a.alias >= 0 && a.alias == b.alias)) continue;
          for (const auto& [later_device, later] : first[j])
            if (!ordered(at, device, later, later_device))
              return step_error(name(later),
                                strf("touches '{}', which may lie where '{}' lay, and does not wait for '{}'", b.name, a.name, name(at)));
        }
    }
    return {};
  }

  const Plan& plan_;
  const Body& body_;
  std::span<const DeviceFacts> facts_;
  std::vector<std::vector<Access>> accesses_;         // of each buffer, in order
  std::map<int64_t, std::vector<int64_t>> known_by_;  // of each device's queue: the last step of each device that it knows to have ended
  std::vector<std::string> names_;                    // of each position
  std::vector<int64_t> devices_;                      // and its device
  std::vector<std::vector<int64_t>> ended_;           // and the last step of each device that has ended before it begins
};

}  // namespace

Result<void> check_order(const Plan& plan, std::span<const DeviceFacts> facts) { return BodyChecker(plan, plan.main, facts).check(); }

}  // namespace tenon::engine
