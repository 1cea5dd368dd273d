#include "backends/mock/device/mock_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace tenon::mock {

Memory& Memory::instance() {
  static Memory memory;
  return memory;
}

Result<std::byte*> Memory::allocate(int64_t bytes) {
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
  std::memset(alias, 0xff, size);
  const std::lock_guard lock(mutex_);
  rows_[static_cast<std::byte*>(address)] = {static_cast<std::byte*>(alias), size, static_cast<size_t>(bytes)};
  return static_cast<std::byte*>(address);
}

void Memory::release(std::byte* address) {
  const std::lock_guard lock(mutex_);
  const auto at = rows_.find(address);
  if (at == rows_.end()) return;
  ::munmap(address, at->second.mapped);
  ::munmap(at->second.alias, at->second.mapped);
  rows_.erase(at);
}

std::byte* Memory::alias_of(std::byte* address) {
  const std::lock_guard lock(mutex_);
  auto at = rows_.upper_bound(address);
  if (at == rows_.begin()) return address;
  --at;
  const auto offset = static_cast<size_t>(address - at->first);
  return offset < at->second.mapped ? at->second.alias + offset : address;
}

Result<void> Memory::holds(const std::byte* address, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  auto at = rows_.upper_bound(address);
  if (at == rows_.begin()) return fail("the address is none of the mock device's memory");
  --at;
  const auto offset = static_cast<size_t>(address - at->first);
  if (offset >= at->second.mapped) return fail("the address is none of the mock device's memory");
  if (offset + static_cast<size_t>(bytes) <= at->second.bytes) return {};
  return fail("the memory ends {} bytes after the address, {} are wanted", static_cast<int64_t>(at->second.bytes - offset), bytes);
}

}  // namespace tenon::mock
