// Values in files: ONNX protobuf (.pb), NumPy (.npy, .npz).
#pragma once
#include "npy.h"
#include "onnx/model.h"
#include "values.h"

namespace tenon::cli {

/// A TensorProto, SequenceProto, OptionalProto or MapProto, as `kind` says. An empty file is an absent value. `name` receives the name
/// in the file.
Result<HostValue> read_proto(const std::string& path, onnx::TypeView::Kind kind, std::string* name = nullptr);
onnx::TypeView::Kind proto_kind(const ValueType& type);

/// .pb or .npy, by the file's ending, for an input of `type`. A uint16 array is taken as the bits of a bf16 input, with a remark.
Result<HostValue> read_input(const std::string& path, const ValueType& type);
/// As read_input does with an array that was read already.
Result<HostValue> adapt(Tensor tensor, const ValueType& type, std::string_view from);

/// NAME.npz: one archive; else a folder that receives one .npy per tensor, named after the output. Values that NumPy cannot hold are
/// left out with a remark. Returns the files written.
Result<std::vector<std::string>> save_values(const std::string& path, const std::vector<std::pair<std::string, HostValue>>& values);

}  // namespace tenon::cli
