#include "tune/timer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

namespace tenon::tune {
namespace {

constexpr int kChain = 32, kShortChain = 4, kReplays = 3, kRounds = 7;
constexpr double kHopeless = 1.3;                         // times the best of the first round: no candidate of the others
constexpr double kLongUs = 200;                           // a launch that one replay of a short chain measures well enough
constexpr int kCodeCopies = 16;                           // in turns, so that instructions come from L2, as between two runs of a network
constexpr int64_t kAlign = 256, kWeightBytes = 64 << 20;  // weights come from memory as much as from the cache, as between two runs

int64_t aligned_up(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

/// A queue and what was made on it.
class Bench {
 public:
  explicit Bench(const engine::DeviceApi& api) : api_(api) {}
  ~Bench() {
    if (!queue_) return;
    (void)api_.synchronize(queue_);
    for (void* graph : graphs_) api_.code->drop(queue_, graph);
    for (void* module : modules_) api_.code->unload(queue_, module);
    for (std::byte* memory : memory_) api_.release(queue_, memory);
    api_.close(queue_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Result<void> open() {
    TENON_TRY(queue, api_.open(0));
    queue_ = queue;
    return {};
  }

  /// Every operand, weights in several copies, full of small 16-bit floats: as other types they are finite numbers too.
  Result<void> place(std::span<const TimedOperand> operands) {
    int64_t weights = 0;
    for (const TimedOperand& operand : operands)
      if (operand.is_weight) weights += aligned_up(operand.bytes);
    copies_ = weights == 0 ? 1 : std::clamp<int64_t>(kWeightBytes / weights, 1, kChain);
    for (const TimedOperand& operand : operands) {
      const int64_t stride = operand.is_weight ? aligned_up(operand.bytes) : 0;
      const int64_t bytes = operand.is_weight ? stride * copies_ : aligned_up(operand.bytes);
      TENON_TRY(memory, allocate(bytes));
      places_.push_back({memory, stride});
      if (operand.data) {
        for (int64_t at = 0; at < bytes && operand.bytes > 0; at += stride > 0 ? stride : bytes)
          TENON_OK(api_.copy(queue_, memory + at, operand.data, operand.bytes, engine::CopyKind::to_device));
      } else {
        TENON_OK(fill(memory, bytes));
      }
    }
    return api_.synchronize(queue_);
  }

  /// Launches in a graph; none where the device refuses one.
  struct Chain {
    void* graph = nullptr;
    int links = 0;
  };

  /// A short graph of a kernel that takes long, else a long one. All have run once.
  Result<Chain> chain(const TimedKernel& timed, const DimValues& values) {
    std::vector<std::vector<void*>> functions(kCodeCopies);
    for (std::vector<void*>& copy : functions)
      for (size_t i = 0; i < timed.code.size(); ++i) {
        TENON_TRY(module, api_.code->load(queue_, timed.code[i]->binary));
        modules_.push_back(module);
        engine::CodeRef code = timed.kernel->launches[i].code;
        code.shared_bytes = timed.code[i]->shared_bytes;
        TENON_TRY(function, api_.code->function(queue_, module, code));
        copy.push_back(function);
      }
    std::vector<std::byte*> workspaces;
    for (const engine::Workspace& workspace : timed.kernel->workspaces) {
      TENON_TRY(bytes, evaluate(workspace.bytes, values));
      TENON_TRY(memory, allocate(bytes));
      const Bytes zeros(static_cast<size_t>(bytes));
      TENON_OK(api_.copy(queue_, memory, zeros.data(), bytes, engine::CopyKind::to_device));
      TENON_OK(api_.synchronize(queue_));
      workspaces.push_back(memory);
    }
    Chain chain;
    for (const int links : {kShortChain, kChain}) {
      TENON_OK(api_.code->begin_capture(queue_));
      bool launched = true;
      for (int link = 0; link < links && launched; ++link)
        for (size_t i = 0; i < timed.code.size() && launched; ++i) {
          auto done = launch(timed.kernel->launches[i], *timed.code[i], functions[link % kCodeCopies][i], link, workspaces, values);
          launched = done.ok();
        }
      auto graph = api_.code->end_capture(queue_);
      if (graph.ok()) graphs_.push_back(*graph);
      if (!launched || !graph.ok()) return Chain();
      chain = {*graph, links};
      TENON_OK(replay(chain, 1));
      TENON_TRY(us, replay(chain, 1));
      if (us > kLongUs) break;
    }
    return chain;
  }

  /// The contents of the operand that stands `from_end` before the last.
  Result<void> read(size_t from_end, std::span<std::byte> to) {
    TENON_OK(api_.copy(queue_, to.data(), places_[places_.size() - 1 - from_end].memory, static_cast<int64_t>(to.size()),
                       engine::CopyKind::to_host));
    return api_.synchronize(queue_);
  }

  /// Microseconds of a launch.
  Result<double> replay(const Chain& chain, int times) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) TENON_OK(api_.code->replay(queue_, chain.graph));
    TENON_OK(api_.synchronize(queue_));
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / times / chain.links;
  }

 private:
  struct Place {
    std::byte* memory = nullptr;
    int64_t stride = 0;  // between copies
  };

  Result<std::byte*> allocate(int64_t bytes) {
    TENON_TRY(memory, api_.allocate(queue_, std::max(bytes, kAlign)));
    memory_.push_back(memory);
    return memory;
  }

  Result<void> fill(std::byte* memory, int64_t bytes) {
    if (pattern_.empty()) {
      std::mt19937 random(1);
      pattern_.resize(1 << 20);
      for (size_t i = 0; i < pattern_.size(); i += 2) {  // ±[2^-5, 1)
        const auto bits = static_cast<uint16_t>((random() % 2 << 15) | ((10 + random() % 5) << 10) | random() % 1024);
        std::memcpy(pattern_.data() + i, &bits, 2);
      }
    }
    const auto piece = static_cast<int64_t>(pattern_.size());
    for (int64_t at = 0; at < bytes; at += piece)
      TENON_OK(api_.copy(queue_, memory + at, pattern_.data(), std::min(piece, bytes - at), engine::CopyKind::to_device));
    return {};
  }

  Result<void> launch(const engine::Launch& row, const CompiledKernel& code, void* function, int link,
                      const std::vector<std::byte*>& workspaces, const DimValues& values) {
    Bytes args = row.args;
    for (const engine::Reloc& reloc : row.relocs) {
      if (reloc.kind == engine::RelocKind::dim) {
        TENON_TRY(value, evaluate(reloc.value, values));
        std::memcpy(args.data() + reloc.offset, &value, sizeof value);
        continue;
      }
      const auto index = static_cast<size_t>(reloc.index);
      const std::byte* address =
          reloc.kind == engine::RelocKind::workspace ? workspaces[index] : places_[index].memory + places_[index].stride * (link % copies_);
      std::memcpy(args.data() + reloc.offset, &address, sizeof address);
    }
    engine::CodeLaunch launch{.function = function, .cooperative = row.cooperative, .args = args};
    for (const auto& [from, to] :
         {std::pair(&row.grid, &launch.grid), std::pair(&row.block, &launch.block), std::pair(&row.cluster, &launch.cluster)})
      for (size_t i = 0; i < from->size(); ++i) {
        TENON_TRY(size, evaluate((*from)[i], values));
        (*to)[i] = static_cast<uint32_t>(size);
      }
    launch.dependent = link > 0 && code.has_wait && may_be_dependent(row, launch);
    TENON_TRY(shared, evaluate(row.shared_bytes, values));
    launch.shared_bytes = static_cast<uint32_t>(shared);
    return api_.code->launch(queue_, launch);
  }

  const engine::DeviceApi& api_;
  void* queue_ = nullptr;
  std::vector<std::byte*> memory_;
  std::vector<void*> modules_, graphs_;
  std::vector<Place> places_;
  int64_t copies_ = 1;
  Bytes pattern_;
};

/// Microseconds of a launch in each chain, the chains in turns; infinite where there is none. A first replay sorts out what is hopeless.
Result<std::vector<double>> medians(Bench& bench, const std::vector<Bench::Chain>& chains) {
  std::vector<double> first(chains.size(), HUGE_VAL);
  for (size_t i = 0; i < chains.size(); ++i) {
    if (!chains[i].graph) continue;
    TENON_TRY(us, bench.replay(chains[i], 1));
    first[i] = us;
  }
  const double best = *std::min_element(first.begin(), first.end());
  std::vector<std::vector<double>> rounds(chains.size());
  for (int round = 0; round < kRounds; ++round)
    for (size_t i = 0; i < chains.size(); ++i) {
      if (!chains[i].graph || first[i] > kHopeless * best) continue;
      TENON_TRY(us, bench.replay(chains[i], best > kLongUs ? 1 : kReplays));
      rounds[i].push_back(us);
    }
  for (size_t i = 0; i < chains.size(); ++i) {
    if (rounds[i].empty()) continue;
    std::sort(rounds[i].begin(), rounds[i].end());
    first[i] = rounds[i][rounds[i].size() / 2];
  }
  return first;
}

}  // namespace

Result<std::vector<double>> time_kernels(const engine::DeviceApi& device, std::span<const TimedKernel> candidates,
                                         std::span<const TimedOperand> operands, const DimValues& values) {
  Bench bench(device);
  TENON_OK(bench.open());
  TENON_OK(bench.place(operands));
  std::vector<Bench::Chain> chains;
  for (const TimedKernel& candidate : candidates) {
    TENON_TRY(chain, bench.chain(candidate, values));
    chains.push_back(chain);
  }
  return medians(bench, chains);
}

Result<double> time_kernel(const engine::DeviceApi& device, const TimedKernel& kernel, std::span<const TimedOperand> operands,
                           const DimValues& values, std::span<const std::span<std::byte>> out) {
  Bench bench(device);
  TENON_OK(bench.open());
  TENON_OK(bench.place(operands));
  TENON_TRY(chain, bench.chain(kernel, values));
  if (!chain.graph) return fail(ErrorKind::unsupported, "the device does not launch this kernel");
  TENON_TRY(us, medians(bench, std::vector{chain}));
  for (size_t i = 0; i < out.size(); ++i) TENON_OK(bench.read(out.size() - 1 - i, out[i]));
  return us[0];
}

}  // namespace tenon::tune
