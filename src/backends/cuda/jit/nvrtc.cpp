#include "backends/cuda/jit/nvrtc.h"

#include <dlfcn.h>
#include <glob.h>

#include <vector>

#include "base/env.h"

namespace tenon::cuda {
namespace {

std::vector<std::string> candidates() {
  if (!knob("nvrtc").empty()) return {knob("nvrtc")};
  std::vector<std::string> out = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  for (const char* pattern : {"/usr/local/cuda*/lib*/libnvrtc.so.1[23]", "/usr/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1[23]",
                              "/usr/local/lib/python3*/*-packages/nvidia/*/lib/libnvrtc.so.1[23]",
                              ".venv/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1[23]"}) {
    glob_t found{};
    if (::glob(pattern, 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
  }
  return out;
}

Result<Nvrtc> load() {
  Nvrtc out;
  void* library = nullptr;
  std::string tried;
  for (const std::string& path : candidates()) {
    library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    out.path = path;
    if (library) break;
    tried += (tried.empty() ? "" : ", ") + path;
  }
  if (!library)
    return fail(ErrorKind::not_found,
                "NVRTC, which compiles kernels, was not found ({}): pip install 'nvidia-cuda-nvrtc==13.0.*', or set TENON_NVRTC to the "
                "path of libnvrtc.so.13",
                tried);
  std::string missing;
  const auto symbol = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (!function) missing = name;
  };
  symbol(out.nvrtcVersion, "nvrtcVersion");
  symbol(out.nvrtcCreateProgram, "nvrtcCreateProgram");
  symbol(out.nvrtcCompileProgram, "nvrtcCompileProgram");
  symbol(out.nvrtcGetCUBINSize, "nvrtcGetCUBINSize");
  symbol(out.nvrtcGetCUBIN, "nvrtcGetCUBIN");
  symbol(out.nvrtcGetPTXSize, "nvrtcGetPTXSize");
  symbol(out.nvrtcGetPTX, "nvrtcGetPTX");
  symbol(out.nvrtcGetProgramLogSize, "nvrtcGetProgramLogSize");
  symbol(out.nvrtcGetProgramLog, "nvrtcGetProgramLog");
  symbol(out.nvrtcDestroyProgram, "nvrtcDestroyProgram");
  if (!missing.empty())
    return fail(ErrorKind::not_found, "'{}' has no function '{}': another version of NVRTC is wanted", out.path, missing);
  if (out.nvrtcVersion(&out.major, &out.minor) != 0) return fail(ErrorKind::not_found, "'{}' does not say its version", out.path);
  return out;
}

}  // namespace

Result<const Nvrtc*> load_nvrtc() {
  static const Result<Nvrtc> nvrtc = load();
  if (!nvrtc.ok()) return nvrtc.error();
  return &*nvrtc;
}

}  // namespace tenon::cuda
