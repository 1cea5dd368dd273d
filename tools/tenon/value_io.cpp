#include "value_io.h"

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "onnx/import.h"
#include "onnx/value_file.h"

namespace tenon::cli {
namespace {

using onnx::TypeView;
using onnx::ValueProtoView;

/// A copy whose memory is aligned: in a protobuf file the elements lie anywhere.
Result<Tensor> copy_of(const Tensor& in) {
  if (in.dtype == DType::str) return in;
  TENON_TRY(out, Tensor::allocate(in.dtype, in.dims));
  if (in.bytes()) std::memcpy(out.data, in.data, static_cast<size_t>(in.bytes()));
  return out;
}

Result<Tensor> keys_of(const ValueProtoView& map) {
  const auto count = static_cast<int64_t>(map.elements.size());
  if (!map.string_keys.empty()) {
    TENON_TRY(keys, Tensor::allocate(DType::str, {count}));
    for (size_t i = 0; i < map.string_keys.size(); ++i) keys.as<std::string>()[i] = map.string_keys[i];
    return std::move(keys);
  }
  const auto dtype = dtype_of_onnx(map.key_type);
  TENON_TRY(keys, convert(int64_tensor(map.keys), dtype && is_int(*dtype) ? *dtype : DType::i64));
  return std::move(keys);
}

Result<HostValue> host_value(const onnx::Model& file, const ValueProtoView& view) {
  HostValue out;
  switch (view.kind) {
    case ValueProtoView::Kind::none: return out;
    case ValueProtoView::Kind::tensor: {
      TENON_TRY(tensor, onnx::import_tensor(file, view.tensor));
      TENON_TRY(copy, copy_of(tensor));
      return HostValue(std::move(copy));
    }
    case ValueProtoView::Kind::sparse_tensor: {
      TENON_TRY(tensor, onnx::import_tensor(file, *view.sparse_tensor));
      return HostValue(std::move(tensor));
    }
    case ValueProtoView::Kind::sequence: out.kind = HostValue::Kind::sequence; break;
    case ValueProtoView::Kind::optional: out.kind = HostValue::Kind::optional; break;
    case ValueProtoView::Kind::map: {
      out.kind = HostValue::Kind::map;
      TENON_TRY(keys, keys_of(view));
      out.tensor = std::move(keys);
      break;
    }
  }
  for (const ValueProtoView& element : view.elements) {
    TENON_TRY(item, host_value(file, element));
    out.items.push_back(std::move(item));
  }
  return out;
}

Result<HostValue> parse_proto(const std::shared_ptr<const MappedFile>& file, TypeView::Kind kind, std::string* name) {
  if (file->bytes().empty()) return HostValue();
  const onnx::Model owner{.keep_alive = file};
  ValueProtoView view;
  if (kind == TypeView::Kind::sequence) {
    TENON_TRY(read, onnx::read_sequence(file->bytes()));
    view = std::move(read);
  } else if (kind == TypeView::Kind::optional) {
    TENON_TRY(read, onnx::read_optional(file->bytes()));
    view = std::move(read);
  } else if (kind == TypeView::Kind::map) {
    TENON_TRY(read, onnx::read_map(file->bytes()));
    view = std::move(read);
  } else {
    TENON_TRY(read, onnx::read_tensor(file->bytes()));
    view.kind = ValueProtoView::Kind::tensor;
    view.name = read.name;
    view.tensor = std::move(read);
  }
  if (name) *name = view.name;
  return host_value(owner, view);
}

/// A file name from an output's name: path separators and the like become '_'.
std::string file_name(std::string_view name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ? c : '_';
  return out.empty() || out[0] == '.' ? "_" + out : out;
}

}  // namespace

TypeView::Kind proto_kind(const ValueType& type) {
  switch (type.kind) {
    case ValueType::Kind::sequence: return TypeView::Kind::sequence;
    case ValueType::Kind::optional: return TypeView::Kind::optional;
    case ValueType::Kind::map: return TypeView::Kind::map;
    case ValueType::Kind::tensor: break;
  }
  return TypeView::Kind::tensor;
}

Result<HostValue> read_proto(const std::string& path, TypeView::Kind kind, std::string* name) {
  TENON_TRY(file, MappedFile::open(path));
  auto out = parse_proto(file, kind, name);
  if (!out.ok()) return std::move(out.error()).within(path);
  return out;
}

Result<HostValue> adapt(Tensor tensor, const ValueType& type, std::string_view from) {
  if (type.is_tensor() && type.dtype == DType::bf16 && tensor.dtype == DType::u16) {
    note("{}: uint16 is taken as the bits of bf16", from);
    tensor.dtype = DType::bf16;
  }
  if (!type.is_tensor()) return fail("{}: an array, wanted {}", from, to_string(type));
  return HostValue(std::move(tensor));
}

Result<HostValue> read_input(const std::string& path, const ValueType& type) {
  if (!path.ends_with(".npy")) return read_proto(path, proto_kind(type));
  TENON_TRY(file, MappedFile::open(path));
  auto tensor = read_npy(file->bytes());
  if (!tensor.ok()) return std::move(tensor.error()).within(path);
  return adapt(std::move(*tensor), type, path);
}

Result<std::vector<std::string>> save_values(const std::string& path, const std::vector<std::pair<std::string, HostValue>>& values) {
  NamedTensors tensors;
  for (const auto& [name, value] : values) {
    if (value.kind == HostValue::Kind::tensor && value.tensor.dtype != DType::str) {
      tensors.emplace_back(name, value.tensor);
    } else {
      note("output '{}' is not saved: NumPy files hold tensors of numbers", name);
    }
  }
  if (path.ends_with(".npz")) {
    for (const auto& [name, tensor] : tensors) {
      std::string stored;
      TENON_OK(write_npy(tensor, &stored));
      if (!stored.empty()) note("output '{}' is saved as {}", name, stored);
    }
    TENON_TRY(bytes, write_npz(tensors));
    TENON_OK(write_file(path, bytes));
    return std::vector<std::string>{path};
  }
  std::error_code status;
  std::filesystem::create_directories(path, status);
  if (status) return fail(ErrorKind::io, "cannot make the folder '{}': {}", path, status.message());
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors) {
    std::string stored;
    TENON_TRY(bytes, write_npy(tensor, &stored));
    if (!stored.empty()) note("output '{}' is saved as {}", name, stored);
    out.push_back((std::filesystem::path(path) / (file_name(name) + ".npy")).string());
    TENON_OK(write_file(out.back(), bytes));
  }
  return out;
}

}  // namespace tenon::cli
