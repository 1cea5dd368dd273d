// libFuzzer entry of the ONNX reader: any bytes as a model and as each kind of value file, with every payload touched.
#include <cstdint>

#include "onnx/value_file.h"

namespace {

using namespace tenon;
using namespace tenon::onnx;

uint64_t sum(ByteView bytes) {
  uint64_t total = 0;
  for (const std::byte byte : bytes) total += static_cast<uint64_t>(byte);
  return total;
}

/// Reads what the views point to, for the sanitizer to see.
class Toucher {
 public:
  explicit Toucher(const Model* model) : model_(model) {}

  void touch(std::string_view text) { seen_ += sum(view_of(text)); }
  void touch(const TensorView& tensor) {
    touch(tensor.name);
    touch_all(tensor.strings);
    const Result<Payload> payload = model_ ? model_->payload(tensor) : onnx::payload(tensor);
    if (payload.ok()) seen_ += sum(payload->bytes);
    if (!payload.ok()) seen_ += payload.error().message().size();
  }
  void touch(const SparseTensorView& tensor) {
    touch(tensor.values);
    touch(tensor.indices);
  }
  void touch(const TypeView& type) {
    for (const DimView& dim : type.dims) touch(dim.param);
    if (type.element) touch(*type.element);
  }
  void touch(const ValueView& value) {
    touch(value.name);
    touch(value.type);
  }
  void touch(const AttributeView& attribute) {
    touch(attribute.name);
    touch(attribute.s);
    touch(to_string(attribute.type));
    touch_all(attribute.strings);
    touch_all(attribute.tensors);
    touch_all(attribute.graphs);
    touch_all(attribute.sparse_tensors);
    touch_all(attribute.type_protos);
  }
  void touch(const NodeView& node) {
    touch(node.op_type);
    touch_all(node.inputs);
    touch_all(node.outputs);
    touch_all(node.attributes);
  }
  void touch(const GraphView& graph) {
    touch_all(graph.nodes);
    touch_all(graph.initializers);
    touch_all(graph.sparse_initializers);
    touch_all(graph.inputs);
    touch_all(graph.outputs);
    touch_all(graph.value_infos);
  }
  void touch(const FunctionView& function) {
    touch_all(function.attributes);
    touch_all(function.attribute_protos);
    touch_all(function.nodes);
    touch_all(function.value_infos);
  }
  void touch(const ValueProtoView& value) {
    if (value.kind == ValueProtoView::Kind::tensor) touch(value.tensor);
    if (value.sparse_tensor) touch(*value.sparse_tensor);
    touch_all(value.string_keys);
    touch_all(value.elements);
  }
  template <class T>
  void touch_all(const std::vector<T>& list) {
    for (const T& element : list) touch(element);
  }
  uint64_t seen() const { return seen_; }

 private:
  const Model* model_;
  uint64_t seen_ = 0;
};

/// Keeps the compiler from dropping the reads.
void use(const Toucher& toucher) { asm volatile("" : : "r"(toucher.seen())); }

template <class T>
void touch_value(const Result<T>& value) {
  if (!value.ok()) return;
  Toucher toucher(nullptr);
  toucher.touch(*value);
  use(toucher);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes{reinterpret_cast<const std::byte*>(data), size};
  // A folder that does not exist: fuzzed locations must not open files of this machine.
  const Result<Model> model = read_model(bytes, nullptr, "/nonexistent");
  if (model.ok()) {
    Toucher toucher(&*model);
    toucher.touch(model->graph);
    toucher.touch_all(model->functions);
    use(toucher);
  }
  touch_value(read_tensor(bytes));
  touch_value(read_sequence(bytes));
  touch_value(read_optional(bytes));
  touch_value(read_map(bytes));
  return 0;
}
