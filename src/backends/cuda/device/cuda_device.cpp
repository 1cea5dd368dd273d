#include "backends/cuda/device/cuda_device.h"

#include <memory>

#include "backends/cuda/device/driver.h"
#include "engine/device_facts.h"

namespace tenon::cuda {
namespace {

using engine::CodeApi;
using engine::CodeLaunch;
using engine::CopyKind;

/// A stream, and the caller's stream that work goes to in its place.
struct Queue {
  const Driver* driver = nullptr;
  const Gpu* gpu = nullptr;
  CUstream own = nullptr, at = nullptr;
  CUevent event = nullptr;        // behind what a caller's stream was given last
  unsigned long long caller = 0;  // that stream's id, which no other stream ever has; 0: all work is on `own`
  bool capturing = false;
};

/// A queue whose GPU's context is this thread's current one while this lives: a caller may use another GPU beside it.
class Current {
 public:
  static Result<Current> of(void* handle);
  Current(Current&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), before_(other.before_) {}
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  ~Current() {
    if (queue_ && before_ && before_ != queue_->gpu->context) (void)queue_->driver->cuCtxSetCurrent(before_);
  }
  Queue* operator->() const { return queue_; }
  Queue& operator*() const { return *queue_; }

 private:
  Current(Queue* queue, CUcontext before) : queue_(queue), before_(before) {}
  Queue* queue_;
  CUcontext before_;
};

Result<void> check(const Queue& queue, int status, std::string_view what) {
  if (status == 0) return {};
  constexpr int kOutOfMemory = 2;
  return fail(status == kOutOfMemory ? ErrorKind::out_of_memory : ErrorKind::bad_engine, "{}: {}", what, error_text(*queue.driver, status));
}

Result<Current> Current::of(void* handle) {
  auto* queue = static_cast<Queue*>(handle);
  CUcontext before = nullptr;
  (void)queue->driver->cuCtxGetCurrent(&before);
  if (before == queue->gpu->context) return Current(queue, before);
  if (const int status = queue->driver->cuCtxSetCurrent(queue->gpu->context); status != 0)
    return fail(ErrorKind::not_found, "the GPU's context cannot be used: {}", error_text(*queue->driver, status));
  return Current(queue, before);
}
Result<Current> use(void* handle) { return Current::of(handle); }

/// Where work goes now. What the queue's own stream is given comes after what a caller's stream was given.
Result<CUstream> line(Queue& queue) {
  if (queue.capturing) return queue.own;
  if (queue.at == queue.own && queue.caller != 0) {
    TENON_OK(check(queue, queue.driver->cuStreamWaitEvent(queue.own, queue.event, 0), "waiting for a caller's stream"));
    queue.caller = 0;
  }
  return queue.at;
}

Result<void*> open(int64_t index) {
  TENON_TRY(gpu, open_gpu(index));
  TENON_TRY(driver, load_driver());
  auto out = std::make_unique<Queue>();
  out->driver = driver;
  out->gpu = gpu;
  TENON_TRY(queue, use(out.get()));
  constexpr unsigned kNonBlocking = 1;
  TENON_OK(check(*queue, driver->cuStreamCreate(&queue->own, kNonBlocking), "no stream on the GPU"));
  queue->at = queue->own;
  if (auto made = check(*queue, driver->cuEventCreate(&queue->event, kEventWithoutTiming), "no event on the GPU"); !made.ok()) {
    (void)driver->cuStreamDestroy(queue->own);
    return std::move(made).error();
  }
  return static_cast<void*>(out.release());
}

void close(void* handle) {
  {
    const auto queue = use(handle);
    if (queue.ok()) {
      (void)(*queue)->driver->cuStreamDestroy((*queue)->own);
      (void)(*queue)->driver->cuEventDestroy((*queue)->event);
    }
  }
  delete static_cast<Queue*>(handle);
}

Result<void> detach(Queue& queue) {
  if (queue.at == queue.own) return {};
  const CUstream stream = std::exchange(queue.at, queue.own);
  return check(queue, queue.driver->cuEventRecord(queue.event, stream), "marking the end of the work on a caller's stream");
}

Result<void> stream_ok(const Queue& queue, int status) {
  if (status == 0) return {};
  return fail("the stream cannot be used: {}", error_text(*queue.driver, status));
}

/// Errors: a stream that belongs to another GPU, or that its owner captures.
Result<CUstream> check_stream(const Queue& queue, void* stream) {
  const auto out = static_cast<CUstream>(stream);
  CUcontext context = nullptr;
  int capturing = 0;
  TENON_OK(stream_ok(queue, queue.driver->cuStreamGetCtx(out, &context)));
  if (context != queue.gpu->context) return fail("the stream belongs to another GPU than '{}'", queue.gpu->name);
  TENON_OK(stream_ok(queue, queue.driver->cuStreamIsCapturing(out, &capturing)));
  if (capturing)
    return fail(ErrorKind::unsupported, "the stream is being captured: Tenon captures its own graphs, run it outside of the capture");
  return out;
}

Result<void> attach(void* handle, void* stream) {
  TENON_TRY(queue, use(handle));
  TENON_OK(detach(*queue));
  if (!stream || stream == queue->own) return {};
  TENON_TRY(next, check_stream(*queue, stream));
  const Driver& driver = *queue->driver;
  unsigned long long id = 0;
  TENON_OK(stream_ok(*queue, driver.cuStreamGetId(next, &id)));
  if (queue->caller != id) {
    if (queue->caller == 0) TENON_OK(stream_ok(*queue, driver.cuEventRecord(queue->event, queue->own)));
    TENON_OK(stream_ok(*queue, driver.cuStreamWaitEvent(next, queue->event, 0)));
    queue->caller = id;
  }
  queue->at = next;
  return {};
}

/// `then` waits for what `first` holds now; one of the two is the queue's own, which holds all of its work.
Result<void> order(const Queue& queue, CUstream first, CUstream then) {
  if (first == then) return {};
  TENON_OK(stream_ok(queue, queue.driver->cuEventRecord(queue.event, first)));
  return stream_ok(queue, queue.driver->cuStreamWaitEvent(then, queue.event, 0));
}

Result<void> follow(void* handle, void* stream) {
  TENON_TRY(queue, use(handle));
  TENON_TRY(own, line(*queue));
  TENON_TRY(other, check_stream(*queue, stream));
  return order(*queue, other, own);
}

Result<void> lead(void* handle, void* stream) {
  TENON_TRY(queue, use(handle));
  TENON_TRY(own, line(*queue));
  TENON_TRY(other, check_stream(*queue, stream));
  return order(*queue, own, other);
}

Result<void> holds(void* handle, const std::byte* memory, int64_t) {
  TENON_TRY(queue, use(handle));
  const auto address = reinterpret_cast<CUdeviceptr>(memory);
  const auto attribute = [&](auto& out, int which) { return queue->driver->cuPointerGetAttribute(&out, which, address) == 0; };
  unsigned type = 0;
  int device = 0, managed = 0;
  if (!attribute(type, kPointerMemoryType))
    return fail("the address is none that the NVIDIA driver knows: it lies in the host's memory, or nowhere");
  (void)attribute(managed, kPointerIsManaged);
  if (type != kMemoryTypeDevice && !managed) return fail("the memory lies on the host");
  if (!managed && attribute(device, kPointerDeviceOrdinal) && device != queue->gpu->device)
    return fail("the memory lies on GPU {}, GPU {} is wanted", device, queue->gpu->device);
  return {};
}

Result<std::byte*> allocate(void* handle, int64_t bytes) {
  TENON_TRY(queue, use(handle));
  CUdeviceptr memory = 0;
  TENON_OK(check(*queue, queue->driver->cuMemAlloc(&memory, static_cast<size_t>(bytes > 0 ? bytes : 1)),
                 strf("no memory for {} bytes on the GPU", bytes)));
  return reinterpret_cast<std::byte*>(memory);
}

Result<void> synchronize(void* handle) {
  TENON_TRY(queue, use(handle));
  const bool on_caller = queue->at == queue->own && queue->caller != 0;
  const int status = on_caller ? queue->driver->cuEventSynchronize(queue->event) : queue->driver->cuStreamSynchronize(queue->at);
  return check(*queue, status, "a kernel failed");
}

bool idle(void* handle) {
  const auto queue = use(handle);
  if (!queue.ok()) return false;
  const Queue& q = **queue;
  return (q.at == q.own && q.caller != 0 ? q.driver->cuEventQuery(q.event) : q.driver->cuStreamQuery(q.at)) == 0;
}

void release(void* handle, std::byte* memory) {
  (void)synchronize(handle);
  const auto queue = use(handle);
  if (!queue.ok()) return;
  (void)(*queue)->driver->cuMemFree(reinterpret_cast<CUdeviceptr>(memory));
}

/// Addresses are of one space: the driver sees which memory each is.
Result<void> copy(void* handle, std::byte* to, const std::byte* from, int64_t bytes, CopyKind) {
  if (bytes == 0) return {};
  TENON_TRY(queue, use(handle));
  TENON_TRY(stream, line(*queue));
  return check(*queue,
               queue->driver->cuMemcpyAsync(reinterpret_cast<CUdeviceptr>(to), reinterpret_cast<CUdeviceptr>(from),
                                            static_cast<size_t>(bytes), stream),
               strf("copying {} bytes", bytes));
}

Result<void> check_arch(std::string_view arch, int64_t index) {
  TENON_TRY(gpu, open_gpu(index));
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
  TENON_TRY(stream, line(*queue));
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
                                 stream,
                                 attributes.data(),
                                 count};
  void* parameters[] = {const_cast<std::byte*>(launch.args.data())};
  return check(*queue, queue->driver->cuLaunchKernelEx(&config, static_cast<CUfunction>(launch.function), parameters, nullptr), "a launch");
}

Result<void> begin_capture(void* handle) {
  TENON_TRY(queue, use(handle));
  constexpr int kThreadLocal = 1;
  // On the queue's own stream even where work goes to a caller's, which may be one that cannot be captured.
  TENON_OK(check(*queue, queue->driver->cuStreamBeginCapture(queue->own, kThreadLocal), "capturing a graph"));
  queue->capturing = true;
  return {};
}

Result<void*> end_capture(void* handle) {
  TENON_TRY(queue, use(handle));
  queue->capturing = false;
  CUgraph graph = nullptr;
  TENON_OK(check(*queue, queue->driver->cuStreamEndCapture(queue->own, &graph), "capturing a graph"));
  CUgraphExec out = nullptr;
  const int status = queue->driver->cuGraphInstantiateWithFlags(&out, graph, 0);
  (void)queue->driver->cuGraphDestroy(graph);
  TENON_OK(check(*queue, status, "making a graph"));
  return static_cast<void*>(out);
}

Result<void> replay(void* handle, void* graph) {
  TENON_TRY(queue, use(handle));
  TENON_TRY(stream, line(*queue));
  return check(*queue, queue->driver->cuGraphLaunch(static_cast<CUgraphExec>(graph), stream), "launching a graph");
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
      .kind = engine::DeviceKind::cuda,
      .host_memory = false,
      .open = open,
      .close = close,
      .attach = attach,
      .follow = follow,
      .lead = lead,
      .stream = [](void* handle) -> void* { return static_cast<Queue*>(handle)->own; },
      .holds = holds,
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
      .idle = idle,
      .check = check_arch,
      .code = &code,
  };
  return api;
}

}  // namespace tenon::cuda
