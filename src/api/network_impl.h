// What the public classes of the build side share: the core's names beside the public ones, and the graph behind a Network.
// Included after all headers of the core, whose unqualified names it would make ambiguous.
#pragma once
#include "build.h"

namespace tenon::core {
// The public header brings types of the same names; these are the core's.
using tenon::Dim;
using tenon::Dims;
using tenon::DType;
using tenon::Error;
using tenon::ErrorKind;
using tenon::Result;
using tenon::Severity;
using tenon::Shape;
using tenon::Tensor;
using tenon::to_string;
}  // namespace tenon::core

#include "tenon/build.h"

namespace tenon {
inline namespace v1 {

inline Error to_public(core::Error error) { return {static_cast<ErrorKind>(static_cast<int>(error.kind()) + 1), error.message()}; }
inline Status to_public(core::Result<void> result) { return result.ok() ? Status() : Status(to_public(std::move(result.error()))); }
Log log_of(const Logger& logger);
/// Runs f, which returns R or a core::Result; bad_alloc becomes an error.
template <class R, class F>
R guarded(F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return Error{ErrorKind::out_of_memory, "out of memory"};
  }
}

struct NetworkImpl {
  ir::Module module;
  bool parsed = false;
  std::map<std::string, int, std::less<>> counts;  // of names that were made up

  NetworkImpl() { module.add_graph("main"); }
  ir::Graph& graph() { return module.main(); }

  Tensor wrap(ir::ValueId id) const;
  core::Result<ir::ValueId> unwrap(const Tensor& tensor) const;
  core::Result<ir::Values> unwrap(std::span<const Tensor> tensors) const;
  /// `name`, or one made from `kind`.
  std::string name_for(std::string_view name, std::string_view kind);
  TensorInfo info(ir::ValueId id, std::string name) const;

  /// Appends a node of one output, named after its layer. Errors: what inference says.
  core::Result<ir::ValueId> emit(Op op, ir::Values in, const std::string& name, std::string_view kind);
  /// Runs `write`, which appends the layer's nodes; its error says which layer it was.
  template <class F>
  Result<Tensor> layer(std::string_view kind, std::string_view name, F&& write) {
    return guarded<Result<Tensor>>([&]() -> Result<Tensor> {
      const std::string label = name_for(name, kind);
      core::Result<ir::ValueId> out = write(label);
      if (!out.ok()) return to_public(std::move(out.error()).within(strf("{} '{}'", kind, label)));
      ir::Value& value = graph()[*out];
      if (value.name.empty()) value.name = label;
      return wrap(*out);
    });
  }
};

}  // namespace v1
}  // namespace tenon
