#include "values.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace tenon::cli {
namespace {

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// In [-1, 1), exact in 32-bit floats.
  float unit() { return static_cast<float>(static_cast<int64_t>(next() >> 40) - (int64_t{1} << 23)) * 0x1p-23f; }

 private:
  uint64_t state_;
};

Result<Tensor> random_tensor(DType dtype, const Dims& dims, Random& random) {
  TENON_TRY(elems, checked_elems(dims));
  if (dtype == DType::str) {
    TENON_TRY(out, Tensor::allocate(dtype, dims));
    for (std::string& s : out.as<std::string>()) s = strf("s{}", random.next() >> 62);
    return std::move(out);
  }
  if (is_complex(dtype)) {
    TENON_TRY(out, Tensor::allocate(dtype, dims));
    for (int64_t i = 0; i < 2 * elems; ++i) {
      const float value = random.unit();
      if (dtype == DType::c64) reinterpret_cast<float*>(out.data)[i] = value;
      if (dtype == DType::c128) reinterpret_cast<double*>(out.data)[i] = value;
    }
    return std::move(out);
  }
  if (is_float(dtype)) {
    TENON_TRY(wide, Tensor::allocate(DType::f32, dims));
    for (float& x : wide.as<float>()) x = random.unit();
    return convert(wide, dtype);
  }
  TENON_TRY(wide, Tensor::allocate(DType::i64, dims));
  const int shift = dtype == DType::boolean || dtype == DType::i2 || dtype == DType::u2 ? 63 : 62;
  for (int64_t& x : wide.as<int64_t>()) x = static_cast<int64_t>(random.next() >> shift);
  return convert(wide, dtype);
}

Result<HostValue> random_value(const ValueType& type, const Dims& dims, Random& random) {
  HostValue out;
  switch (type.kind) {
    case ValueType::Kind::tensor: {
      TENON_TRY(tensor, random_tensor(type.dtype, dims, random));
      return HostValue(std::move(tensor));
    }
    case ValueType::Kind::sequence:
    case ValueType::Kind::optional: {
      const bool sequence = type.kind == ValueType::Kind::sequence;
      out.kind = sequence ? HostValue::Kind::sequence : HostValue::Kind::optional;
      if (!type.element) return fail("its element type is unknown");
      for (int i = 0; i < (sequence ? 2 : 1); ++i) {
        TENON_TRY(item, random_value(*type.element, dims, random));
        out.items.push_back(std::move(item));
      }
      return out;
    }
    case ValueType::Kind::map: break;
  }
  return fail(ErrorKind::unsupported, "no random values are made for maps");
}

const ValueType& innermost(const ValueType& type) { return type.element ? innermost(*type.element) : type; }

}  // namespace

Result<HostValue> random_value(const ValueType& type, const Dims& dims, uint64_t seed, std::string_view name) {
  Random random(seed ^ hash_bytes(view_of(name)));
  auto out = random_value(type, dims, random);
  if (!out.ok()) return std::move(out.error()).within(strf("input '{}'", name));
  return out;
}

Result<Dims> dims_for(const ValueType& type, const DimValues& symbols) {
  const Shape& shape = innermost(type).shape;
  if (!shape.has_rank()) return fail("its rank is unknown: give --shape NAME=AxB");
  Dims out;
  for (const Dim& dim : shape.dims()) {
    const auto value = evaluate(dim, symbols);
    out.push_back(value.ok() && *value >= 0 ? *value : 1);
  }
  return out;
}

void bind_symbols(const ValueType& type, const Dims& dims, DimValues& symbols) {
  if (!type.is_tensor() || !type.shape.has_rank() || type.shape.rank() != static_cast<int64_t>(dims.size())) return;
  for (size_t d = 0; d < dims.size(); ++d)
    if (const auto symbol = type.shape[static_cast<int64_t>(d)].as_symbol()) symbols.try_emplace(std::string(*symbol), dims[d]);
}

std::string element_text(const Tensor& tensor, int64_t index) {
  switch (tensor.dtype) {
    case DType::none: return "";
    case DType::str: return quote(tensor.as<std::string>()[static_cast<size_t>(index)]);
    case DType::boolean: return element_as_int(tensor, index) ? "true" : "false";
    case DType::u64: return strf("{}", tensor.as<uint64_t>()[static_cast<size_t>(index)]);
    case DType::f64: return strf("{:.12g}", tensor.as<double>()[static_cast<size_t>(index)]);
    case DType::c64: {
      const float* at = reinterpret_cast<const float*>(tensor.data) + 2 * index;
      return strf("({:.6g}{:+.6g}j)", at[0], at[1]);
    }
    case DType::c128: {
      const double* at = reinterpret_cast<const double*>(tensor.data) + 2 * index;
      return strf("({:.12g}{:+.12g}j)", at[0], at[1]);
    }
    default: return is_float(tensor.dtype) ? strf("{:.6g}", element_as_double(tensor, index)) : strf("{}", element_as_int(tensor, index));
  }
}

std::string value_text(const HostValue& value, int64_t count) {
  const auto list = [&] {
    std::string out;
    for (size_t i = 0; i < value.items.size() && static_cast<int64_t>(i) < count; ++i)
      out += (i ? ", " : "") + value_text(value.items[i], count);
    return out + (static_cast<int64_t>(value.items.size()) > count ? ", …" : "");
  };
  switch (value.kind) {
    case HostValue::Kind::absent: return "absent";
    case HostValue::Kind::tensor: {
      const Tensor& tensor = value.tensor;
      std::string out = std::string(to_string(tensor.dtype)) + to_string(tensor.dims);
      for (int64_t i = 0; i < std::min(count, tensor.elems()); ++i) out += " " + element_text(tensor, i);
      return out + (tensor.elems() > count ? " …" : "");
    }
    case HostValue::Kind::sequence: return strf("sequence of {}: ({})", value.items.size(), list());
    case HostValue::Kind::optional: return value.items.empty() ? "optional, empty" : "optional " + value_text(value.items[0], count);
    case HostValue::Kind::map:
      return strf("map of {} with keys {} and values ({})", value.items.size(), value_text(value.tensor, count), list());
  }
  return "";
}

Json value_json(const HostValue& value, int64_t count) {
  Json out;
  if (value.kind == HostValue::Kind::absent) return {{"kind", "absent"}};
  if (value.kind == HostValue::Kind::tensor) {
    const Tensor& tensor = value.tensor;
    out = {{"kind", "tensor"}, {"type", to_string(tensor.dtype)}, {"shape", dims_json(tensor.dims)}, {"first_values", Json::array()}};
    for (int64_t i = 0; i < std::min(count, tensor.elems()); ++i) {
      Json& list = out["first_values"];
      if (tensor.dtype == DType::str) {
        list.push_back(tensor.as<std::string>()[static_cast<size_t>(i)]);
      } else if (tensor.dtype == DType::boolean) {
        list.push_back(element_as_int(tensor, i) != 0);
      } else if (is_float(tensor.dtype) && std::isfinite(element_as_double(tensor, i))) {
        list.push_back(element_as_double(tensor, i));
      } else if (is_int(tensor.dtype) && tensor.dtype != DType::u64) {
        list.push_back(element_as_int(tensor, i));
      } else {
        list.push_back(element_text(tensor, i));  // what JSON has no number for
      }
    }
    return out;
  }
  const bool sequence = value.kind == HostValue::Kind::sequence;
  out = {{"kind", sequence ? "sequence" : value.kind == HostValue::Kind::map ? "map" : "optional"}, {"elements", Json::array()}};
  for (const HostValue& item : value.items) out["elements"].push_back(value_json(item, count));
  if (value.kind == HostValue::Kind::map) out["keys"] = value_json(value.tensor, count);
  return out;
}

namespace {

/// Difference of two numbers against the tolerance; infinities must agree, NaN equals NaN.
bool close(double got, double wanted, const Tolerance& tolerance) {
  if (got == wanted || (got != got && wanted != wanted)) return true;
  return std::isfinite(got) && std::isfinite(wanted) && std::abs(got - wanted) <= tolerance.atol + tolerance.rtol * std::abs(wanted);
}

std::string index_text(int64_t flat, const Dims& dims) {
  Dims index(dims.size());
  for (size_t d = dims.size(); d-- > 0;) {
    index[d] = flat % dims[d];
    flat /= dims[d];
  }
  return to_string(index);
}

std::optional<std::string> tensor_difference(const Tensor& got, const Tensor& wanted, Tolerance tolerance) {
  if (got.dtype != wanted.dtype) return strf("type: got {}, wanted {}", to_string(got.dtype), to_string(wanted.dtype));
  if (got.dims != wanted.dims) return strf("shape: got {}, wanted {}", to_string(got.dims), to_string(wanted.dims));
  if (got.dtype == DType::f16) tolerance.rtol = tolerance.f16_rtol;
  if (got.dtype == DType::bf16) tolerance.rtol = tolerance.bf16_rtol;
  const auto part = [](const Tensor& tensor, int64_t i) {  // of a complex number
    return tensor.dtype == DType::c64 ? static_cast<double>(reinterpret_cast<const float*>(tensor.data)[i])
                                      : reinterpret_cast<const double*>(tensor.data)[i];
  };
  const auto same = [&](int64_t i) {
    if (got.dtype == DType::str) return got.as<std::string>()[static_cast<size_t>(i)] == wanted.as<std::string>()[static_cast<size_t>(i)];
    if (is_complex(got.dtype))
      return close(part(got, 2 * i), part(wanted, 2 * i), tolerance) && close(part(got, 2 * i + 1), part(wanted, 2 * i + 1), tolerance);
    if (is_float(got.dtype)) return close(element_as_double(got, i), element_as_double(wanted, i), tolerance);
    return element_as_int(got, i) == element_as_int(wanted, i);
  };
  int64_t first = -1, count = 0;
  double largest = 0;
  for (int64_t i = 0; i < got.elems(); ++i) {
    if (same(i)) continue;
    if (first < 0) first = i;
    ++count;
    if (is_float(got.dtype)) largest = std::max(largest, std::abs(element_as_double(got, i) - element_as_double(wanted, i)));
  }
  if (first < 0) return std::nullopt;
  std::string out = strf("index {}: got {}, wanted {} ({} of {} elements differ", index_text(first, got.dims), element_text(got, first),
                         element_text(wanted, first), count, got.elems());
  return out + (largest > 0 ? strf(", the largest difference is {:.3g})", largest) : ")");
}

std::string_view kind_name(HostValue::Kind kind) {
  constexpr std::string_view kNames[] = {"absent", "a tensor", "a sequence", "an optional", "a map"};
  return kNames[static_cast<size_t>(kind)];
}

bool is_empty(const HostValue& value) {
  return value.kind == HostValue::Kind::absent || (value.kind == HostValue::Kind::optional && value.items.empty());
}

}  // namespace

std::optional<std::string> first_difference(const HostValue& got, const HostValue& wanted, const Tolerance& tolerance) {
  if (is_empty(got) && is_empty(wanted)) return std::nullopt;
  if (got.kind != wanted.kind) return strf("got {}, wanted {}", kind_name(got.kind), kind_name(wanted.kind));
  if (got.kind == HostValue::Kind::tensor) return tensor_difference(got.tensor, wanted.tensor, tolerance);
  if (got.kind == HostValue::Kind::map)
    if (const auto keys = tensor_difference(got.tensor, wanted.tensor, tolerance)) return "keys: " + *keys;
  if (got.items.size() != wanted.items.size()) return strf("got {} elements, wanted {}", got.items.size(), wanted.items.size());
  for (size_t i = 0; i < got.items.size(); ++i)
    if (const auto item = first_difference(got.items[i], wanted.items[i], tolerance)) return strf("element {}: {}", i, *item);
  return std::nullopt;
}

}  // namespace tenon::cli
