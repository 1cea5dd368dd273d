#include "backends/cuda/jit/cache.h"

#include <filesystem>

#include "base/env.h"
#include "base/file.h"
#include "base/hash.h"

namespace tenon::cuda {
namespace {

namespace fs = std::filesystem;

/// What a file of the cache holds.
struct Entry {
  std::string check;  // of text and compiler: a file of an equal name but another text is no hit
  Bytes binary;
  int64_t registers = 0, shared_bytes = 0, local_bytes = 0;
  bool has_wait = false, has_constant_loads = false;
  static constexpr std::string_view kName = "CachedKernel";
  static constexpr auto kFields = Fields{Field{1, "check", &Entry::check},
                                         Field{2, "binary", &Entry::binary},
                                         Field{3, "registers", &Entry::registers},
                                         Field{4, "shared_bytes", &Entry::shared_bytes},
                                         Field{5, "local_bytes", &Entry::local_bytes},
                                         Field{6, "has_wait", &Entry::has_wait},
                                         Field{7, "has_constant_loads", &Entry::has_constant_loads}};
};

std::string check_of(std::string_view text, std::string_view compiler) {
  return strf("{:016x}{:016x}", hash_text(text, 1), hash_text(compiler, hash_text(text, 2)));
}
fs::path path_of(std::string_view text, std::string_view compiler) {
  return fs::path(cache_folder()) / "kernels" / strf("{:016x}", hash_text(compiler, hash_text(text)));
}

}  // namespace

std::optional<tune::CompiledKernel> cached(std::string_view text, std::string_view compiler) {
  if (cache_folder().empty()) return std::nullopt;
  const auto file = MappedFile::open(path_of(text, compiler).string());
  if (!file.ok()) return std::nullopt;
  auto entry = from_bytes<Entry>((*file)->bytes());
  if (!entry.ok() || entry->check != check_of(text, compiler)) return std::nullopt;
  return tune::CompiledKernel{.binary = std::move(entry->binary),
                              .registers = entry->registers,
                              .shared_bytes = entry->shared_bytes,
                              .local_bytes = entry->local_bytes,
                              .has_wait = entry->has_wait,
                              .has_constant_loads = entry->has_constant_loads};
}

void keep(std::string_view text, std::string_view compiler, const tune::CompiledKernel& kernel) {
  if (cache_folder().empty()) return;
  const fs::path path = path_of(text, compiler);
  std::error_code status;
  fs::create_directories(path.parent_path(), status);
  const Entry entry{.check = check_of(text, compiler),
                    .binary = kernel.binary,
                    .registers = kernel.registers,
                    .shared_bytes = kernel.shared_bytes,
                    .local_bytes = kernel.local_bytes,
                    .has_wait = kernel.has_wait,
                    .has_constant_loads = kernel.has_constant_loads};
  (void)write_file(path.string(), to_bytes(entry));  // a full disk costs the next build time, no more
}

}  // namespace tenon::cuda
