// Engine: a loaded file, immutable and shared by threads. It owns the weights in every memory space that its plan uses.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "engine/device.h"
#include "engine/file.h"

namespace tenon::runtime {

/// A device of this machine: "cpu", "cuda", "cuda:1".
struct DeviceChoice {
  engine::DeviceKind kind = engine::DeviceKind::cpu;
  int64_t index = 0;

  bool operator==(const DeviceChoice&) const = default;
};
/// Errors: no such kind of device, no number behind the colon.
Result<DeviceChoice> parse_device(std::string_view text);
std::string device_text(const DeviceChoice& device);

struct LoadOptions {
  std::string target;           // the plan to run; empty: the best that this machine has devices for
  std::string device;           // only plans for this device, "cpu": those of the host alone; empty: any
  bool verify_weights = false;  // check every blob's checksum
  Log log;
};

/// Weights of a plan, with preparations done. Replaced as a whole by refit; a run keeps the set it began with.
class WeightSet {
 public:
  ~WeightSet();
  /// The tensor of a row of Plan::weights; its data lies in `space`.
  const Tensor& get(int64_t row, int64_t space) const { return tensors_.at({row, space}); }
  /// No two sets of a process have the same one.
  uint64_t serial() const { return serial_; }

 private:
  friend class Engine;
  uint64_t serial_ = 0;
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
  /// A queue of the plan's device with that position.
  Result<void*> open_queue(int64_t position) const { return device(position).open(choice_.index); }
  /// What the plan runs on beside the host: its last device.
  const DeviceChoice& choice() const { return choice_; }
  bool has_device() const { return !devices_.back()->host_memory; }
  int64_t last_device() const { return static_cast<int64_t>(devices_.size()) - 1; }
  /// Steps and regions of a plan with a device that the host runs all the same: a run waits for the device where they read from it.
  const std::vector<std::string>& host_steps() const { return host_steps_; }
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
  DeviceChoice choice_;
  std::vector<std::string> host_steps_;
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
