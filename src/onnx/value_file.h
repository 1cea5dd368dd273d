// Single values as files: TensorProto, SequenceProto, OptionalProto and MapProto, as in ONNX's node tests.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "onnx/model.h"

namespace tenon::onnx {

struct ValueProtoView {
  enum class Kind : uint8_t { none, tensor, sparse_tensor, sequence, optional, map };
  Kind kind = Kind::none;
  std::string_view name;
  TensorView tensor;
  std::shared_ptr<SparseTensorView> sparse_tensor;
  std::vector<ValueProtoView> elements;       // of a sequence; of an optional: none or one; of a map: its values, in order of the keys
  Kind element_kind = Kind::none;             // of a sequence or optional, also where it is empty
  int32_t key_type = kUndefined;              // map
  std::vector<int64_t> keys;                  // map with integer keys
  std::vector<std::string_view> string_keys;  // map with string keys
};

/// The views point into `bytes`.
Result<TensorView> read_tensor(ByteView bytes);
Result<ValueProtoView> read_sequence(ByteView bytes);
Result<ValueProtoView> read_optional(ByteView bytes);
Result<ValueProtoView> read_map(ByteView bytes);

/// A TensorProto with raw data. `raw` holds the elements as Payload does.
Bytes write_tensor(std::string_view name, int32_t data_type, std::span<const int64_t> dims, ByteView raw);

}  // namespace tenon::onnx
