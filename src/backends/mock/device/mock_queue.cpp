#include "backends/mock/device/mock_queue.h"

#include <future>
#include <memory>
#include <set>

namespace tenon::mock {
namespace {

constexpr auto kDelay = std::chrono::microseconds(20);  // a host that does not wait reads what is not there yet

/// The queues that are open: what a caller gives as a stream may be anything.
struct OpenQueues {
  std::mutex mutex;
  std::set<const void*> list;
};
OpenQueues& open_queues() {
  static OpenQueues queues;
  return queues;
}

}  // namespace

Line::Line() : thread_([this] { work(); }) {}

Line::~Line() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Line::push(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_all();
}

void Line::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return jobs_.empty() && !busy_; });
}

bool Line::idle() {
  const std::lock_guard lock(mutex_);
  return jobs_.empty() && !busy_;
}

void Line::order(Line& first, Line& then) {
  const auto mark = std::make_shared<std::promise<void>>();
  const std::shared_future<void> reached = mark->get_future().share();
  first.push([mark] { mark->set_value(); });
  then.push([reached] { reached.wait(); });
}

void Line::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      busy_ = true;
      lock.unlock();
      std::this_thread::sleep_for(kDelay);
      job();
    }
    lock.lock();
    busy_ = false;
    if (jobs_.empty()) idle_.notify_all();
  }
}

Queue::Queue() {
  const std::lock_guard lock(open_queues().mutex);
  open_queues().list.insert(this);
}

Queue::~Queue() {
  (void)attach(nullptr);
  own_.drain();  // and so what went to callers' streams
  const std::lock_guard lock(open_queues().mutex);
  open_queues().list.erase(this);
}

void Queue::push(std::function<Result<void>()> job) {
  at_->push([this, job = std::move(job)] {
    Result<void> done = job();
    if (done.ok()) return;
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = std::move(done);
  });
}

Result<Line*> Queue::line_of(void* stream) {
  if (!stream || stream == this) return &own_;
  const std::lock_guard lock(open_queues().mutex);
  if (!open_queues().list.contains(stream)) return fail("the stream is none of the mock device");
  return &static_cast<Queue*>(stream)->own_;
}

Result<void> Queue::attach(void* stream) {
  TENON_TRY(next, line_of(stream));
  if (next != at_) Line::order(*at_, *next);
  at_ = next;
  return {};
}

Result<void> Queue::follow(void* stream) {
  TENON_TRY(other, line_of(stream));
  if (other != at_) Line::order(*other, *at_);
  return {};
}

Result<void> Queue::lead(void* stream) {
  TENON_TRY(other, line_of(stream));
  if (other != at_) Line::order(*at_, *other);
  return {};
}

Result<void> Queue::synchronize() {
  if (at_ == &own_) {
    own_.drain();
  } else {
    std::promise<void> mark;
    at_->push([&mark] { mark.set_value(); });
    mark.get_future().wait();
  }
  const std::lock_guard lock(mutex_);
  Result<void> out = std::move(failure_);
  failure_ = {};
  return out;
}

}  // namespace tenon::mock
