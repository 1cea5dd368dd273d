#include "engine/reference_api.h"

#include <dlfcn.h>

#include <mutex>
#include <string>

namespace tenon::engine {
namespace {

constexpr const char* kFile = "libtenon-reference.so";
constexpr const char* kSymbol = "tenon_reference_api";

Result<const ReferenceApi*> load() {
  Dl_info self = {};
  std::string path = kFile;
  if (dladdr(reinterpret_cast<void*>(&load), &self) && self.dli_fname) {
    const std::string here = self.dli_fname;
    if (const size_t slash = here.rfind('/'); slash != std::string::npos) path = here.substr(0, slash + 1) + kFile;
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail(ErrorKind::not_found, "the reference library cannot be loaded: {}", dlerror());
  const auto get = reinterpret_cast<const ReferenceApi* (*)()>(dlsym(library, kSymbol));
  if (!get) return fail(ErrorKind::not_found, "{} lacks {}: it is of another version", path, kSymbol);
  return get();
}

}  // namespace

Result<const ReferenceApi*> load_reference() {
  static std::mutex mutex;
  static const ReferenceApi* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (!loaded) {
    TENON_TRY(api, load());
    loaded = api;
  }
  return loaded;
}

}  // namespace tenon::engine
