// The mock device's queues and streams: work runs in order on threads of their own.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace tenon::mock {

/// Runs what it is given in order, on a thread of its own, a little later.
class Line {
 public:
  Line();
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  void push(std::function<void()> job);
  /// Waits until nothing is left.
  void drain();
  bool idle();
  /// What `then` is given from now on waits for what `first` holds now.
  static void order(Line& first, Line& then);

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<void()>> jobs_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;  // last: it runs on the members above
};

/// A queue is a stream too: another queue may put its work there.
class Queue {
 public:
  Queue();
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// An error of the job comes from synchronize().
  void push(std::function<Result<void>()> job);
  /// See engine::DeviceApi. Errors: `stream` is no queue.
  Result<void> attach(void* stream);
  Result<void> follow(void* stream);
  Result<void> lead(void* stream);
  Result<void> synchronize();
  bool idle() { return at_->idle(); }

 private:
  Result<Line*> line_of(void* stream);
  std::mutex mutex_;  // guards failure_
  Result<void> failure_;
  Line own_;
  Line* at_ = &own_;
};

}  // namespace tenon::mock
