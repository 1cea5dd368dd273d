#include "ops/sequence.h"

#include "ops/regions.h"

namespace tenon::ops {
namespace {

Result<ValueType> element_of(const Fact& sequence) {
  if (sequence.type.kind != ValueType::Kind::sequence) return fail("wants a sequence, got {}", to_string(sequence.type));
  return sequence.type.element ? *sequence.type.element : ValueType();
}

}  // namespace

Result<Facts> infer(const SequenceConstruct&, std::span<const Fact> in, InferCtx&) {
  if (in.empty()) return fail("takes at least one input");
  ValueType element = in[0].type;
  for (const Fact& x : in) {
    if (x.dtype() != in[0].dtype()) return fail("elements of types {} and {}", to_string(element), to_string(x.type));
    element = join_types(element, x.type);
  }
  return Facts{Fact(ValueType::sequence(std::move(element)))};
}
Result<Facts> infer(const SequenceEmpty& op, std::span<const Fact>, InferCtx&) {
  return Facts{Fact(ValueType::sequence(ValueType::tensor(op.dtype, Shape::unknown())))};
}
Result<Facts> infer(const SequenceAt&, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(element, element_of(in[0]));
  return Facts{Fact(element)};
}
Result<Facts> infer(const SequenceInsert&, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(element, element_of(in[0]));
  return Facts{Fact(ValueType::sequence(join_types(element, in[1].type)))};
}
Result<Facts> infer(const SequenceErase&, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(element, element_of(in[0]));
  return Facts{Fact(ValueType::sequence(element))};
}
Result<Facts> infer(const SequenceLength&, std::span<const Fact> in, InferCtx&) {
  TENON_OK(element_of(in[0]));
  return Facts{Fact(DType::i64, Shape{})};
}

Result<Facts> infer(const SplitToSequence& op, std::span<const Fact> in, InferCtx&) {
  const Fact& x = in[0];
  ValueType element = ValueType::tensor(x.dtype(), Shape::unknown());
  if (!x.has_rank()) return Facts{Fact(ValueType::sequence(std::move(element)))};
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  std::vector<Dim> dims = x.shape().dims();
  const bool split = in.size() > 1 && in[1].dtype() != DType::none;
  if (!split) {
    if (op.keepdims) dims[static_cast<size_t>(axis)] = Dim(1);
    if (!op.keepdims) dims.erase(dims.begin() + axis);
    element.shape = Shape(std::move(dims));
  } else if (const auto sizes = in[1].ints(); sizes && !sizes->empty()) {
    // One length may leave a shorter rest; a list of equal lengths does not.
    const bool divides =
        in[1].has_rank() && in[1].rank() == 0 ? (*sizes)[0] > 0 && exact_div(x.shape()[axis], Dim((*sizes)[0])).has_value() : true;
    bool equal = divides;
    for (const int64_t size : *sizes) equal = equal && size == (*sizes)[0];
    if (equal) {
      dims[static_cast<size_t>(axis)] = Dim((*sizes)[0]);
      element.shape = Shape(std::move(dims));
    }
  }
  return Facts{Fact(ValueType::sequence(std::move(element)))};
}

Result<Facts> infer(const ConcatFromSequence& op, std::span<const Fact> in, InferCtx& ctx) {
  TENON_TRY(element, element_of(in[0]));
  if (!element.shape.has_rank()) return Facts{Fact(element.dtype, Shape::unknown())};
  std::vector<Dim> dims = element.shape.dims();
  TENON_TRY(axis, normalize_axis(op.axis, static_cast<int64_t>(dims.size()) + (op.new_axis ? 1 : 0)));
  if (op.new_axis) dims.insert(dims.begin() + axis, Dim(0));
  dims[static_cast<size_t>(axis)] = ctx.mint("sequence");
  return Facts{Fact(element.dtype, Shape(std::move(dims)))};
}

template OpRow make_row<ConcatFromSequence>();
template OpRow make_row<SequenceAt>();
template OpRow make_row<SequenceConstruct>();
template OpRow make_row<SequenceEmpty>();
template OpRow make_row<SequenceErase>();
template OpRow make_row<SequenceInsert>();
template OpRow make_row<SequenceLength>();
template OpRow make_row<SplitToSequence>();

}  // namespace tenon::ops
