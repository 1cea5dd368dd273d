#include "tune/code_store.h"

#include "base/hash.h"

namespace tenon::tune {

engine::CodeRef CodeStore::add(const std::string& text) {
  std::string entry = strf("k{:016x}", hash_text(text));
  const auto [at, fresh] = by_entry_.try_emplace(entry, static_cast<int64_t>(rows_.size()));
  if (fresh) rows_.push_back({entry, strf("#define TENON_KERNEL {}\n", entry) + text});
  return {.name = std::move(entry), .module = at->second};
}

}  // namespace tenon::tune
