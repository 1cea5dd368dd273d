// Queues: one for each device of a plan, of one context, and what the run at hand does with them.
#pragma once
#include "runtime/device_pool.h"

namespace tenon::runtime {

/// What a run moved and launched.
struct RunStats {
  int64_t copies_to_device = 0, bytes_to_device = 0;
  int64_t copies_to_host = 0, bytes_to_host = 0;
  int64_t copies_within = 0, bytes_within = 0;  // in the device's memory: operands that do not lie as kernels want them
  int64_t graphs = 0;                           // launched as a whole
};

class Queues : public std::enable_shared_from_this<Queues> {
 public:
  static Result<std::shared_ptr<Queues>> open(std::shared_ptr<const Engine> engine);
  ~Queues();
  const engine::DeviceApi& api(int64_t device) const { return engine_->device(device); }
  void* queue(int64_t device) const { return queues_[static_cast<size_t>(device)]; }

  /// A run begins, whose work on the plan's last device goes to `stream` (null: the queue's own). `may_wait`: whether the host may.
  Result<void> begin(void* stream, bool may_wait);
  Result<void> end();
  /// Where the last device's work goes.
  Stream stream();
  void* own_stream() const { return api(engine_->last_device()).stream(queue(engine_->last_device())); }

  /// Copies on the queue of `device` and counts it.
  Result<void> copy(int64_t device, std::byte* to, const std::byte* from, int64_t bytes, engine::CopyKind kind);
  /// Memory of the last device for a result.
  Result<Tensor> result_memory(DType dtype, Dims dims);
  /// Waits for every device but the host.
  Result<void> synchronize();
  bool pending = false;
  bool may_wait = true;
  RunStats stats;

 private:
  explicit Queues(std::shared_ptr<const Engine> engine) : engine_(std::move(engine)) {}
  std::shared_ptr<const Engine> engine_;
  std::vector<void*> queues_;
  void* stream_ = nullptr;
  std::shared_ptr<DevicePool> pool_;  // made when it is first needed
};

}  // namespace tenon::runtime
