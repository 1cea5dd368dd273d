// The files beside a model that hold the elements of its larger tensors.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/file.h"

namespace tenon::onnx {

/// Maps each file once; may be called from many threads.
class ExternalFiles {
 public:
  explicit ExternalFiles(std::string folder) : folder_(std::move(folder)) {}
  /// `location`: relative to the folder; "..", absolute and empty paths are refused. Links are followed: they belong to whoever set up
  /// the folder, not to the model's bytes.
  Result<std::shared_ptr<const MappedFile>> open(std::string_view location);

 private:
  std::string folder_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace tenon::onnx
