// Files: read-only mappings and atomic writes.
#pragma once
#include <memory>
#include <string>

#include "base/bytes.h"

namespace tenon {

/// A file mapped read-only; the view lives as long as this object.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  ByteView bytes() const { return bytes_; }

 private:
  explicit MappedFile(ByteView bytes) : bytes_(bytes) {}
  ByteView bytes_;
};

/// Writes to a temporary file beside `path` and renames: readers see the old file or the whole new one.
Result<void> write_file(const std::string& path, ByteView bytes);
Result<std::string> read_text(const std::string& path);

}  // namespace tenon
