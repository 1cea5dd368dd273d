// DevicePool: memory of a plan's device for values that outlive a run.
#pragma once
#include <memory>
#include <mutex>

#include "runtime/engine.h"

namespace tenon::runtime {

/// A stream of the plan's device. A caller's is open as long as values live that were made or shown there; `owner` keeps a context's own.
struct Stream {
  void* handle = nullptr;
  std::shared_ptr<const void> owner;
};

/// Tensors of a pool have an owner, and no other tensors with on_device have one. Their memory comes back when their last copy dies,
/// and is handed out again behind the work that the streams have then to which they were shown. For any thread.
class DevicePool : public std::enable_shared_from_this<DevicePool> {
 public:
  static Result<std::shared_ptr<DevicePool>> open(std::shared_ptr<const Engine> engine);
  ~DevicePool();

  /// Uninitialised memory that the next work of `stream` may use.
  Result<Tensor> allocate(DType dtype, Dims dims, const Stream& stream);
  /// A copy of a tensor in the host's memory. Errors: strings, no memory.
  Result<Tensor> upload(const Tensor& host);
  /// A copy of a pool's tensor, once the work is done that it comes from.
  static Result<Tensor> download(const Tensor& tensor);
  /// The stream's next work comes after that of the streams that know the tensor already, and its memory after that work. Tensors that
  /// are no pool's are the caller's to order.
  static Result<void> show(const Tensor& tensor, const Stream& stream);
  /// Whose memory a pool's tensor is; the host for others.
  static DeviceChoice device_of(const Tensor& tensor);

 private:
  struct Block;
  DevicePool(std::shared_ptr<const Engine> engine, void* queue, void* copies);
  static Block* block_of(const Tensor& tensor);
  Result<Tensor> make(DType dtype, Dims dims, const Stream* stream);
  Result<std::byte*> take(int64_t bytes, int64_t& capacity, const Stream* stream);
  void take_back(Block& block);

  struct Spare {
    std::byte* memory;
    int64_t bytes;
    // The stream that alone knew it; null: several did, or none. Weak: a context's own stream holds the pool.
    void* only = nullptr;
    std::weak_ptr<const void> owner;
    bool owned = false;
    /// The handle alone could be that of a newer stream, where the owner has died.
    bool is_of(const Stream& stream) const { return only && only == stream.handle && !(owned && owner.expired()); }
  };
  std::shared_ptr<const Engine> engine_;
  const engine::DeviceApi& api_;
  void* queue_;       // behind all work on memory that came back
  void* copies_;      // between host and device
  std::mutex mutex_;  // guards the queues, the spares and the blocks' streams
  std::vector<Spare> spares_;
};

}  // namespace tenon::runtime
