// If, Loop and Scan: bodies become isolated regions, what they use from around them trailing inputs.
#include "onnx/node_import.h"
#include "ops/if.h"
#include "ops/loop.h"
#include "ops/regions.h"
#include "ops/scan.h"

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

Result<Values> import_scan(NodeImport& n) {
  const GraphView* body = body_of(n, "body");
  if (n.opset() < 9) n.unsupported("the batched Scan of opset 8; convert the model to opset 9 or newer");
  ops::Scan op{.num_scan_inputs = n.required_int("num_scan_inputs")};
  op.scan_input_axes = n.ints_attr("scan_input_axes");
  op.scan_input_directions = n.ints_attr("scan_input_directions");
  op.scan_output_axes = n.ints_attr("scan_output_axes");
  op.scan_output_directions = n.ints_attr("scan_output_directions");
  const auto total = static_cast<int64_t>(n.input_count());
  if (op.num_scan_inputs < 1 || op.num_scan_inputs > total) n.refuse("num_scan_inputs is {} of {} inputs", op.num_scan_inputs, total);
  if (!op.scan_input_axes.empty() && static_cast<int64_t>(op.scan_input_axes.size()) != op.num_scan_inputs)
    n.refuse("{} scan_input_axes for {} scanned inputs", op.scan_input_axes.size(), op.num_scan_inputs);
  if (n.failed()) return Values{};
  const NodeImport::Captures captures = n.captures({body});
  op.captures = static_cast<int64_t>(captures.values.size());
  std::vector<ops::Carried> carried;
  Facts slices;
  const auto states = static_cast<size_t>(total - op.num_scan_inputs);
  for (size_t i = 0; i < n.input_count(); ++i) {
    const Fact& fact = n.fact(n.required(i, "a state or scanned value"));
    if (i < states) {
      carried.emplace_back(fact);
      continue;
    }
    Shape slice = fact.shape();
    if (slice.has_rank()) {
      const int64_t axis = n.axis(op.scan_input_axes.empty() ? 0 : op.scan_input_axes[i - states], slice.rank());
      if (n.failed()) return Values{};
      slice.dims().erase(slice.dims().begin() + axis);
    }
    slices.emplace_back(fact.dtype(), std::move(slice));
  }
  const GraphId region = import_settled(n, *body, carried, {}, slices, 0, captures);
  if (n.failed()) return Values{};
  Values in = joined(n.inputs(), captures.values);
  return n.emit_op(ops::make_op(std::move(op)), std::move(in), {region}, body->outputs.size());
}

}  // namespace tenon::onnx
