// NVRTC, NVIDIA's runtime compiler, found when it is first needed; nothing links it.
#pragma once
#include "base/result.h"

namespace tenon::cuda {

/// The functions of libnvrtc that are used, by their own names.
struct Nvrtc {
  using Program = struct NvrtcProgram*;
  int (*nvrtcVersion)(int* major, int* minor);
  int (*nvrtcCreateProgram)(Program*, const char* text, const char* name, int headers, const char* const*, const char* const*);
  int (*nvrtcCompileProgram)(Program, int options, const char* const*);
  int (*nvrtcGetCUBINSize)(Program, size_t*);
  int (*nvrtcGetCUBIN)(Program, char*);
  int (*nvrtcGetPTXSize)(Program, size_t*);
  int (*nvrtcGetPTX)(Program, char*);
  int (*nvrtcGetProgramLogSize)(Program, size_t*);
  int (*nvrtcGetProgramLog)(Program, char*);
  int (*nvrtcDestroyProgram)(Program*);
  std::string path;  // the file that was loaded
  int major = 0, minor = 0;
};

/// Looks at TENON_NVRTC, then where the loader looks, then in CUDA toolkits and in Python environments. Errors: it is nowhere, with
/// what to install.
Result<const Nvrtc*> load_nvrtc();

}  // namespace tenon::cuda
