#include "runtime/queues.h"

namespace tenon::runtime {

using engine::CopyKind;

Result<std::shared_ptr<Queues>> Queues::open(std::shared_ptr<const Engine> engine) {
  auto out = std::shared_ptr<Queues>(new Queues(std::move(engine)));
  for (size_t i = 0; i < out->engine_->plan().devices.size(); ++i) {
    TENON_TRY(queue, out->engine_->open_queue(static_cast<int64_t>(i)));
    out->queues_.push_back(queue);
  }
  out->stream_ = out->own_stream();
  return out;
}

Queues::~Queues() {
  for (size_t i = 0; i < queues_.size(); ++i) api(static_cast<int64_t>(i)).close(queues_[i]);
}

Result<void> Queues::begin(void* stream, bool wait) {
  if (stream && !engine_->has_device())
    return fail("a stream was given, the plan '{}' runs on the host alone: load the engine with a device", engine_->plan().target);
  may_wait = wait;
  stats = {};
  const int64_t last = engine_->last_device();
  TENON_OK(api(last).attach(queue(last), stream));
  stream_ = stream ? stream : own_stream();
  return {};
}

Result<void> Queues::end() {
  may_wait = true;
  stream_ = own_stream();
  const int64_t last = engine_->last_device();
  return api(last).attach(queue(last), nullptr);
}

Stream Queues::stream() {
  Stream out{.handle = stream_};
  if (stream_ == own_stream()) out.owner = shared_from_this();
  return out;
}

Result<void> Queues::copy(int64_t device, std::byte* to, const std::byte* from, int64_t bytes, CopyKind kind) {
  pending = true;
  switch (kind) {
    case CopyKind::to_device:
      ++stats.copies_to_device;
      stats.bytes_to_device += bytes;
      break;
    case CopyKind::to_host:
      ++stats.copies_to_host;
      stats.bytes_to_host += bytes;
      break;
    case CopyKind::within:
      ++stats.copies_within;
      stats.bytes_within += bytes;
      break;
  }
  return api(device).copy(queue(device), to, from, bytes, kind);
}

Result<Tensor> Queues::result_memory(DType dtype, Dims dims) {
  if (!pool_) {
    TENON_TRY(pool, DevicePool::open(engine_));
    pool_ = std::move(pool);
  }
  return pool_->allocate(dtype, std::move(dims), stream());
}

Result<void> Queues::synchronize() {
  if (!pending) return {};
  pending = false;
  Result<void> out;
  for (size_t i = 1; i < queues_.size(); ++i) {
    auto done = api(static_cast<int64_t>(i)).synchronize(queues_[i]);
    if (out.ok() && !done.ok()) out = std::move(done);
  }
  return out;
}

}  // namespace tenon::runtime
