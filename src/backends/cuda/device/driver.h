// libcuda, opened when it is first needed; nothing links it. Types and functions by their own names, as far as they are used.
#pragma once
#include <array>

#include "base/result.h"

namespace tenon::cuda {

using CUdevice = int;
using CUcontext = struct CUctx*;
using CUstream = struct CUstr*;
using CUmodule = struct CUmod*;
using CUfunction = struct CUfunc*;
using CUgraph = struct CUgra*;
using CUgraphExec = struct CUgraExec*;
using CUevent = struct CUev*;
using CUdeviceptr = unsigned long long;

/// An attribute of a launch: 8 bytes of number, 64 of value.
struct CUlaunchAttribute {
  unsigned id = 0, pad = 0;
  std::array<unsigned, 16> value{};
};
struct CUlaunchConfig {
  unsigned grid[3], block[3], shared_bytes;
  CUstream stream;
  CUlaunchAttribute* attributes;
  unsigned attribute_count;
};
constexpr unsigned kLaunchCooperative = 2, kLaunchCluster = 4, kLaunchDependent = 6;
constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76, kMultiprocessors = 16, kSharedOfBlock = 97;
constexpr int kDynamicSharedBytes = 8, kSharedCarveout = 9;
constexpr int kPointerMemoryType = 2, kPointerIsManaged = 8, kPointerDeviceOrdinal = 9;  // CUpointer_attribute
constexpr unsigned kMemoryTypeDevice = 2, kEventWithoutTiming = 2;

struct Driver {
  int (*cuInit)(unsigned);
  int (*cuDriverGetVersion)(int*);
  int (*cuGetErrorString)(int, const char**);
  int (*cuDeviceGetCount)(int*);
  int (*cuDeviceGet)(CUdevice*, int);
  int (*cuDeviceGetName)(char*, int, CUdevice);
  int (*cuDeviceGetAttribute)(int*, int, CUdevice);
  int (*cuDeviceTotalMem)(size_t*, CUdevice);
  int (*cuDevicePrimaryCtxRetain)(CUcontext*, CUdevice);
  int (*cuCtxSetCurrent)(CUcontext);
  int (*cuCtxGetCurrent)(CUcontext*);
  int (*cuStreamCreate)(CUstream*, unsigned);
  int (*cuStreamDestroy)(CUstream);
  int (*cuStreamSynchronize)(CUstream);
  int (*cuStreamQuery)(CUstream);
  int (*cuStreamWaitEvent)(CUstream, CUevent, unsigned);
  int (*cuStreamGetCtx)(CUstream, CUcontext*);
  int (*cuStreamGetId)(CUstream, unsigned long long*);
  int (*cuStreamIsCapturing)(CUstream, int*);
  int (*cuEventCreate)(CUevent*, unsigned);
  int (*cuEventDestroy)(CUevent);
  int (*cuEventRecord)(CUevent, CUstream);
  int (*cuEventSynchronize)(CUevent);
  int (*cuEventQuery)(CUevent);
  int (*cuPointerGetAttribute)(void*, int, CUdeviceptr);
  int (*cuMemAlloc)(CUdeviceptr*, size_t);
  int (*cuMemFree)(CUdeviceptr);
  int (*cuMemcpyAsync)(CUdeviceptr, CUdeviceptr, size_t, CUstream);
  int (*cuMemsetD8Async)(CUdeviceptr, unsigned char, size_t, CUstream);
  int (*cuModuleLoadData)(CUmodule*, const void*);
  int (*cuModuleUnload)(CUmodule);
  int (*cuModuleGetFunction)(CUfunction*, CUmodule, const char*);
  int (*cuFuncSetAttribute)(CUfunction, int, int);
  int (*cuLaunchKernelEx)(const CUlaunchConfig*, CUfunction, void**, void**);
  int (*cuStreamBeginCapture)(CUstream, int);
  int (*cuStreamEndCapture)(CUstream, CUgraph*);
  int (*cuGraphInstantiateWithFlags)(CUgraphExec*, CUgraph, unsigned long long);
  int (*cuGraphLaunch)(CUgraphExec, CUstream);
  int (*cuGraphExecDestroy)(CUgraphExec);
  int (*cuGraphDestroy)(CUgraph);
  int version = 0;  // 13000
};

/// Errors: no driver, one without a function that is used, no GPU; each says what to do.
Result<const Driver*> load_driver();
/// "name (number)" of a driver's error.
std::string error_text(const Driver& driver, int status);

/// A GPU of this machine.
struct Gpu {
  CUdevice device = 0;
  CUcontext context = nullptr;
  std::string name, arch;                     // "NVIDIA H100 80GB HBM3", "sm_90"
  int multiprocessors = 0, shared_bytes = 0;  // shared: a block may use
  size_t memory_bytes = 0;
};
/// A GPU by the driver's number. Its primary context, which the CUDA runtime uses too, is retained. Errors: there is none of that number.
Result<const Gpu*> open_gpu(int64_t index = 0);

}  // namespace tenon::cuda
