// ONNX → ir::Module. The importer says what the model says and nothing cleverer; passes simplify.
#pragma once
#include <map>
#include <string>

#include "base/log.h"
#include "ir/graph.h"
#include "onnx/model.h"

namespace tenon::onnx {

struct ImportOptions {
  const Log* log = nullptr;                       // warnings about the model; null: none
  std::map<std::string, Dims, std::less<>> dims;  // of graph inputs, in place of what the file says
};

/// The module keeps weights as views of the model's bytes: the model's keep_alive, or the caller where it is null, must outlive it.
/// Errors of all nodes are collected; the message has one line for each.
Result<ir::Module> import_model(const Model& model, const ImportOptions& options = {});

/// The elements of a model's tensor in our form; strings are copied, all else is viewed where the file's form allows.
Result<Tensor> import_tensor(const Model& model, const TensorView& view);
Result<Tensor> import_tensor(const Model& model, const SparseTensorView& view);

/// Whether an operator has an importer at this opset.
bool can_import(std::string_view domain, std::string_view op_type, int64_t opset);

}  // namespace tenon::onnx
