// If, Loop and Scan: bodies become isolated regions, what they use from around them trailing inputs.
#include "onnx/import_attrs.h"
#include "ops/concat.h"
#include "ops/if.h"
#include "ops/loop.h"
#include "ops/pad.h"
#include "ops/regions.h"
#include "ops/reshape.h"
#include "ops/scan.h"
#include "ops/slice.h"

namespace tenon::onnx {
namespace {

const GraphView* body_of(NodeImport& n, std::string_view name) {
  const AttributeView* attribute = n.attr(name);
  if (attribute && attribute->graph()) return attribute->graph();
  n.refuse("attribute '{}' is missing", name);
  return nullptr;
}

/// Imports a body whose carried values may change shape: again with looser facts until a step gives back what it takes, as what is
/// imported may lean on ranks and dims. `first`, `last`: facts of the inputs before and behind the carried ones.
GraphId import_settled(NodeImport& n, const GraphView& body, std::vector<ops::Carried>& carried, const Facts& first, const Facts& last,
                       size_t skip, const NodeImport::Captures& captures) {
  const size_t graphs = n.module().graphs.size();
  InferCtx ctx;
  ctx.symbols = &n.module().symbols;
  GraphId region = GraphId::none;
  ctx.region = [&](int, const Facts& in) -> Result<Facts> {
    n.drop_regions(graphs);
    region = n.region(body, in, captures);
    if (n.failed()) return *n.error();
    Facts out;
    for (const ir::Port& port : n.module()[region].outputs) out.push_back(n.module()[region][port.value].fact);
    return out;
  };
  auto settled = ops::settle(carried, first, last, skip, ctx);
  if (!settled.ok()) n.refuse(std::move(settled.error()));
  return region;
}

Values joined(Values in, const Values& captures) {
  in.insert(in.end(), captures.begin(), captures.end());
  return in;
}

}  // namespace

Result<Values> import_if(NodeImport& n) {
  const GraphView* then = body_of(n, "then_branch");
  const GraphView* otherwise = body_of(n, "else_branch");
  const ValueId condition = n.required(0, "cond");
  if (n.failed()) return Values{};
  const NodeImport::Captures captures = n.captures({then, otherwise});
  const std::vector<GraphId> regions{n.region(*then, {}, captures), n.region(*otherwise, {}, captures)};
  if (n.failed()) return Values{};
  const ops::If op{.captures = static_cast<int64_t>(captures.values.size())};
  return n.emit_op(ops::make_op(op), joined({condition}, captures.values), regions, then->outputs.size());
}

Result<Values> import_loop(NodeImport& n) {
  const GraphView* body = body_of(n, "body");
  if (n.failed()) return Values{};
  const NodeImport::Captures captures = n.captures({body});
  Values in{n.input(0), n.input(1)};
  std::vector<ops::Carried> carried;
  for (size_t i = 2; i < n.input_count(); ++i) {
    in.push_back(n.required(i, "a carried value"));
    carried.emplace_back(n.fact(in.back()));
  }
  Fact condition(DType::boolean, Shape{});
  condition.elems = {Dim(1)};  // a body runs only while it holds
  const GraphId region = import_settled(n, *body, carried, {Fact(DType::i64, Shape{}), condition}, {}, 1, captures);
  if (n.failed()) return Values{};
  if (body->outputs.empty()) n.refuse("body '{}' gives no condition", body->name);
  const ops::Loop op{.captures = static_cast<int64_t>(captures.values.size())};
  return n.emit_op(ops::make_op(op), joined(std::move(in), captures.values), {region}, body->outputs.size() - 1);
}

namespace {

/// The scan of a body over `in`: states, then what is scanned. Its outputs: states, then one element of each step, stacked.
Values scan(NodeImport& n, const GraphView& body, ops::Scan op, const Values& in, const NodeImport::Captures& captures) {
  op.captures = static_cast<int64_t>(captures.values.size());
  std::vector<ops::Carried> carried;
  Facts slices;
  const size_t states = in.size() - static_cast<size_t>(op.num_scan_inputs);
  for (size_t i = 0; i < in.size(); ++i) {
    const Fact& fact = n.fact(in[i]);
    if (i < states) {
      carried.emplace_back(fact);
      continue;
    }
    Shape slice = fact.shape();
    if (slice.has_rank()) {
      const int64_t axis = n.axis(op.scan_input_axes.empty() ? 0 : op.scan_input_axes[i - states], slice.rank());
      if (n.failed()) return {};
      slice.dims().erase(slice.dims().begin() + axis);
    }
    slices.emplace_back(fact.dtype(), std::move(slice));
  }
  const GraphId region = import_settled(n, body, carried, {}, slices, 0, captures);
  if (n.failed()) return {};
  return n.emit_op(ops::make_op(std::move(op)), joined(in, captures.values), {region}, body.outputs.size());
}

/// How far x reaches along its first dim, and zeros from there on: [steps, ...] → [length, ...].
ValueId lengthened(NodeImport& n, ValueId x, ValueId length) {
  const int64_t rank = n.rank(x);
  const ValueId missing = n.pointwise({length, dim_of(n, x, 0)}, [](const std::vector<Term>& t) { return t[0] - t[1]; });
  const Dims before(static_cast<size_t>(rank), 0), after(static_cast<size_t>(std::max<int64_t>(rank - 1, 0)), 0);
  return n.emit(ops::Pad{}, {x, n.emit(ops::Concat{.axis = 0}, {n.int_list(before), missing, n.int_list(after)})});
}

/// Scan of opset 8 has a batch before the steps, and a length for each of its elements: a scan over the batch of scans over the steps.
Values batched_scan(NodeImport& n, const GraphView& body, ops::Scan op) {
  op.scan_input_directions = n.ints_attr("directions");
  const NodeImport::Captures captures = n.captures({&body});
  Values in(n.inputs().begin() + 1, n.inputs().end());
  const size_t states = in.size() - static_cast<size_t>(op.num_scan_inputs);
  if (n.has_input(0)) in.push_back(n.cast(n.input(0), DType::i64));
  Facts formals;
  for (const ValueId value : in) {
    Shape slice = n.fact(value).shape();
    if (slice.has_rank() && slice.rank() == 0) n.refuse("its inputs have a batch as their first dim, one has no dims");
    if (n.failed()) return {};
    if (slice.has_rank()) slice.dims().erase(slice.dims().begin());
    formals.emplace_back(n.dtype(value), std::move(slice));
  }
  for (const ValueId value : captures.values) formals.push_back(n.fact(value));
  const GraphId region = n.write_region("batch", formals, [&](NodeImport& one, const Values& given) {
    const auto captured = given.begin() + static_cast<std::ptrdiff_t>(in.size());
    Values inner(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(n.input_count() - 1));
    ValueId steps = ValueId::none;
    if (n.has_input(0)) {
      steps = dim_of(one, inner[states], 0);
      const ValueId length = one.emit(ops::Unsqueeze{.axes = {0}}, {given[inner.size()]});
      for (size_t i = states; i < inner.size(); ++i)
        inner[i] = one.emit(ops::Slice{}, {inner[i], one.int_list({0}), length, one.int_list({0})});
    }
    Values out = scan(one, body, op, inner, {captures.names, {captured, given.end()}});
    for (size_t i = states; i < out.size() && steps != ValueId::none; ++i) out[i] = lengthened(one, out[i], steps);
    return out;
  });
  if (n.failed()) return {};
  const ops::Scan outer{.num_scan_inputs = static_cast<int64_t>(in.size()), .captures = static_cast<int64_t>(captures.values.size())};
  return n.emit_op(ops::make_op(outer), joined(in, captures.values), {region}, body.outputs.size());
}

}  // namespace

Result<Values> import_scan(NodeImport& n) {
  const GraphView* body = body_of(n, "body");
  ops::Scan op{.num_scan_inputs = n.required_int("num_scan_inputs")};
  const auto total = static_cast<int64_t>(n.input_count()) - (n.opset() < 9 ? 1 : 0);
  if (op.num_scan_inputs < 1 || op.num_scan_inputs > total) n.refuse("num_scan_inputs is {} of {} inputs", op.num_scan_inputs, total);
  if (n.failed()) return Values{};
  if (n.opset() < 9) return batched_scan(n, *body, std::move(op));
  op.scan_input_axes = n.ints_attr("scan_input_axes");
  op.scan_input_directions = n.ints_attr("scan_input_directions");
  op.scan_output_axes = n.ints_attr("scan_output_axes");
  op.scan_output_directions = n.ints_attr("scan_output_directions");
  if (!op.scan_input_axes.empty() && static_cast<int64_t>(op.scan_input_axes.size()) != op.num_scan_inputs)
    n.refuse("{} scan_input_axes for {} scanned inputs", op.scan_input_axes.size(), op.num_scan_inputs);
  for (size_t i = 0; i < n.input_count(); ++i) (void)n.required(i, "a state or scanned value");
  if (n.failed()) return Values{};
  return scan(n, *body, std::move(op), n.inputs(), n.captures({body}));
}

}  // namespace tenon::onnx
