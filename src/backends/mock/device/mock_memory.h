// The mock device's memory: one file mapped twice. The address that plans and callers see is protected, queues work through the other.
#pragma once
#include <map>
#include <mutex>

#include "base/result.h"

namespace tenon::mock {

/// All queues of the process share it, as contexts share an engine's weights.
class Memory {
 public:
  static Memory& instance();

  /// Full of NaN: what no step wrote is seen. Errors: no memory.
  Result<std::byte*> allocate(int64_t bytes);
  void release(std::byte* address);
  /// The queues' own view of device memory; other addresses stay.
  std::byte* alias_of(std::byte* address);
  /// Errors: the address is none of this device, or fewer bytes follow it.
  Result<void> holds(const std::byte* address, int64_t bytes);

 private:
  struct Row {
    std::byte* alias = nullptr;
    size_t mapped = 0, bytes = 0;
  };
  std::mutex mutex_;
  std::map<const std::byte*, Row> rows_;
};

}  // namespace tenon::mock
