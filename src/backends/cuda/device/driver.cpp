#include "backends/cuda/device/driver.h"

#include <dlfcn.h>

#include <map>
#include <mutex>

namespace tenon::cuda {
namespace {

constexpr int kOldestDriver = 12000;

Result<Driver> load() {
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail(ErrorKind::not_found,
                "there is no NVIDIA driver on this machine (libcuda.so.1): install it to run on a GPU, or run on the CPU");
  Driver out;
  std::string missing;
  const auto symbol = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (!function) missing = name;
  };
  symbol(out.cuInit, "cuInit");
  symbol(out.cuDriverGetVersion, "cuDriverGetVersion");
  symbol(out.cuGetErrorString, "cuGetErrorString");
  symbol(out.cuDeviceGetCount, "cuDeviceGetCount");
  symbol(out.cuDeviceGet, "cuDeviceGet");
  symbol(out.cuDeviceGetName, "cuDeviceGetName");
  symbol(out.cuDeviceGetAttribute, "cuDeviceGetAttribute");
  symbol(out.cuDeviceTotalMem, "cuDeviceTotalMem_v2");
  symbol(out.cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  symbol(out.cuCtxSetCurrent, "cuCtxSetCurrent");
  symbol(out.cuCtxGetCurrent, "cuCtxGetCurrent");
  symbol(out.cuStreamCreate, "cuStreamCreate");
  symbol(out.cuStreamDestroy, "cuStreamDestroy_v2");
  symbol(out.cuStreamSynchronize, "cuStreamSynchronize");
  symbol(out.cuStreamQuery, "cuStreamQuery");
  symbol(out.cuStreamWaitEvent, "cuStreamWaitEvent");
  symbol(out.cuStreamGetCtx, "cuStreamGetCtx");
  symbol(out.cuStreamGetId, "cuStreamGetId");
  symbol(out.cuStreamIsCapturing, "cuStreamIsCapturing");
  symbol(out.cuEventCreate, "cuEventCreate");
  symbol(out.cuEventDestroy, "cuEventDestroy_v2");
  symbol(out.cuEventRecord, "cuEventRecord");
  symbol(out.cuEventSynchronize, "cuEventSynchronize");
  symbol(out.cuEventQuery, "cuEventQuery");
  symbol(out.cuPointerGetAttribute, "cuPointerGetAttribute");
  symbol(out.cuMemAlloc, "cuMemAlloc_v2");
  symbol(out.cuMemFree, "cuMemFree_v2");
  symbol(out.cuMemcpyAsync, "cuMemcpyAsync");
  symbol(out.cuMemsetD8Async, "cuMemsetD8Async");
  symbol(out.cuModuleLoadData, "cuModuleLoadData");
  symbol(out.cuModuleUnload, "cuModuleUnload");
  symbol(out.cuModuleGetFunction, "cuModuleGetFunction");
  symbol(out.cuFuncSetAttribute, "cuFuncSetAttribute");
  symbol(out.cuLaunchKernelEx, "cuLaunchKernelEx");
  symbol(out.cuStreamBeginCapture, "cuStreamBeginCapture_v2");
  symbol(out.cuStreamEndCapture, "cuStreamEndCapture");
  symbol(out.cuGraphInstantiateWithFlags, "cuGraphInstantiateWithFlags");
  symbol(out.cuGraphLaunch, "cuGraphLaunch");
  symbol(out.cuGraphExecDestroy, "cuGraphExecDestroy");
  symbol(out.cuGraphDestroy, "cuGraphDestroy");
  if (!missing.empty())
    return fail(ErrorKind::not_found, "the NVIDIA driver lacks '{}': version {} or newer is wanted", missing, kOldestDriver / 1000);
  if (const int status = out.cuInit(0); status != 0)
    return fail(ErrorKind::not_found, "the NVIDIA driver does not start: {}", error_text(out, status));
  (void)out.cuDriverGetVersion(&out.version);
  return out;
}

Result<Gpu> find_gpu(int64_t index) {
  TENON_TRY(driver, load_driver());
  int count = 0;
  if (driver->cuDeviceGetCount(&count) != 0 || count == 0) return fail(ErrorKind::not_found, "the NVIDIA driver finds no GPU");
  if (index < 0 || index >= count)
    return fail(ErrorKind::not_found, "there is no GPU {}: the NVIDIA driver finds {}, from 0 on", index, count);
  Gpu out;
  char name[256] = {};
  int major = 0, minor = 0;
  const int status = driver->cuDeviceGet(&out.device, static_cast<int>(index));
  if (status != 0) return fail(ErrorKind::not_found, "the GPU cannot be opened: {}", error_text(*driver, status));
  (void)driver->cuDeviceGetName(name, sizeof name - 1, out.device);
  (void)driver->cuDeviceGetAttribute(&major, kComputeCapabilityMajor, out.device);
  (void)driver->cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, out.device);
  (void)driver->cuDeviceGetAttribute(&out.multiprocessors, kMultiprocessors, out.device);
  (void)driver->cuDeviceGetAttribute(&out.shared_bytes, kSharedOfBlock, out.device);
  (void)driver->cuDeviceTotalMem(&out.memory_bytes, out.device);
  out.name = name;
  out.arch = strf("sm_{}{}", major, minor);
  if (const int made = driver->cuDevicePrimaryCtxRetain(&out.context, out.device); made != 0)
    return fail(ErrorKind::out_of_memory, "no context on '{}': {}", out.name, error_text(*driver, made));
  return out;
}

}  // namespace

std::string error_text(const Driver& driver, int status) {
  const char* text = nullptr;
  if (!driver.cuGetErrorString || driver.cuGetErrorString(status, &text) != 0 || !text) text = "unknown error";
  return strf("{} ({})", text, status);
}

Result<const Driver*> load_driver() {
  static const Result<Driver> driver = load();
  if (!driver.ok()) return driver.error();
  return &*driver;
}

Result<const Gpu*> open_gpu(int64_t index) {
  static std::mutex mutex;
  static std::map<int64_t, Gpu> opened;
  const std::lock_guard lock(mutex);
  if (const auto at = opened.find(index); at != opened.end()) return &at->second;
  TENON_TRY(gpu, find_gpu(index));
  return &opened.emplace(index, std::move(gpu)).first->second;
}

}  // namespace tenon::cuda
