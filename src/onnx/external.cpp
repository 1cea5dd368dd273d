#include "onnx/external.h"

#include <algorithm>

#include "base/text.h"

namespace tenon::onnx {
namespace {

/// Looks at the text alone, so that a model cannot even ask whether a file outside its folder exists.
bool stays_inside(std::string_view location) {
  if (location.empty() || location.front() == '/' || location.find('\0') != std::string_view::npos) return false;
  return std::ranges::none_of(split(location, '/'), [](const std::string& part) { return part == ".."; });
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> ExternalFiles::open(std::string_view location) {
  if (!stays_inside(location))
    return fail(ErrorKind::invalid_model, "external data at {}: the path must be relative and stay inside the model's folder",
                quote(location));
  const std::lock_guard lock(mutex_);
  if (const auto found = files_.find(location); found != files_.end()) return found->second;
  const bool slash = folder_.empty() || folder_.back() == '/';
  TENON_TRY(file, MappedFile::open(folder_ + (slash ? "" : "/") + std::string(location)));
  files_.emplace(location, file);
  return file;
}

}  // namespace tenon::onnx
