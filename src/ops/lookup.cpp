#include "ops/lookup.h"

#include <map>

#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const Lookup&, std::span<const Fact> in, InferCtx&) {
  const DType key = in[1].dtype(), value = in[2].dtype();
  if (in[0].dtype() != key) return fail("x is {}, the keys are {}", to_string(in[0].dtype()), to_string(key));
  if (present(in, 3) && in[3].dtype() != value)
    return fail("the values are {}, what is given otherwise is {}", to_string(value), to_string(in[3].dtype()));
  if (is_complex(key)) return fail(ErrorKind::unsupported, "keys of type {}", to_string(key));
  return Facts{Fact(value, in[0].shape())};
}

namespace {

/// Equal for elements that are equal, whatever the width; all NaN are one.
std::string key_of(const Tensor& tensor, int64_t i) {
  if (tensor.dtype == DType::str) return tensor.as<std::string>()[static_cast<size_t>(i)];
  if (!is_float(tensor.dtype)) return strf("{}", element_as_int(tensor, i));
  const double number = element_as_double(tensor, i);
  return number != number ? "nan" : strf("{}", number == 0 ? 0.0 : number);
}

}  // namespace

Result<void> eval(const Lookup&, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor &x = in[0].tensor, &keys = in[1].tensor, &values = in[2].tensor;
  const Tensor* otherwise = present(in, 3) ? &in[3].tensor : nullptr;
  if (keys.elems() != values.elems()) return fail("{} keys for {} values", keys.elems(), values.elems());
  if (otherwise && otherwise->elems() != 1)
    return fail("what is given otherwise has shape {}, wanted one element", to_string(otherwise->dims));
  if (x.dtype != keys.dtype || (otherwise && otherwise->dtype != values.dtype) || is_complex(x.dtype))
    return fail("element types that do not fit");
  std::map<std::string, int64_t> rows;
  for (int64_t i = 0; i < keys.elems(); ++i) rows.emplace(key_of(keys, i), i);
  TENON_OK(prepare_output(out[0], values.dtype, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i) {
    const auto row = rows.find(key_of(x, i));
    if (row == rows.end() && !otherwise) return fail("'{}' is none of the {} keys", key_of(x, i), keys.elems());
    copy_elems(row == rows.end() ? *otherwise : values, row == rows.end() ? 0 : row->second, out[0].tensor, i, 1);
  }
  return {};
}

template OpRow make_row<Lookup>();

}  // namespace tenon::ops
