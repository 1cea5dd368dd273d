// make_row<T>(): the row of an operator from its attributes struct and the chapters declared beside it.
// An operator is a struct with kName and kFields and, in its namespace,
//   Result<Facts>           infer  (const T&, std::span<const Fact> in, InferCtx&);
//   Result<engine::Problem> problem(const T&, std::span<const Fact> in, std::span<const Fact> out);   or
//   Result<void>            eval   (const T&, std::span<const HostValue> in, std::span<HostValue> out);
// A static constexpr OpTraits kTraits in the struct sets the row's flags.
#pragma once
#include "engine/problem.h"
#include "tensor/op.h"

namespace tenon::ops {

struct OpTraits {
  bool has_regions = false, impure = false, anchor = false, view = false;
  size_t operands = 1;      // so many inputs must be there
  bool containers = false;  // inputs may be sequences, optionals and maps
};

/// What an evaluator may rely on: its operands are there, every input is a tensor unless the operator takes containers, and there is
/// an output. Plans are untrusted.
Result<void> check_values(const OpTraits& traits, std::span<const HostValue> in, std::span<const HostValue> out);
Result<void> check_count(const OpTraits& traits, size_t inputs);

/// Whether the optional input `i` is there.
inline bool present(std::span<const Fact> in, size_t i) { return i < in.size() && in[i].dtype() != DType::none; }
inline bool present(std::span<const HostValue> in, size_t i) { return i < in.size() && in[i].kind != HostValue::Kind::absent; }

template <class T>
constexpr OpTraits traits_of() {
  if constexpr (requires { T::kTraits; }) return T::kTraits;
  return {};
}

template <class T>
OpRow make_row() {
  static_assert(
      requires(const T& op, std::span<const Fact> in, InferCtx& ctx) { infer(op, in, ctx); }, "the operator lacks infer");
  OpRow row;
  row.name = T::kName;
  row.attributes = &type_of<T>();
  row.make = []() -> std::shared_ptr<void> { return std::make_shared<T>(); };
  row.copy = [](const void* op) -> std::shared_ptr<void> { return std::make_shared<T>(*static_cast<const T*>(op)); };
  row.infer = [](const void* op, std::span<const Fact> in, InferCtx& ctx) -> Result<Facts> {
    TENON_OK(check_count(traits_of<T>(), in.size()));
    return infer(*static_cast<const T*>(op), in, ctx);
  };
  if constexpr (requires(const T& t, std::span<const Fact> f) { problem(t, f, f); })
    row.problem = [](const void* op, std::span<const Fact> in, std::span<const Fact> out) {
      return problem(*static_cast<const T*>(op), in, out);
    };
  if constexpr (requires(const T& t, std::span<const HostValue> in, std::span<HostValue> out) { eval(t, in, out); })
    row.eval = [](const void* op, std::span<const HostValue> in, std::span<HostValue> out) -> Result<void> {
      TENON_OK(check_values(traits_of<T>(), in, out));
      return eval(*static_cast<const T*>(op), in, out);
    };
  constexpr OpTraits traits = traits_of<T>();
  row.has_regions = traits.has_regions;
  row.pure = !traits.impure;
  row.anchor = traits.anchor;
  row.view = traits.view;
  return row;
}

const std::vector<OpRow>& op_table();
const OpRow* find_op(std::string_view name);

/// An Op of this library's table. Aborts on a type that has no row in ops.def.
template <class T>
Op make_op(T attributes) {
  const OpRow* row = find_op(T::kName);
  TENON_CHECK(row, "operator {} has no row in ops.def", T::kName);
  return Op(*row, std::make_shared<T>(std::move(attributes)));
}

}  // namespace tenon::ops
