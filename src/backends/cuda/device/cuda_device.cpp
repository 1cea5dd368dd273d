#include "backends/cuda/device/cuda_device.h"

#include "backends/cuda/device/driver.h"
#include "engine/device_facts.h"

namespace tenon::cuda {
namespace {

using engine::CodeApi;
using engine::CodeLaunch;
using engine::CopyKind;

/// One context's stream. Driver and context are this thread's current ones: every function sets them first.
struct Queue {
  const Driver* driver = nullptr;
  const Gpu* gpu = nullptr;
  CUstream stream = nullptr;
};

Result<Queue*> use(void* handle) {
  auto* queue = static_cast<Queue*>(handle);
  if (const int status = queue->driver->cuCtxSetCurrent(queue->gpu->context); status != 0)
    return fail(ErrorKind::not_found, "the GPU's context cannot be used: {}", error_text(*queue->driver, status));
  return queue;
}

Result<void> check(const Queue& queue, int status, std::string_view what) {
  if (status == 0) return {};
  constexpr int kOutOfMemory = 2;
  return fail(status == kOutOfMemory ? ErrorKind::out_of_memory : ErrorKind::bad_engine, "{}: {}", what, error_text(*queue.driver, status));
}

Result<void*> open() {
  TENON_TRY(gpu, open_gpu());
  TENON_TRY(driver, load_driver());
  Queue queue{.driver = driver, .gpu = gpu};
  constexpr unsigned kNonBlocking = 1;
  TENON_OK(check(queue, driver->cuStreamCreate(&queue.stream, kNonBlocking), "no stream on the GPU"));
  return static_cast<void*>(new Queue(queue));
}

void close(void* handle) {
  const auto queue = use(handle);
  if (queue.ok()) (void)(*queue)->driver->cuStreamDestroy((*queue)->stream);
  delete static_cast<Queue*>(handle);
}

Result<std::byte*> allocate(void* handle, int64_t bytes) {
  TENON_TRY(queue, use(handle));
  CUdeviceptr memory = 0;
  TENON_OK(check(*queue, queue->driver->cuMemAlloc(&memory, static_cast<size_t>(bytes > 0 ? bytes : 1)),
                 strf("no memory for {} bytes on the GPU", bytes)));
  return reinterpret_cast<std::byte*>(memory);
}

void release(void* handle, std::byte* memory) {
  const auto queue = use(handle);
  if (!queue.ok()) return;
  (void)(*queue)->driver->cuStreamSynchronize((*queue)->stream);
  (void)(*queue)->driver->cuMemFree(reinterpret_cast<CUdeviceptr>(memory));
}

/// Addresses are of one space: the driver sees which memory each is.
Result<void> copy(void* handle, std::byte* to, const std::byte* from, int64_t bytes, CopyKind) {
  if (bytes == 0) return {};
  TENON_TRY(queue, use(handle));
  return check(*queue,
               queue->driver->cuMemcpyAsync(reinterpret_cast<CUdeviceptr>(to), reinterpret_cast<CUdeviceptr>(from),
                                            static_cast<size_t>(bytes), queue->stream),
               strf("copying {} bytes", bytes));
}

Result<void> synchronize(void* handle) {
  TENON_TRY(queue, use(handle));
  return check(*queue, queue->driver->cuStreamSynchronize(queue->stream), "a kernel failed");
}

Result<void> check_arch(std::string_view arch) {
  TENON_TRY(gpu, open_gpu());
  if (arch.empty() || engine::runs_on(arch, gpu->arch)) return {};
  return fail(ErrorKind::not_found, "the code is for {}, the GPU '{}' is {}: build the engine for it", arch, gpu->name, gpu->arch);
}

std::string card() {
  const auto gpu = open_gpu();
  return gpu.ok() ? (*gpu)->name : std::string();
}

Result<void*> load_module(void* handle, ByteView binary) {
  TENON_TRY(queue, use(handle));
  CUmodule module = nullptr;
  TENON_OK(check(*queue, queue->driver->cuModuleLoadData(&module, binary.data()), "loading a module of kernels"));
  return static_cast<void*>(module);
}

void unload_module(void* handle, void* module) {
  const auto queue = use(handle);
  if (queue.ok()) (void)(*queue)->driver->cuModuleUnload(static_cast<CUmodule>(module));
}

Result<void*> function(void* handle, void* module, const engine::CodeRef& code) {
  TENON_TRY(queue, use(handle));
  CUfunction out = nullptr;
  TENON_OK(check(*queue, queue->driver->cuModuleGetFunction(&out, static_cast<CUmodule>(module), code.name.c_str()),
                 strf("the kernel '{}'", code.name)));
  constexpr int kAllShared = 100;
  // All kernels have the same carve-out: an SM that changes it drains first.
  (void)queue->driver->cuFuncSetAttribute(out, kSharedCarveout, kAllShared);
  (void)queue->driver->cuFuncSetAttribute(out, kDynamicSharedBytes, queue->gpu->shared_bytes - static_cast<int>(code.shared_bytes));
  return static_cast<void*>(out);
}

Result<void> launch(void* handle, const CodeLaunch& launch) {
  TENON_TRY(queue, use(handle));
  std::array<CUlaunchAttribute, 3> attributes;
  unsigned count = 0;
  if (launch.cluster[0] * launch.cluster[1] * launch.cluster[2] > 1) {
    attributes[count].id = kLaunchCluster;
    for (size_t i = 0; i < 3; ++i) attributes[count].value[i] = launch.cluster[i];
    ++count;
  }
  if (launch.dependent) attributes[count++] = {.id = kLaunchDependent, .value = {1}};
  if (launch.cooperative) attributes[count++] = {.id = kLaunchCooperative, .value = {1}};
  const CUlaunchConfig config = {{launch.grid[0], launch.grid[1], launch.grid[2]},
                                 {launch.block[0], launch.block[1], launch.block[2]},
                                 launch.shared_bytes,
                                 queue->stream,
                                 attributes.data(),
                                 count};
  void* parameters[] = {const_cast<std::byte*>(launch.args.data())};
  return check(*queue, queue->driver->cuLaunchKernelEx(&config, static_cast<CUfunction>(launch.function), parameters, nullptr), "a launch");
}

Result<void> begin_capture(void* handle) {
  TENON_TRY(queue, use(handle));
  constexpr int kThreadLocal = 1;
  return check(*queue, queue->driver->cuStreamBeginCapture(queue->stream, kThreadLocal), "capturing a graph");
}

Result<void*> end_capture(void* handle) {
  TENON_TRY(queue, use(handle));
  CUgraph graph = nullptr;
  TENON_OK(check(*queue, queue->driver->cuStreamEndCapture(queue->stream, &graph), "capturing a graph"));
  CUgraphExec out = nullptr;
  const int status = queue->driver->cuGraphInstantiateWithFlags(&out, graph, 0);
  (void)queue->driver->cuGraphDestroy(graph);
  TENON_OK(check(*queue, status, "making a graph"));
  return static_cast<void*>(out);
}

Result<void> replay(void* handle, void* graph) {
  TENON_TRY(queue, use(handle));
  return check(*queue, queue->driver->cuGraphLaunch(static_cast<CUgraphExec>(graph), queue->stream), "launching a graph");
}

void drop(void* handle, void* graph) {
  const auto queue = use(handle);
  if (queue.ok()) (void)(*queue)->driver->cuGraphExecDestroy(static_cast<CUgraphExec>(graph));
}

}  // namespace

const engine::DeviceApi& device_api() {
  static const CodeApi code = {.card = card,
                               .load = load_module,
                               .unload = unload_module,
                               .function = function,
                               .launch = launch,
                               .begin_capture = begin_capture,
                               .end_capture = end_capture,
                               .replay = replay,
                               .drop = drop};
  static const engine::DeviceApi api = {
      .name = "cuda",
      .host_memory = false,
      .open = open,
      .close = close,
      .allocate = allocate,
      .release = release,
      .copy = copy,
      .resolve = [](const engine::CodeRef& ref) -> Result<engine::KernelFn> {
        return fail(ErrorKind::bad_engine, "the kernel '{}' is no code of the file", ref.name);
      },
      .launch = [](void*, engine::KernelFn, const engine::KernelCall&) -> Result<void> {
        return fail(ErrorKind::bad_engine, "a GPU runs no functions of the host");
      },
      .synchronize = synchronize,
      .check = check_arch,
      .code = &code,
  };
  return api;
}

}  // namespace tenon::cuda
