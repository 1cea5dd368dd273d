#include "runtime/device_pool.h"

#include <algorithm>

namespace tenon::runtime {
namespace {

constexpr size_t kKeptSpares = 16;
constexpr int64_t kSmall = 4096;

/// Whether memory of `bytes` may serve a tensor of `wanted`: what is far too large is kept for others.
bool serves(int64_t bytes, int64_t wanted) { return bytes >= wanted && bytes <= 2 * wanted + kSmall; }

}  // namespace

struct DevicePool::Block {
  std::shared_ptr<DevicePool> pool;
  std::byte* memory = nullptr;
  int64_t bytes = 0;
  std::vector<Stream> streams;
};

Result<std::shared_ptr<DevicePool>> DevicePool::open(std::shared_ptr<const Engine> engine) {
  if (!engine->has_device())
    return fail("the plan '{}' runs on the host alone: load the engine with a device, for instance \"cuda:0\"", engine->plan().target);
  TENON_TRY(queue, engine->open_queue(engine->last_device()));
  auto copies = engine->open_queue(engine->last_device());
  if (!copies.ok()) {
    engine->device(engine->last_device()).close(queue);
    return std::move(copies).error();
  }
  return std::shared_ptr<DevicePool>(new DevicePool(std::move(engine), queue, *copies));
}

DevicePool::DevicePool(std::shared_ptr<const Engine> engine, void* queue, void* copies)
    : engine_(std::move(engine)), api_(engine_->device(engine_->last_device())), queue_(queue), copies_(copies) {
  spares_.reserve(kKeptSpares + 1);  // take_back() must not fail
}

DevicePool::~DevicePool() {
  for (const Spare& spare : spares_) api_.release(queue_, spare.memory);
  api_.close(queue_);
  api_.close(copies_);
}

DevicePool::Block* DevicePool::block_of(const Tensor& tensor) {
  return tensor.on_device ? static_cast<Block*>(const_cast<void*>(tensor.owner.get())) : nullptr;
}

/// Without a stream that could wait, memory that work may still use is left alone.
Result<std::byte*> DevicePool::take(int64_t bytes, int64_t& capacity, const Stream* stream) {
  auto best = spares_.end();
  for (auto at = spares_.begin(); at != spares_.end() && (stream || api_.idle(queue_)); ++at)
    if (serves(at->bytes, bytes) && (best == spares_.end() || at->bytes < best->bytes)) best = at;
  if (best != spares_.end()) {
    if (stream && !best->is_of(*stream)) TENON_OK(api_.lead(queue_, stream->handle));
    std::byte* memory = best->memory;
    capacity = best->bytes;
    spares_.erase(best);
    return memory;
  }
  capacity = bytes;
  auto fresh = api_.allocate(queue_, bytes);
  if (fresh.ok() || fresh.error().kind() != ErrorKind::out_of_memory || spares_.empty()) return fresh;
  for (const Spare& spare : spares_) api_.release(queue_, spare.memory);
  spares_.clear();
  return api_.allocate(queue_, bytes);
}

Result<Tensor> DevicePool::allocate(DType dtype, Dims dims, const Stream& stream) { return make(dtype, std::move(dims), &stream); }

Result<Tensor> DevicePool::make(DType dtype, Dims dims, const Stream* stream) {
  if (dtype == DType::str) return fail(ErrorKind::unsupported, "strings have no place in a device's memory");
  TENON_TRY(elems, checked_elems(dims));
  auto block = std::make_unique<Block>();
  if (stream) block->streams = {*stream};
  {
    const std::lock_guard lock(mutex_);
    TENON_TRY(memory, take(std::max<int64_t>(bytes_of(dtype, elems), 1), block->bytes, stream));
    block->memory = memory;
  }
  block->pool = shared_from_this();
  std::byte* memory = block->memory;
  Tensor out = Tensor::wrap(dtype, std::move(dims), memory, std::shared_ptr<const void>(block.release(), [](const void* p) {
                              const std::unique_ptr<Block> owned(static_cast<Block*>(const_cast<void*>(p)));
                              owned->pool->take_back(*owned);
                            }));
  out.on_device = true;
  return out;
}

void DevicePool::take_back(Block& block) {
  const std::lock_guard lock(mutex_);
  const auto follows = [&](const Stream& stream) { return api_.follow(queue_, stream.handle).ok(); };
  if (!std::all_of(block.streams.begin(), block.streams.end(), follows)) return api_.release(queue_, block.memory);  // waits for the device
  Spare spare{.memory = block.memory, .bytes = block.bytes};
  if (block.streams.size() == 1) {
    const Stream& only = block.streams[0];
    spare.only = only.handle, spare.owner = only.owner, spare.owned = only.owner != nullptr;
  }
  spares_.push_back(std::move(spare));
  if (spares_.size() <= kKeptSpares) return;
  api_.release(queue_, spares_.front().memory);
  spares_.erase(spares_.begin());
}

Result<Tensor> DevicePool::upload(const Tensor& host) {
  TENON_TRY(out, make(host.dtype, host.dims, nullptr));
  const std::lock_guard lock(mutex_);
  TENON_OK(api_.copy(copies_, out.data, host.data, host.bytes(), engine::CopyKind::to_device));
  TENON_OK(api_.synchronize(copies_));
  return std::move(out);
}

Result<Tensor> DevicePool::download(const Tensor& tensor) {
  Block* block = block_of(tensor);
  if (!block) return fail("the tensor lies in memory of the caller");
  TENON_TRY(out, Tensor::allocate(tensor.dtype, tensor.dims));
  DevicePool& pool = *block->pool;
  const std::lock_guard lock(pool.mutex_);
  for (const Stream& stream : block->streams) TENON_OK(pool.api_.follow(pool.copies_, stream.handle));
  TENON_OK(pool.api_.copy(pool.copies_, out.data, tensor.data, out.bytes(), engine::CopyKind::to_host));
  TENON_OK(pool.api_.synchronize(pool.copies_));
  return std::move(out);
}

Result<void> DevicePool::show(const Tensor& tensor, const Stream& stream) {
  Block* block = block_of(tensor);
  if (!block) return {};
  DevicePool& pool = *block->pool;
  const std::lock_guard lock(pool.mutex_);
  for (const Stream& known : block->streams)
    if (known.handle == stream.handle) return {};
  for (const Stream& known : block->streams) TENON_OK(pool.api_.follow(pool.queue_, known.handle));
  if (!block->streams.empty()) TENON_OK(pool.api_.lead(pool.queue_, stream.handle));
  block->streams.push_back(stream);
  return {};
}

DeviceChoice DevicePool::device_of(const Tensor& tensor) {
  const Block* block = block_of(tensor);
  return block ? block->pool->engine_->choice() : DeviceChoice();
}

}  // namespace tenon::runtime
