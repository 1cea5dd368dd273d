// Types, attributes, nodes, graphs, functions and the model. Field numbers are those of onnx.proto.
#include <bit>

#include "onnx/read.h"

namespace tenon::onnx {
namespace {

void read(Message in, DimView& out) {
  while (in.next()) {
    switch (in.tag()) {  // a oneof: the later one counts
      case 1:
        out.value = in.int64();
        out.param = {};
        break;
      case 2:
        out.param = in.text();
        out.value.reset();
        break;
    }
  }
}

void read_shape(Message in, TypeView& out) {
  out.has_shape = true;
  while (in.next())
    if (in.tag() == 1) read(in.message(), out.dims.emplace_back());
}

/// Tensor and SparseTensor.
void read_tensor_type(Message in, TypeView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.elem_type = in.int32(); break;
      case 2: read_shape(in.message(), out); break;
    }
  }
}

/// Sequence and Optional keep their element as field 1, Map as 2 after the type of its keys.
void read_container_type(Message in, TypeView& out) {
  const uint32_t element = out.kind == TypeView::Kind::map ? 2 : 1;
  while (in.next()) {
    if (in.tag() == element) {
      out.element = std::make_shared<TypeView>();
      read(in.message(), *out.element);
    }
    if (in.tag() == 1 && element != 1) out.key_type = in.int32();
  }
}

TypeView& restart(TypeView& type, TypeView::Kind kind) {
  type = {};
  type.kind = kind;
  return type;
}

void read(Message in, OpsetView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.domain = in.text(); break;
      case 2: out.version = in.int64(); break;
    }
  }
}

void read(Message in, std::pair<std::string_view, std::string_view>& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.first = in.text(); break;
      case 2: out.second = in.text(); break;
    }
  }
}

size_t messages_of(const AttributeView& attribute) {
  switch (attribute.type) {
    case AttributeType::tensor: return attribute.tensors.size();
    case AttributeType::graph: return attribute.graphs.size();
    case AttributeType::sparse_tensor: return attribute.sparse_tensors.size();
    case AttributeType::type_proto: return attribute.type_protos.size();
    default: return 1;
  }
}

/// `present`: bit t is set if a value of AttributeType t was in the file.
void finish(Message& in, AttributeView& out, int32_t type, uint32_t present) {
  if (out.name.empty()) return in.fail_whole("an attribute has no name");
  if (type < 0 || type > static_cast<int32_t>(AttributeType::type_protos))
    return in.fail_whole(strf("attribute '{}' has the unknown type {}", out.name, type));
  out.type = static_cast<AttributeType>(type);
  if (out.type == AttributeType::undefined && present != 0) {
    if (!std::has_single_bit(present)) return in.fail_whole(strf("attribute '{}' has no type and values of several", out.name));
    out.type = static_cast<AttributeType>(std::countr_zero(present));
  }
  const size_t count = messages_of(out);
  if (count != 1 && out.ref_attr_name.empty())
    in.fail_whole(strf("attribute '{}' of type {} has {} values", out.name, to_string(out.type), count));
}

}  // namespace

void read(Message in, TypeView& out) {
  using Kind = TypeView::Kind;
  while (in.next()) {
    switch (in.tag()) {  // a oneof: the later one counts
      case 1: read_tensor_type(in.message(), restart(out, Kind::tensor)); break;
      case 4: read_container_type(in.message(), restart(out, Kind::sequence)); break;
      case 5: read_container_type(in.message(), restart(out, Kind::map)); break;
      case 8: read_tensor_type(in.message(), restart(out, Kind::sparse_tensor)); break;
      case 9: read_container_type(in.message(), restart(out, Kind::optional)); break;
    }
  }
}

void read(Message in, ValueView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.name = in.text(); break;
      case 2: read(in.message(), out.type); break;
    }
  }
}

void read(Message in, AttributeView& out) {
  int32_t type = 0;
  uint32_t present = 0;
  const auto saw = [&](AttributeType kind) { present |= 1U << static_cast<int>(kind); };
  out.offset = in.offset();
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.name = in.text(); break;
      case 2: out.f = in.real(), saw(AttributeType::f); break;
      case 3: out.i = in.int64(), saw(AttributeType::i); break;
      case 4: out.s = in.text(), saw(AttributeType::s); break;
      case 5: read(in.message(), out.tensors.emplace_back()), saw(AttributeType::tensor); break;
      case 6: read(in.message(), out.graphs.emplace_back()), saw(AttributeType::graph); break;
      case 7: in.append(out.floats), saw(AttributeType::floats); break;
      case 8: in.append(out.ints), saw(AttributeType::ints); break;
      case 9: out.strings.push_back(in.text()), saw(AttributeType::strings); break;
      case 10: read(in.message(), out.tensors.emplace_back()), saw(AttributeType::tensors); break;
      case 11: read(in.message(), out.graphs.emplace_back()), saw(AttributeType::graphs); break;
      case 14: read(in.message(), out.type_protos.emplace_back()), saw(AttributeType::type_proto); break;
      case 15: read(in.message(), out.type_protos.emplace_back()), saw(AttributeType::type_protos); break;
      case 20: type = in.int32(); break;
      case 21: out.ref_attr_name = in.text(); break;
      case 22: read(in.message(), out.sparse_tensors.emplace_back()), saw(AttributeType::sparse_tensor); break;
      case 23: read(in.message(), out.sparse_tensors.emplace_back()), saw(AttributeType::sparse_tensors); break;
    }
  }
  finish(in, out, type, present);
}

void read(Message in, NodeView& out) {
  out.offset = in.offset();
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.inputs.push_back(in.text()); break;
      case 2: out.outputs.push_back(in.text()); break;
      case 3: out.name = in.text(); break;
      case 4: out.op_type = in.text(); break;
      case 5: read(in.message(), out.attributes.emplace_back()); break;
      case 7: out.domain = in.text(); break;
      case 8: out.overload = in.text(); break;
    }
  }
  if (out.op_type.empty()) in.fail_whole(strf("node '{}' has no op_type", out.name));
}

void read(Message in, GraphView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: read(in.message(), out.nodes.emplace_back()); break;
      case 2: out.name = in.text(); break;
      case 5: read(in.message(), out.initializers.emplace_back()); break;
      case 11: read(in.message(), out.inputs.emplace_back()); break;
      case 12: read(in.message(), out.outputs.emplace_back()); break;
      case 13: read(in.message(), out.value_infos.emplace_back()); break;
      case 15: read(in.message(), out.sparse_initializers.emplace_back()); break;
    }
  }
}

void read(Message in, FunctionView& out) {
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.name = in.text(); break;
      case 4: out.inputs.push_back(in.text()); break;
      case 5: out.outputs.push_back(in.text()); break;
      case 6: out.attributes.push_back(in.text()); break;
      case 7: read(in.message(), out.nodes.emplace_back()); break;
      case 9: read(in.message(), out.opset_imports.emplace_back()); break;
      case 10: out.domain = in.text(); break;
      case 11: read(in.message(), out.attribute_protos.emplace_back()); break;
      case 12: read(in.message(), out.value_infos.emplace_back()); break;
      case 13: out.overload = in.text(); break;
    }
  }
  if (out.name.empty()) in.fail_whole("a function has no name");
}

void read(Message in, Model& out) {
  bool has_graph = false;
  while (in.next()) {
    switch (in.tag()) {
      case 1: out.ir_version = in.int64(); break;
      case 2: out.producer_name = in.text(); break;
      case 3: out.producer_version = in.text(); break;
      case 4: out.domain = in.text(); break;
      case 5: out.model_version = in.int64(); break;
      case 7: read(in.message(), out.graph), has_graph = true; break;
      case 8: read(in.message(), out.opsets.emplace_back()); break;
      case 14: read(in.message(), out.metadata_props.emplace_back()); break;
      case 25: read(in.message(), out.functions.emplace_back()); break;
    }
  }
  if (!has_graph) in.fail_whole("no graph: not an ONNX model");
}

}  // namespace tenon::onnx
