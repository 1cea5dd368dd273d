// The engine file (docs/engine-format.md): header, section table with checksums, sections. Untrusted until read_engine returned it.
#pragma once
#include <memory>

#include "engine/plan.h"

namespace tenon::engine {

constexpr uint32_t kFormatVersion = 1;

/// A named tensor of the file. Roots carry the model's names and may be refitted; constants are named "#" and their hash.
struct Blob {
  std::string name;
  bool root = false;
  Tensor data;
};

/// What a file holds. Plans for other targets than "portable" are a cache.
struct Image {
  std::string graph;  // text form of the graph before the target stages; opaque to the runtime
  std::vector<Blob> blobs;
  std::vector<Plan> plans;
  std::string report;  // JSON, for people and tools

  const Blob* find_blob(std::string_view name) const;
  const Plan* find_plan(std::string_view target) const;
};

/// A function of the image alone: no times, no paths.
Result<Bytes> write_engine(const Image& image);

struct ReadOptions {
  bool verify_weights = false;  // also the checksum of every blob
};
struct StalePlan {
  std::string target, why;
};
/// Checks header, table, checksums of all metadata, then decodes and validates every plan. Blobs are views into `bytes`, which
/// `keep_alive` owns. A target plan that this version cannot read goes to `stale`; the portable plan must be readable.
Result<Image> read_engine(ByteView bytes, std::shared_ptr<const void> keep_alive, const ReadOptions& options = {},
                          std::vector<StalePlan>* stale = nullptr);

/// One line per section, for `tenon inspect`.
struct SectionInfo {
  std::string name;
  uint64_t offset = 0, bytes = 0, checksum = 0;
};
Result<std::vector<SectionInfo>> list_sections(ByteView bytes);
bool is_engine(ByteView bytes);

}  // namespace tenon::engine
