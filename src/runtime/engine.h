// Engine: a loaded file, immutable and shared by threads. It owns the weights in every memory space that its plan uses.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "engine/device.h"
#include "engine/file.h"

namespace tenon::runtime {

struct LoadOptions {
  std::string target;           // the plan to run; empty: the best that this machine has devices for
  bool verify_weights = false;  // check every blob's checksum
  Log log;
};

/// Weights of a plan, with preparations done. Replaced as a whole by refit; a run keeps the set it began with.
class WeightSet {
 public:
  ~WeightSet();
  /// The tensor of a row of Plan::weights; its data lies in `space`.
  const Tensor& get(int64_t row, int64_t space) const { return tensors_.at({row, space}); }

 private:
  friend class Engine;
  std::map<std::pair<int64_t, int64_t>, Tensor> tensors_;
  struct DeviceMemory {
    const engine::DeviceApi* api;
    void* queue;
    std::byte* memory;
  };
  std::vector<DeviceMemory> device_memory_;
};

/// What a variant of a step launches: a function of this build, or functions of the file's modules, one per launch.
struct StepKernel {
  engine::KernelFn fn = nullptr;
  std::vector<void*> functions;
};

class Engine {
 public:
  /// `keep_alive` owns `bytes`. Errors: a damaged file, a target that the file lacks, preparations that fail.
  static Result<std::shared_ptr<Engine>> load(ByteView bytes, std::shared_ptr<const void> keep_alive, const LoadOptions& options);
  static Result<std::shared_ptr<Engine>> load_file(const std::string& path, const LoadOptions& options);
  ~Engine();

  const engine::Plan& plan() const { return *plan_; }
  const engine::Image& image() const { return image_; }
  const engine::DeviceApi& device(int64_t index) const { return *devices_[static_cast<size_t>(index)]; }
  const StepKernel& kernel(const engine::Step& step, size_t variant) const { return kernels_.at(&step)[variant]; }
  std::shared_ptr<const WeightSet> weights() const;

  /// Replaces a root and re-runs the preparations that hang on it. Contexts see it from their next run on. Errors: no root of that
  /// name; another dtype or shape.
  Result<void> refit(std::string_view root, const Tensor& data);
  /// The file's bytes, refitted roots included.
  Result<Bytes> serialize() const;

 private:
  Engine() = default;
  Result<void> choose_plan(const LoadOptions& options, const std::vector<engine::StalePlan>& stale);
  Result<void> load_modules();
  Result<void> resolve_kernels(const engine::Body& body);
  Result<StepKernel> resolve(const engine::Step& step, const engine::Kernel& kernel) const;
  Result<std::shared_ptr<WeightSet>> make_weights() const;
  engine::Image image_;
  const engine::Plan* plan_ = nullptr;
  std::vector<const engine::DeviceApi*> devices_;
  std::vector<void*> queues_;   // for uploads
  std::vector<void*> modules_;  // of the plan's rows, on its last device
  std::unordered_map<const engine::Step*, std::vector<StepKernel>> kernels_;
  mutable std::mutex mutex_;  // guards weights_ and the blobs' data
  std::shared_ptr<const WeightSet> weights_;
};

/// The device backends of this build, by the names that plans use.
const engine::DeviceApi* find_device_api(std::string_view name);

}  // namespace tenon::runtime
