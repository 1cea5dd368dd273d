#include "ops/zip_map.h"

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const ZipMap& op, std::span<const Fact> in, InferCtx&) {
  if (in[0].has_rank() && (in[0].rank() < 1 || in[0].rank() > 2))
    return fail("x must be [N, classes] or [classes], got {}", to_string(in[0].shape()));
  const DType key = op.strings.empty() ? DType::i64 : DType::str;
  return Facts{Fact(ValueType::sequence(ValueType::map(key, ValueType::tensor(in[0].dtype(), Shape{}))))};
}

Result<void> eval(const ZipMap& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  const size_t classes = op.strings.empty() ? op.ints.size() : op.strings.size();
  if (x.rank() < 1 || x.rank() > 2 || x.dims.back() != static_cast<int64_t>(classes))
    return fail("{} labels for {}", classes, to_string(x.dims));
  HostValue rows;
  rows.kind = HostValue::Kind::sequence;
  const Dims count{static_cast<int64_t>(classes)};
  for (int64_t n = 0; n < (x.rank() == 2 ? x.dims[0] : 1); ++n) {
    HostValue map;
    map.kind = HostValue::Kind::map;
    map.tensor =
        op.strings.empty() ? make_tensor<int64_t>(DType::i64, count, op.ints) : make_tensor<std::string>(DType::str, count, op.strings);
    for (size_t k = 0; k < classes; ++k) {
      TENON_TRY(value, Tensor::allocate(x.dtype, {}));
      copy_elems(x, n * count[0] + static_cast<int64_t>(k), value, 0, 1);
      map.items.emplace_back(std::move(value));
    }
    rows.items.push_back(std::move(map));
  }
  out[0] = std::move(rows);
  return {};
}

template OpRow make_row<ZipMap>();

}  // namespace tenon::ops
