// Devices: DeviceApi is how the runtime drives one (the host is one like another); Verdict is how one says what it can do.
#pragma once
#include <span>
#include <string_view>

#include "engine/plan.h"

namespace tenon::engine {

/// No refusal without a reason.
struct Verdict {
  bool ok = true;
  std::string_view why;
};
inline Verdict no(std::string_view why) { return {false, why}; }

/// One step with numbers for dims and addresses for operands. Tensors point into the device's memory.
struct KernelCall {
  const Problem* problem = nullptr;
  std::span<const HostValue> in;
  std::span<HostValue> out;
};
using KernelFn = Result<void> (*)(const KernelCall& call);

enum class CopyKind : uint8_t { to_device, to_host, within };

/// A backend's functions. Work on one queue runs in order, after the call returns unless the device is synchronous; an error of
/// queued work comes from synchronize(). Memory is 64-byte aligned.
struct DeviceApi {
  std::string_view name;
  bool host_memory = true;  // the host may touch its memory
  Result<void*> (*open)();
  void (*close)(void* queue);
  Result<std::byte*> (*allocate)(void* queue, int64_t bytes);
  void (*release)(void* queue, std::byte* memory);
  Result<void> (*copy)(void* queue, std::byte* to, const std::byte* from, int64_t bytes, CopyKind kind);
  /// The kernel that a plan names; errors: no kernel of that name in this build.
  Result<KernelFn> (*resolve)(const CodeRef& code);
  /// `call` stays valid until the next synchronize().
  Result<void> (*launch)(void* queue, KernelFn kernel, const KernelCall& call);
  Result<void> (*synchronize)(void* queue);
};

}  // namespace tenon::engine
