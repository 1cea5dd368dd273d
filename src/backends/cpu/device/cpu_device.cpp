#include "backends/cpu/device/cpu_device.h"

#include <cstdlib>
#include <cstring>

#include "backends/cpu/kernels/reference.h"
#include "engine/reference_api.h"

namespace tenon::cpu {
namespace {

using engine::CopyKind;
using engine::KernelCall;
using engine::KernelFn;

constexpr size_t kAlign = 64;

Result<std::byte*> allocate(void*, int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) + kAlign - 1) / kAlign * kAlign;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlign, rounded ? rounded : kAlign));
  if (!memory) return fail(ErrorKind::out_of_memory, "no memory for {} bytes on the host", bytes);
  return memory;
}

Result<KernelFn> resolve(const engine::CodeRef& code) {
  struct Row {
    std::string_view name;
    KernelFn fn;
  };
  static constexpr Row kRows[] = {
#define TENON_CPU_KERNEL(name) {#name, &name},
#include "backends/cpu/kernels/kernels.def"
#undef TENON_CPU_KERNEL
  };
  for (const Row& row : kRows)
    if (row.name == code.name) {
      if (row.fn == &reference) TENON_OK(engine::load_reference());
      return row.fn;
    }
  return fail(ErrorKind::bad_engine, "this build has no CPU kernel '{}'", code.name);
}

}  // namespace

const engine::DeviceApi& device_api() {
  static const engine::DeviceApi api = {
      .name = "cpu",
      .kind = engine::DeviceKind::cpu,
      .host_memory = true,
      .open = [](int64_t) -> Result<void*> { return static_cast<void*>(nullptr); },
      .close = [](void*) {},
      .attach = [](void*, void*) -> Result<void> { return {}; },
      .follow = [](void*, void*) -> Result<void> { return {}; },
      .lead = [](void*, void*) -> Result<void> { return {}; },
      .stream = [](void*) -> void* { return nullptr; },
      .holds = [](void*, const std::byte*, int64_t) -> Result<void> { return {}; },
      .allocate = allocate,
      .release = [](void*, std::byte* memory) { std::free(memory); },
      .copy = [](void*, std::byte* to, const std::byte* from, int64_t bytes, CopyKind) -> Result<void> {
        if (bytes) std::memcpy(to, from, static_cast<size_t>(bytes));
        return {};
      },
      .resolve = resolve,
      .launch = [](void*, KernelFn kernel, const KernelCall& call) -> Result<void> { return kernel(call); },
      .synchronize = [](void*) -> Result<void> { return {}; },
      .idle = [](void*) { return true; },
      .check = [](std::string_view, int64_t) -> Result<void> { return {}; },
  };
  return api;
}

}  // namespace tenon::cpu
