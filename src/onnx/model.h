// Zero-copy view of an ONNX file: plain structs whose texts and spans point into the mapped bytes.
//
// The reader checks what the wire says (bounds, wire types, nesting, negative dims), not what the graph means: names may be
// missing or doubled, operators unknown. Unknown fields are skipped. Counts are bounded by the bytes that are present: the smallest
// messages that pass cost some 50 times their size as views.
// Protobuf itself ends at 2 GiB per file; this reader takes larger ones, as lengths are read as 64-bit. External data has no limit.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "onnx/data_type.h"

namespace tenon::onnx {

class ExternalFiles;
struct GraphView;

/// Where the elements of a tensor are. The typed fields keep their wire form: varints for the integers, little-endian for the rest.
enum class Storage : uint8_t { none, raw, float_data, int32_data, string_data, int64_data, double_data, uint64_data, external };

struct ExternalView {
  std::string_view location;  // relative to the model's folder
  uint64_t offset = 0;
  std::optional<uint64_t> length;  // to the end of the file if absent
};

struct TensorView {
  std::string_view name;
  int32_t data_type = kUndefined;  // never undefined once read; may be unknown
  std::vector<int64_t> dims;       // none negative
  Storage storage = Storage::none;
  ByteView raw;                           // raw bytes, or the wire form of the typed field in one piece
  Bytes joined;                           // the wire form of a typed field that came in several pieces; `raw` is empty then
  std::vector<std::string_view> strings;  // of a string tensor: as many as dims say
  std::optional<ExternalView> external;
  uint64_t offset = 0;  // of the message in the file

  /// Number of elements, or an error where it exceeds int64_t.
  Result<int64_t> elems() const;
};

/// COO form: values [nnz], indices [nnz] (linearised) or [nnz, rank], int64.
struct SparseTensorView {
  TensorView values;
  TensorView indices;
  std::vector<int64_t> dims;
};

/// One of `value` and `param`, or neither: an unknown dimension.
struct DimView {
  std::optional<int64_t> value;
  std::string_view param;
};

struct TypeView {
  enum class Kind : uint8_t { none, tensor, sequence, optional, map, sparse_tensor };
  Kind kind = Kind::none;
  int32_t elem_type = kUndefined;  // tensor, sparse_tensor
  bool has_shape = false;          // no shape: unknown rank; a shape without dims: a scalar
  std::vector<DimView> dims;
  int32_t key_type = kUndefined;      // map
  std::shared_ptr<TypeView> element;  // of sequence and optional, value of map; may be null
};

struct ValueView {
  std::string_view name;
  TypeView type;
};

/// Values are AttributeProto.AttributeType; named after the member that holds the value.
enum class AttributeType : uint8_t {
  undefined = 0,  // an old file that names the attribute and gives no value
  f = 1,
  i = 2,
  s = 3,
  tensor = 4,
  graph = 5,
  floats = 6,
  ints = 7,
  strings = 8,
  tensors = 9,
  graphs = 10,
  sparse_tensor = 11,
  sparse_tensors = 12,
  type_proto = 13,
  type_protos = 14,
};
std::string_view to_string(AttributeType type);

/// `type` is inferred from the field that is present in files that leave it unset. The message kinds share one vector for the single
/// value and the list: of type tensor, `tensors` has exactly one element, unless `ref_attr_name` is set.
struct AttributeView {
  std::string_view name;
  std::string_view ref_attr_name;  // in a function body: takes the value of the function's attribute of this name
  AttributeType type = AttributeType::undefined;
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string_view> strings;
  std::vector<TensorView> tensors;
  std::vector<GraphView> graphs;
  std::vector<SparseTensorView> sparse_tensors;
  std::vector<TypeView> type_protos;
  uint64_t offset = 0;

  /// The first of the list, null if empty.
  const TensorView* tensor() const { return tensors.empty() ? nullptr : tensors.data(); }
  const GraphView* graph() const;
  const SparseTensorView* sparse_tensor() const { return sparse_tensors.empty() ? nullptr : sparse_tensors.data(); }
  const TypeView* type_proto() const { return type_protos.empty() ? nullptr : type_protos.data(); }
};

struct NodeView {
  std::string_view name;
  std::string_view op_type;  // never empty
  std::string_view domain;   // as written: "" and "ai.onnx" are the same
  std::string_view overload;
  std::vector<std::string_view> inputs;  // "" stands for an absent optional input
  std::vector<std::string_view> outputs;
  std::vector<AttributeView> attributes;
  uint64_t offset = 0;

  /// Null if there is none of this name.
  const AttributeView* find(std::string_view attribute) const;
};

struct GraphView {
  std::string_view name;
  std::vector<NodeView> nodes;
  std::vector<TensorView> initializers;
  std::vector<SparseTensorView> sparse_initializers;  // named by their values
  std::vector<ValueView> inputs;                      // IR version < 4: also lists the initializers
  std::vector<ValueView> outputs;
  std::vector<ValueView> value_infos;
};

struct OpsetView {
  std::string_view domain;
  int64_t version = 0;
};

struct FunctionView {
  std::string_view name;
  std::string_view domain;
  std::string_view overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<std::string_view> attributes;     // required ones
  std::vector<AttributeView> attribute_protos;  // those with a default
  std::vector<NodeView> nodes;
  std::vector<OpsetView> opset_imports;
  std::vector<ValueView> value_infos;
};

/// Elements as they lie in memory: little-endian, row-major, sub-byte types packed from the low bits up.
struct Payload {
  ByteView bytes;
  std::shared_ptr<const void> owner;  // keeps `bytes` alive; null where they belong to a caller who keeps them himself
};

struct Model {
  int64_t ir_version = 0;
  std::string_view producer_name;
  std::string_view producer_version;
  std::string_view domain;
  int64_t model_version = 0;
  std::vector<OpsetView> opsets;
  GraphView graph;
  std::vector<FunctionView> functions;
  std::vector<std::pair<std::string_view, std::string_view>> metadata_props;
  std::string folder;                      // of external data
  std::shared_ptr<const void> keep_alive;  // of the bytes that all views point into
  std::shared_ptr<ExternalFiles> files;

  /// The elements of any tensor of this model but a string one; checked to be as many bytes as dims and type say. Zero-copy for raw,
  /// external and float data. External files are mapped once; their paths must be relative and without "..". Thread-safe.
  Result<Payload> payload(const TensorView& tensor) const;
};

/// `keep_alive` owns the bytes (null: the caller keeps them as long as the model); `folder` is where external data lies.
Result<Model> read_model(ByteView bytes, std::shared_ptr<const void> keep_alive, std::string folder);
/// Maps the file.
Result<Model> read_model_file(const std::string& path);

/// The elements of a tensor that does not lie in an external file.
Result<Payload> payload(const TensorView& tensor);

}  // namespace tenon::onnx
