// Attributes that importers of several families read.
#pragma once
#include "onnx/node_import.h"
#include "ops/window.h"

namespace tenon::onnx {

ops::AutoPad auto_pad_attr(NodeImport& n);

}  // namespace tenon::onnx
