#include "backends/mock/device/mock_device.h"

#include <cstring>
#include <set>

#include "backends/mock/device/mock_memory.h"
#include "backends/mock/device/mock_queue.h"
#include "engine/device_facts.h"
#include "engine/reference_api.h"

namespace tenon::mock {
namespace {

using engine::CopyKind;
using engine::KernelCall;
using engine::KernelFn;

Queue& queue_of(void* queue) { return *static_cast<Queue*>(queue); }

Result<void> run_reference(const KernelCall& call) {
  TENON_TRY(api, engine::load_reference());
  return api->run(*call.problem, call.in, call.out);
}

Result<void> launch(void* handle, KernelFn kernel, const KernelCall& call) {
  // The operands as they are now: the next run writes into the same call.
  std::vector<HostValue> in(call.in.begin(), call.in.end()), out(call.out.begin(), call.out.end());
  queue_of(handle).push([kernel, problem = call.problem, in = std::move(in), out = std::move(out)]() mutable -> Result<void> {
    for (std::vector<HostValue>* list : {&in, &out})
      for (HostValue& value : *list)
        if (value.tensor.data) value.tensor.data = Memory::instance().alias_of(value.tensor.data);
    return kernel({problem, in, out});
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

Result<void> copy(void* handle, std::byte* to, const std::byte* from, int64_t bytes, CopyKind) {
  record("copy");
  queue_of(handle).push([to, from, bytes]() -> Result<void> {
    Memory& memory = Memory::instance();
    if (bytes) std::memcpy(memory.alias_of(to), memory.alias_of(const_cast<std::byte*>(from)), static_cast<size_t>(bytes));
    return {};
  });
  return {};
}

Result<void> check(std::string_view arch, int64_t index) {
  if (index != 0) return fail(ErrorKind::not_found, "there is no mock device {}, there is one: 0", index);
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
      .kind = engine::DeviceKind::mock,
      .host_memory = false,
      .open = [](int64_t index) -> Result<void*> {
        TENON_OK(check("", index));
        return static_cast<void*>(new Queue);
      },
      .close = [](void* queue) { delete static_cast<Queue*>(queue); },
      .attach = [](void* queue, void* stream) { return queue_of(queue).attach(stream); },
      .follow = [](void* queue, void* stream) { return queue_of(queue).follow(stream); },
      .lead = [](void* queue, void* stream) { return queue_of(queue).lead(stream); },
      .stream = [](void* queue) { return queue; },
      .holds = [](void*, const std::byte* memory, int64_t bytes) { return Memory::instance().holds(memory, bytes); },
      .allocate = [](void*, int64_t bytes) { return Memory::instance().allocate(bytes); },
      .release =
          [](void* queue, std::byte* memory) {
            (void)queue_of(queue).synchronize();
            Memory::instance().release(memory);
          },
      .copy = copy,
      .resolve = [](const engine::CodeRef& code) -> Result<KernelFn> {
        if (code.name == "reference_mock") return &run_reference;
        return fail(ErrorKind::bad_engine, "the mock device has no kernel '{}'", code.name);
      },
      .launch = launch,
      .synchronize = [](void* queue) { return queue_of(queue).synchronize(); },
      .idle = [](void* queue) { return queue_of(queue).idle(); },
      .check = check,
      .code = &code,
  };
  return api;
}

}  // namespace tenon::mock
