#include "ops/maps.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "ops/move.h"

namespace tenon::ops {
namespace {

Result<DType> element_of_map(const Fact& map) {
  if (map.type.kind != ValueType::Kind::map) return fail("wants a map, got {}", to_string(map.type));
  return map.type.element ? map.type.element->dtype : DType::none;
}

/// Keys as i64 or strings, and for each one value, all of one type.
Result<void> check_map(const HostValue& map) {
  if (map.kind != HostValue::Kind::map) return fail("wants a map");
  if (map.tensor.elems() != static_cast<int64_t>(map.items.size()))
    return fail("a map with {} keys and {} values", map.tensor.elems(), map.items.size());
  for (const HostValue& item : map.items) {
    if (item.kind != HostValue::Kind::tensor || item.tensor.elems() != 1) return fail("a value of a map is not one number or string");
    if (item.tensor.dtype != map.items[0].tensor.dtype) return fail("the values of a map are of several types");
  }
  return {};
}

template <class Key>
void put_words(const HostValue& map, const std::vector<Key>& words, Tensor& out) {
  std::map<Key, size_t> places;
  for (size_t i = 0; i < map.items.size(); ++i) places[map.tensor.as<Key>()[i]] = i;
  for (size_t i = 0; i < words.size(); ++i)
    if (const auto place = places.find(words[i]); place != places.end())
      copy_elems(map.items[place->second].tensor, 0, out, static_cast<int64_t>(i), 1);
}

/// One value of a map as an element of `out`.
Result<void> cast_value(const Tensor& value, Tensor& out, int64_t at) {
  const auto i = static_cast<size_t>(at);
  const bool text = value.dtype == DType::str;
  if (out.dtype == DType::str) {
    out.as<std::string>()[i] = text ? value.as<std::string>()[0] : strf("{:f}", element_as_double(value, 0));
    return {};
  }
  double number = 0;
  if (text) {
    const std::string& digits = value.as<std::string>()[0];
    if (out.dtype == DType::i64) {
      const char* begin = digits.c_str() + (digits.starts_with('+') ? 1 : 0);
      const auto read = std::from_chars(begin, digits.data() + digits.size(), out.as<int64_t>()[i]);
      return read.ec == std::errc() ? Result<void>() : fail("'{}' is no integer", digits);
    }
    char* end = nullptr;
    number = std::strtod(digits.c_str(), &end);
    if (end == digits.c_str()) return fail("'{}' is no number", digits);
  } else {
    number = element_as_double(value, 0);
  }
  if (out.dtype == DType::f32) out.as<float>()[i] = static_cast<float>(number);
  if (out.dtype == DType::i64) {
    if (!(std::abs(number) < 0x1p63)) return fail("{} is no 64-bit integer", number);
    out.as<int64_t>()[i] = static_cast<int64_t>(number);
  }
  return {};
}

}  // namespace

Result<Facts> infer(const DictVectorizer& op, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(element, element_of_map(in[0]));
  const DType key = op.strings.empty() ? DType::i64 : DType::str;
  if (in[0].dtype() != key) return fail("the words are {}, the keys {}", to_string(key), to_string(in[0].dtype()));
  const auto words = static_cast<int64_t>(op.strings.empty() ? op.ints.size() : op.strings.size());
  return Facts{Fact(element, Shape{Dim(words)})};
}

Result<void> eval(const DictVectorizer& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const HostValue& map = in[0];
  TENON_OK(check_map(map));
  const DType key = op.strings.empty() ? DType::i64 : DType::str;
  if (map.tensor.dtype != key) return fail("the words are {}, the keys {}", to_string(key), to_string(map.tensor.dtype));
  // An empty map does not know the type of its values; the plan does.
  const DType type = map.items.empty() ? out[0].tensor.dtype : map.items[0].tensor.dtype;
  const auto words = static_cast<int64_t>(op.strings.empty() ? op.ints.size() : op.strings.size());
  TENON_OK(prepare_output(out[0], type, {words}));
  clear(out[0].tensor);
  if (op.strings.empty()) put_words(map, op.ints, out[0].tensor);
  if (!op.strings.empty()) put_words(map, op.strings, out[0].tensor);
  return {};
}

Result<Facts> infer(const CastMap& op, std::span<const Fact> in, InferCtx& ctx) {
  TENON_OK(element_of_map(in[0]));
  if (in[0].dtype() != DType::i64) return fail("the keys are {}, wanted i64", to_string(in[0].dtype()));
  if (op.dtype != DType::f32 && op.dtype != DType::i64 && op.dtype != DType::str) return fail("a map of {}", to_string(op.dtype));
  if (op.size && *op.size < 0) return fail("{} values", *op.size);
  return Facts{Fact(op.dtype, Shape{Dim(1), op.size ? Dim(*op.size) : ctx.mint("keys")})};
}

Result<void> eval(const CastMap& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const HostValue& map = in[0];
  TENON_OK(check_map(map));
  if (map.tensor.dtype != DType::i64) return fail("the keys are {}, wanted i64", to_string(map.tensor.dtype));
  if (op.dtype != DType::f32 && op.dtype != DType::i64 && op.dtype != DType::str) return fail("a map of {}", to_string(op.dtype));
  if (op.size && *op.size < 0) return fail("{} values", *op.size);
  std::map<int64_t, size_t> sorted;
  for (size_t i = 0; i < map.items.size(); ++i) sorted[map.tensor.as<int64_t>()[i]] = i;
  TENON_OK(prepare_output(out[0], op.dtype, {1, op.size.value_or(static_cast<int64_t>(sorted.size()))}));
  Tensor& y = out[0].tensor;
  clear(y);
  int64_t rank = 0;
  for (const auto& [key, item] : sorted) {
    const int64_t at = op.size ? key : rank++;
    if (at >= 0 && at < y.elems()) TENON_OK(cast_value(map.items[item].tensor, y, at));
  }
  return {};
}

template OpRow make_row<CastMap>();
template OpRow make_row<DictVectorizer>();

}  // namespace tenon::ops
