// Devices: DeviceApi is how the runtime drives one (the host is one like another); Verdict is how one says what it can do.
#pragma once
#include <array>
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

/// One launch of device code, with numbers. `args` is the kernel's one parameter, a struct by value.
struct CodeLaunch {
  void* function = nullptr;
  std::array<uint32_t, 3> grid{1, 1, 1}, block{1, 1, 1}, cluster{1, 1, 1};
  uint32_t shared_bytes = 0;
  bool dependent = false;  // may begin before the launch before it has ended
  bool cooperative = false;
  std::span<const std::byte> args;

  int64_t blocks() const { return int64_t{grid[0]} * grid[1] * grid[2]; }
};
/// Whether the row's launch with that grid may be dependent, if its code waits.
inline bool may_be_dependent(const Launch& row, const CodeLaunch& launch) {
  return row.mode == LaunchMode::dependent && (row.most_blocks == 0 || launch.blocks() <= row.most_blocks);
}

/// Of devices that run code modules of the file. Launches between begin_capture() and end_capture() become a graph, which replay()
/// launches as a whole with the addresses that they had.
struct CodeApi {
  /// The device of this machine, as its driver names it; empty: there is none.
  std::string (*card)();
  Result<void*> (*load)(void* queue, ByteView binary);
  void (*unload)(void* queue, void* module);
  Result<void*> (*function)(void* queue, void* module, const CodeRef& code);
  Result<void> (*launch)(void* queue, const CodeLaunch& launch);
  Result<void> (*begin_capture)(void* queue);
  Result<void*> (*end_capture)(void* queue);
  Result<void> (*replay)(void* queue, void* graph);
  void (*drop)(void* queue, void* graph);
};

enum class CopyKind : uint8_t { to_device, to_host, within };

/// Numbered as DLPack numbers devices; the mock device is an extension there.
enum class DeviceKind : int32_t { cpu = 1, cuda = 2, mock = 12 };

/// A backend's functions. Work on one queue runs in order, after the call returns unless the device is synchronous; an error of
/// queued work comes from synchronize(). Memory is 64-byte aligned. A queue belongs to one thread at a time.
struct DeviceApi {
  std::string_view name;
  DeviceKind kind = DeviceKind::cpu;
  bool host_memory = true;  // the host may touch its memory
  /// A queue of the device with that number. Errors: there is none.
  Result<void*> (*open)(int64_t index);
  void (*close)(void* queue);
  /// Work goes to `stream`, a caller's, from now on, after all that the queue holds; null: to the queue's own again, after what went to
  /// the caller's. Errors: a stream of another device.
  Result<void> (*attach)(void* queue, void* stream);
  /// What the queue is given next waits for what a caller's stream holds now; and the other way round.
  Result<void> (*follow)(void* queue, void* stream);
  Result<void> (*lead)(void* queue, void* stream);
  /// The queue's own stream, as callers give theirs.
  void* (*stream)(void* queue);
  /// Errors: the memory is the host's or another device's.
  Result<void> (*holds)(void* queue, const std::byte* memory, int64_t bytes);
  Result<std::byte*> (*allocate)(void* queue, int64_t bytes);
  void (*release)(void* queue, std::byte* memory);
  Result<void> (*copy)(void* queue, std::byte* to, const std::byte* from, int64_t bytes, CopyKind kind);
  /// The kernel that a plan names; errors: no kernel of that name in this build.
  Result<KernelFn> (*resolve)(const CodeRef& code);
  /// The problem stays valid until the next synchronize().
  Result<void> (*launch)(void* queue, KernelFn kernel, const KernelCall& call);
  Result<void> (*synchronize)(void* queue);
  /// Whether all work of the queue has ended.
  bool (*idle)(void* queue);
  /// Whether a plan whose code is for `arch` (empty: no code) runs on the device with that number now; errors say what is missing.
  Result<void> (*check)(std::string_view arch, int64_t index);
  const CodeApi* code = nullptr;  // none: kernels are functions of this build
};

}  // namespace tenon::engine
