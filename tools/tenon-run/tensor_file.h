// Tensors in ONNX's protobuf form (TensorProto), read without the build side: all that a test of an engine needs.
#pragma once
#include <string>
#include <vector>

#include "tenon/run.h"

namespace tenon_run {

struct FileTensor {
  std::string name;
  tenon::DType dtype = tenon::DType::none;
  std::vector<int64_t> dims;
  std::vector<std::byte> data;
};

tenon::Result<std::vector<std::byte>> read_bytes(const std::string& path);
/// Errors: a damaged file, strings, external data, a length that does not fit the dims.
tenon::Result<FileTensor> read_tensor(const std::string& path);
/// Bytes of `dims` packed elements; errors: negative dims, too many.
tenon::Result<size_t> bytes_of(tenon::DType dtype, const std::vector<int64_t>& dims);

}  // namespace tenon_run
