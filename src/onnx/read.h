// The messages of onnx.proto into views; errors stay in the message's state (wire.h).
#pragma once
#include "onnx/model.h"
#include "onnx/wire.h"

namespace tenon::onnx {

void read(Message in, TensorView& out);
void read(Message in, SparseTensorView& out);
void read(Message in, TypeView& out);
void read(Message in, ValueView& out);
void read(Message in, AttributeView& out);
void read(Message in, NodeView& out);
void read(Message in, GraphView& out);
void read(Message in, FunctionView& out);
/// All but folder, keep_alive and files.
void read(Message in, Model& out);

}  // namespace tenon::onnx
