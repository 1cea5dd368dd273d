#include "reference/reference.h"

#include <algorithm>
#include <cstring>

#include "engine/reference_api.h"
#include "ops/row.h"
#include "reference/common.h"

namespace tenon::reference {
namespace {

/// Facts with contents: what shape inference and problem() may ask for. They live as long as the values.
Facts facts_of(std::span<const HostValue> in) {
  Facts out;
  for (const HostValue& value : in) {
    out.push_back(fact_of(value));
    if (value.kind == HostValue::Kind::tensor && value.tensor.data) out.back().constant = std::make_shared<const Tensor>(value.tensor);
  }
  return out;
}

/// A problem's outputs take the dims that inference gives, so that evaluators see what the operator's rank-1 or kept dims mean.
Result<void> prepare_outputs(const Facts& facts, std::span<HostValue> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const auto dims = facts[i].shape().constant();
    if (!facts[i].type.is_tensor() || !dims)
      return fail("the shape of output {}, {}, does not follow from the inputs", i, to_string(facts[i].type));
    TENON_OK(fit_output(out[i], facts[i].dtype(), *dims));
  }
  return {};
}

bool is_misaligned(const HostValue& value) {
  if (value.kind != HostValue::Kind::tensor || value.tensor.dtype == DType::str) return false;
  const auto align = static_cast<uintptr_t>(std::clamp(bits_of(value.tensor.dtype) / 8, 1, 8));
  return reinterpret_cast<uintptr_t>(value.tensor.data) % align != 0;
}

/// Evaluators read elements where they lie. A constant of a mapped ONNX file may lie at any address: `call` gets a copy of such ones.
template <class Call>
Result<void> with_aligned(std::span<const HostValue> in, Call call) {
  if (std::none_of(in.begin(), in.end(), is_misaligned)) return call(in);
  std::vector<HostValue> copies(in.begin(), in.end());
  for (HostValue& value : copies) {
    if (!is_misaligned(value)) continue;
    TENON_TRY(copy, Tensor::allocate(value.tensor.dtype, value.tensor.dims));
    std::memcpy(copy.data, value.tensor.data, static_cast<size_t>(copy.bytes()));
    value.tensor = std::move(copy);
  }
  return call(std::span<const HostValue>(copies));
}

Result<void> run_row(const OpRow& row, const void* attributes, std::span<const HostValue> in, std::span<HostValue> out) {
  if (row.eval) return row.eval(attributes, in, out);
  if (!row.problem) return fail(ErrorKind::unsupported, "{} has regions: it is no step of its own", row.name);
  // Every operator that is a problem computes on tensors, at least one: infer and problem() may rely on it.
  if (in.empty() || in[0].kind != HostValue::Kind::tensor) return fail("input 0 must be a tensor");
  const Facts facts = facts_of(in);
  Symbols symbols;
  InferCtx ctx;
  ctx.symbols = &symbols;
  ctx.output_count = static_cast<int>(out.size());
  TENON_TRY(results, row.infer(attributes, facts, ctx));
  if (results.size() < out.size()) return fail("{} has {} outputs, wanted {}", row.name, results.size(), out.size());
  TENON_OK(prepare_outputs(results, out));
  TENON_TRY(problem, row.problem(attributes, facts, results));
  return run(problem, in, out);
}

}  // namespace

Result<void> run_op(const Op& op, std::span<const HostValue> in, std::span<HostValue> out) {
  auto status = with_aligned(in, [&](std::span<const HostValue> aligned) { return run_row(op.row(), op.attributes(), aligned, out); });
  if (!status.ok()) return std::move(status.error()).within(op.name());
  return status;
}

Result<void> run(const engine::ReferenceProblem& p, std::span<const HostValue> in, std::span<HostValue> out) {
  const OpRow* row = ops::find_op(p.op);
  if (!row) return fail(ErrorKind::bad_engine, "there is no operator '{}'", p.op);
  const std::shared_ptr<void> attributes = row->make();
  ByteReader reader(p.attributes);
  if (!p.attributes.empty()) TENON_OK(decode(*row->attributes, reader, attributes.get()));
  const Op op(*row, attributes);
  if (p.epilogue.expr.empty()) return run_op(op, in, out);
  const size_t operands = p.epilogue.operands.size();
  if (operands > in.size()) return fail("the epilogue has {} operands, the step {} inputs", operands, in.size());
  HostValue result;
  TENON_OK(run_op(op, in.first(in.size() - operands), std::span<HostValue>(&result, 1)));
  if (result.kind != HostValue::Kind::tensor) return fail("an epilogue wants a tensor, {} gives none", p.op);
  return finish(result.tensor, result.tensor.dtype, p.epilogue, in.last(operands), out);
}

Result<void> run(const engine::Problem& problem, std::span<const HostValue> in, std::span<HostValue> out) {
  return with_aligned(in, [&](std::span<const HostValue> aligned) {
    return std::visit([&](const auto& kind) { return run(kind, aligned, out); }, problem.kind);
  });
}

}  // namespace tenon::reference

extern "C" const tenon::engine::ReferenceApi* tenon_reference_api() {
  static constexpr tenon::engine::ReferenceApi kApi = {
      .run = [](const tenon::engine::Problem& problem, std::span<const tenon::HostValue> in, std::span<tenon::HostValue> out) {
        return tenon::reference::run(problem, in, out);
      }};
  return &kApi;
}
