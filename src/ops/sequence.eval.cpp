#include <algorithm>

#include "ops/concat.h"
#include "ops/move.h"
#include "ops/sequence.h"

namespace tenon::ops {
namespace {

Result<void> check_sequence(const HostValue& value) {
  if (value.kind == HostValue::Kind::sequence) return {};
  return fail("wants a sequence");
}

/// -count … count (- 1 where `past_end` is false).
Result<int64_t> position(const HostValue& at, int64_t count, bool past_end) {
  if (at.kind != HostValue::Kind::tensor) return fail("a position is no tensor");
  if (at.tensor.elems() != 1) return fail("a position has shape {}, wanted one element", to_string(at.tensor.dims));
  const int64_t index = element_as_int(at.tensor, 0), last = past_end ? count : count - 1;
  if (index < -count || index > last) return fail("position {} is outside [{}, {}]", index, -count, last);
  return index < 0 ? index + count : index;
}

HostValue sequence_of(std::vector<HostValue> items) {
  HostValue value;
  value.kind = HostValue::Kind::sequence;
  value.items = std::move(items);
  return value;
}

}  // namespace

Result<void> eval(const SequenceConstruct&, std::span<const HostValue> in, std::span<HostValue> out) {
  out[0] = sequence_of({in.begin(), in.end()});
  return {};
}
Result<void> eval(const SequenceEmpty&, std::span<const HostValue>, std::span<HostValue> out) {
  out[0] = sequence_of({});
  return {};
}
Result<void> eval(const SequenceAt&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_sequence(in[0]));
  TENON_TRY(at, position(in[1], static_cast<int64_t>(in[0].items.size()), false));
  const HostValue& item = in[0].items[static_cast<size_t>(at)];
  if (item.kind != HostValue::Kind::tensor) {
    out[0] = item;
    return {};
  }
  TENON_OK(prepare_output(out[0], item.tensor.dtype, item.tensor.dims));
  copy_all(item.tensor, out[0].tensor);
  return {};
}
Result<void> eval(const SequenceInsert&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_sequence(in[0]));
  std::vector<HostValue> items = in[0].items;
  auto at = static_cast<int64_t>(items.size());
  if (present(in, 2)) {
    TENON_TRY(given, position(in[2], at, true));
    at = given;
  }
  items.insert(items.begin() + at, in[1]);
  out[0] = sequence_of(std::move(items));
  return {};
}
Result<void> eval(const SequenceErase&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_sequence(in[0]));
  std::vector<HostValue> items = in[0].items;
  if (items.empty()) return fail("the sequence is empty");
  auto at = static_cast<int64_t>(items.size()) - 1;
  if (present(in, 1)) {
    TENON_TRY(given, position(in[1], at + 1, false));
    at = given;
  }
  items.erase(items.begin() + at);
  out[0] = sequence_of(std::move(items));
  return {};
}
Result<void> eval(const SequenceLength&, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_sequence(in[0]));
  TENON_OK(prepare_output(out[0], DType::i64, {}));
  out[0].tensor.as<int64_t>()[0] = static_cast<int64_t>(in[0].items.size());
  return {};
}

Result<void> eval(const SplitToSequence& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  TENON_TRY(axis, normalize_axis(op.axis, x.rank()));
  const int64_t total = x.dims[static_cast<size_t>(axis)];
  Dims sizes;
  if (!present(in, 1)) {
    sizes.assign(static_cast<size_t>(total), 1);
  } else if (in[1].tensor.rank() == 0) {
    const int64_t each = element_as_int(in[1].tensor, 0);
    if (each <= 0) return fail("a piece of {} elements", each);
    for (int64_t at = 0; at < total; at += each) sizes.push_back(std::min(each, total - at));
  } else {
    sizes = ints_of(in[1].tensor);
  }
  int64_t sum = 0;
  for (const int64_t size : sizes) {
    if (size < 0 || size > total - sum) return fail("pieces {} of {} elements", to_string(sizes), total);
    sum += size;
  }
  if (sum != total) return fail("pieces {} of {} elements", to_string(sizes), total);
  const int64_t outer = elems_before(x.dims, axis), inner = elems_after(x.dims, axis);
  std::vector<HostValue> items;
  int64_t first = 0;
  for (const int64_t size : sizes) {
    Dims dims = x.dims;
    dims[static_cast<size_t>(axis)] = size;
    if (!present(in, 1) && !op.keepdims) dims.erase(dims.begin() + axis);
    TENON_TRY(piece, Tensor::allocate(x.dtype, dims));
    for (int64_t i = 0; i < outer; ++i) copy_elems(x, (i * total + first) * inner, piece, i * size * inner, size * inner);
    items.emplace_back(std::move(piece));
    first += size;
  }
  out[0] = sequence_of(std::move(items));
  return {};
}

Result<void> eval(const ConcatFromSequence& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_sequence(in[0]));
  std::vector<HostValue> items = in[0].items;
  if (items.empty()) return fail("the sequence is empty");
  for (HostValue& item : items) {
    if (item.kind != HostValue::Kind::tensor) return fail("wants a sequence of tensors");
    if (!op.new_axis) continue;
    TENON_TRY(axis, normalize_axis(op.axis, item.tensor.rank() + 1));
    item.tensor.dims.insert(item.tensor.dims.begin() + axis, 1);
  }
  return eval(Concat{.axis = op.axis}, items, out);
}

}  // namespace tenon::ops
