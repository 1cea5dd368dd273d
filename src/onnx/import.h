// ONNX → ir::Module. The importer says what the model says and nothing cleverer; passes simplify.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "ir/graph.h"
#include "onnx/model.h"

namespace tenon::onnx {

/// Why a model cannot be imported, or what will likely surprise its user.
struct Issue {
  std::string node;  // empty: of the model as a whole
  std::string op_type, domain;
  std::optional<int64_t> opset;  // of the domain, as the model imports it
  std::string reason;
  std::string advice;  // what to do about it; may be empty
};
/// "node 'x' (Op, domain opset 9): reason; advice".
std::string to_string(const Issue& issue);

struct ImportOptions {
  std::vector<Issue>* issues = nullptr;           // gets all that stand in the way, beside the error
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
