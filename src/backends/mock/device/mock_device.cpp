#include "backends/mock/device/mock_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/device_facts.h"
#include "engine/reference_api.h"

namespace tenon::mock {
namespace {

using engine::CopyKind;
using engine::KernelCall;
using engine::KernelFn;

/// Device memory is one file mapped twice: the address that plans see is protected, queues work through the other. All queues of the
/// process share it, as contexts share an engine's weights.
class Memory {
 public:
  static Memory& instance() {
    static Memory memory;
    return memory;
  }

  Result<std::byte*> allocate(int64_t bytes) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t size = (static_cast<size_t>(bytes) + page) / page * page;
    const int fd = ::memfd_create("tenon-mock", MFD_CLOEXEC);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) {
      if (fd >= 0) ::close(fd);
      return fail(ErrorKind::out_of_memory, "no memory for {} bytes on the mock device", bytes);
    }
    void* address = ::mmap(nullptr, size, PROT_NONE, MAP_SHARED, fd, 0);
    void* alias = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (address == MAP_FAILED || alias == MAP_FAILED) {
      if (address != MAP_FAILED) ::munmap(address, size);
      if (alias != MAP_FAILED) ::munmap(alias, size);
      return fail(ErrorKind::out_of_memory, "cannot map {} bytes for the mock device", bytes);
    }
    std::memset(alias, 0xff, size);  // NaN: what no step wrote is seen
    const std::lock_guard lock(mutex_);
    rows_[static_cast<std::byte*>(address)] = {static_cast<std::byte*>(alias), size};
    return static_cast<std::byte*>(address);
  }

  void release(std::byte* address) {
    const std::lock_guard lock(mutex_);
    const auto at = rows_.find(address);
    if (at == rows_.end()) return;
    ::munmap(at->first, at->second.bytes);
    ::munmap(at->second.alias, at->second.bytes);
    rows_.erase(at);
  }

  /// The queues' own view of device memory; other addresses stay.
  std::byte* alias_of(std::byte* address) {
    const std::lock_guard lock(mutex_);
    auto at = rows_.upper_bound(address);
    if (at == rows_.begin()) return address;
    --at;
    const auto offset = static_cast<size_t>(address - at->first);
    return offset < at->second.bytes ? at->second.alias + offset : address;
  }

 private:
  struct Row {
    std::byte* alias = nullptr;
    size_t bytes = 0;
  };
  std::mutex mutex_;
  std::map<std::byte*, Row> rows_;
};

class Queue {
 public:
  Queue() : thread_([this] { work(); }) {}
  ~Queue() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void push(std::function<Result<void>()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_all();
  }

  Result<void> synchronize() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return tasks_.empty() && !busy_; });
    Result<void> out = std::move(failure_);
    failure_ = {};
    return out;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<Result<void>()> task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(20));  // a host that does not wait reads what is not there yet
      Result<void> done = task();
      lock.lock();
      if (!done.ok() && failure_.ok()) failure_ = std::move(done);
      busy_ = false;
      if (tasks_.empty()) idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<Result<void>()>> tasks_;
  Result<void> failure_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;  // last: it runs on the members above
};

Queue& queue_of(void* queue) { return *static_cast<Queue*>(queue); }

Result<void> run_reference(const KernelCall& call) {
  TENON_TRY(api, engine::load_reference());
  return api->run(*call.problem, call.in, call.out);
}

Result<void> launch(void* handle, KernelFn kernel, const KernelCall& call) {
  queue_of(handle).push([kernel, call]() -> Result<void> {
    std::vector<HostValue> in(call.in.begin(), call.in.end()), out(call.out.begin(), call.out.end());
    for (std::vector<HostValue>* list : {&in, &out})
      for (HostValue& value : *list)
        if (value.tensor.data) value.tensor.data = Memory::instance().alias_of(value.tensor.data);
    return kernel({call.problem, in, out});
  });
  return {};
}

void record(std::string event) {
  if (!code_record().arch.empty()) code_record().events.push_back(std::move(event));
}

/// Kernels are their names, modules and graphs nothing but an address.
void* some_address() {
  static char address;
  return &address;
}
Result<void*> find_function(void*, void*, const engine::CodeRef& code) {
  static std::set<std::string> names;
  return const_cast<std::string*>(&*names.insert(code.name).first);
}
Result<void> launch_code(void*, const engine::CodeLaunch& launch) {
  record("launch " + *static_cast<const std::string*>(launch.function) + (launch.dependent ? " dependent" : ""));
  return {};
}

Result<void> check_arch(std::string_view arch) {
  if (arch.empty() || engine::runs_on(arch, code_record().arch)) return {};
  return fail(ErrorKind::not_found, "the mock device runs no code for {}", arch);
}

}  // namespace

CodeRecord& code_record() {
  static CodeRecord out;
  return out;
}

const engine::DeviceApi& device_api() {
  static const engine::CodeApi code = {
      .card = [] { return code_record().arch; },
      .load = [](void*, ByteView) -> Result<void*> { return some_address(); },
      .unload = [](void*, void*) {},
      .function = find_function,
      .launch = launch_code,
      .begin_capture = [](void*) -> Result<void> {
        record("capture");
        return {};
      },
      .end_capture = [](void*) -> Result<void*> {
        record("graph");
        return some_address();
      },
      .replay = [](void*, void*) -> Result<void> {
        record("replay");
        return {};
      },
      .drop = [](void*, void*) {},
  };
  static const engine::DeviceApi api = {
      .name = "mock",
      .host_memory = false,
      .open = []() -> Result<void*> { return static_cast<void*>(new Queue); },
      .close = [](void* queue) { delete static_cast<Queue*>(queue); },
      .allocate = [](void*, int64_t bytes) { return Memory::instance().allocate(bytes); },
      .release =
          [](void* queue, std::byte* memory) {
            (void)queue_of(queue).synchronize();
            Memory::instance().release(memory);
          },
      .copy = [](void* handle, std::byte* to, const std::byte* from, int64_t bytes, CopyKind) -> Result<void> {
        record("copy");
        queue_of(handle).push([to, from, bytes]() -> Result<void> {
          Memory& memory = Memory::instance();
          if (bytes) std::memcpy(memory.alias_of(to), memory.alias_of(const_cast<std::byte*>(from)), static_cast<size_t>(bytes));
          return {};
        });
        return {};
      },
      .resolve = [](const engine::CodeRef& code) -> Result<KernelFn> {
        if (code.name == "reference_mock") return &run_reference;
        return fail(ErrorKind::bad_engine, "the mock device has no kernel '{}'", code.name);
      },
      .launch = launch,
      .synchronize = [](void* queue) { return queue_of(queue).synchronize(); },
      .check = check_arch,
      .code = &code,
  };
  return api;
}

}  // namespace tenon::mock
