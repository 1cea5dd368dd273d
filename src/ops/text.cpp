#include "ops/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>

#include "ops/move.h"
#include "tensor/convert.h"

namespace tenon::ops {
namespace {

Result<void> check_strings(std::span<const HostValue> in) {
  for (const HostValue& value : in)
    if (value.tensor.dtype != DType::str) return fail("wants strings, got {}", to_string(value.tensor.dtype));
  return {};
}

/// Calls body(a, b, i) for the broadcast elements of two tensors.
template <class Body>
Result<void> broadcast(std::span<const HostValue> in, DType dtype, HostValue& out, Body body) {
  TENON_OK(check_strings(in.first(2)));
  TENON_TRY(dims, broadcast_dims(in[0].tensor.dims, in[1].tensor.dims));
  TENON_OK(prepare_output(out, dtype, dims));
  Dims strides[2];
  for (size_t k = 0; k < 2; ++k) {  // 0 along dims that broadcast
    const Dims& own = in[k].tensor.dims;
    Dims dense = strides_of(own);
    strides[k].assign(dims.size() - own.size(), 0);
    for (size_t d = 0; d < own.size(); ++d) strides[k].push_back(own[d] == 1 ? 0 : dense[d]);
  }
  size_t i = 0;
  for (Odometer at(dims); at.inside(); at.next(), ++i)
    body(in[0].tensor.as<std::string>()[static_cast<size_t>(at.dot(strides[0]))],
         in[1].tensor.as<std::string>()[static_cast<size_t>(at.dot(strides[1]))], i);
  return {};
}

/// ASCII letters; others stay, as no locale is portable.
std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}
std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::vector<std::string> pieces_of(const StringSplit& op, const std::string& text) {
  std::vector<std::string> pieces;
  const bool spaces = !op.delimiter || op.delimiter->empty();
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  size_t at = 0;
  while (true) {
    while (spaces && at < text.size() && is_space(text[at])) ++at;
    if (spaces && at == text.size()) break;
    size_t end = at;
    if (op.maxsplit && static_cast<int64_t>(pieces.size()) >= *op.maxsplit) {
      end = text.size();
    } else if (spaces) {
      while (end < text.size() && !is_space(text[end])) ++end;
    } else {
      end = std::min(text.find(*op.delimiter, at), text.size());
    }
    pieces.push_back(text.substr(at, end - at));
    if (end == text.size()) break;
    at = end + (spaces ? 1 : op.delimiter->size());
  }
  if (!spaces && text.empty()) pieces.clear();
  return pieces;
}

/// The shortest text that reads back as the number, spelled as NumPy does, which the standard's cases have.
template <class T>
std::string text_of(T number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const T size = std::fabs(number);
  const bool plain = size == 0 || (size >= T(1e-4) && size < T(1e16));
  char text[64];
  const auto end = std::to_chars(text, std::end(text), number, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  std::string out(text, end);
  if (plain && out.find('.') == std::string::npos) out += ".0";
  return out;
}
std::string text_of(const Tensor& x, int64_t i) {
  if (x.dtype == DType::boolean) return element_as_int(x, i) ? "True" : "False";
  if (x.dtype == DType::u64) return strf("{}", x.as<uint64_t>()[static_cast<size_t>(i)]);
  if (x.dtype == DType::f64) return text_of(x.as<double>()[static_cast<size_t>(i)]);
  return is_float(x.dtype) ? text_of(static_cast<float>(element_as_double(x, i))) : strf("{}", element_as_int(x, i));
}

/// All of a text as a number; nothing if it is none.
template <class T>
std::optional<T> read_number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
  return text.size() > 1 && text[0] == '+' && text[1] != '-' ? text.substr(1) : text;
}

/// In 64 bits, the widest of its kind: an integer if the text is one and integers are wanted.
Result<Tensor> number_of(const std::string& text, DType to) {
  const std::string_view number = trimmed(text);
  if (!is_float(to)) {
    if (const auto whole = read_number<int64_t>(number)) return make_tensor<int64_t>(DType::i64, {}, std::span(&*whole, 1));
    if (const auto whole = read_number<uint64_t>(number)) return make_tensor<uint64_t>(DType::u64, {}, std::span(&*whole, 1));
    const std::string word = lower(text);
    if (to == DType::boolean && (word == "true" || word == "false")) return scalar_tensor(DType::i64, word == "true" ? 1 : 0);
  }
  if (to != DType::f64) {  // one rounding, of the text
    if (const auto real = read_number<float>(number)) return scalar_tensor(DType::f32, static_cast<double>(*real));
  }
  if (const auto real = read_number<double>(number)) return scalar_tensor(DType::f64, *real);
  return fail("'{}' is no number that {} has", text, to_string(to));
}

}  // namespace

Result<Facts> infer(const StringCast& op, std::span<const Fact> in, InferCtx&) {
  const DType from = in[0].dtype();
  if (from != DType::none && (from == DType::str) == (op.to == DType::str))
    return fail("from {} to {}: one of the two must be str", to_string(from), to_string(op.to));
  if (op.to == DType::none || is_complex(op.to) || is_complex(from)) return fail("strings become real numbers, and real numbers strings");
  return Facts{Fact(op.to, in[0].shape())};
}
Result<Facts> infer(const StringConcat&, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(shape, broadcast_shapes(in[0].shape(), in[1].shape()));
  return Facts{Fact(DType::str, shape)};
}
Result<Facts> infer(const StringEqual&, std::span<const Fact> in, InferCtx&) {
  TENON_TRY(shape, broadcast_shapes(in[0].shape(), in[1].shape()));
  return Facts{Fact(DType::boolean, shape)};
}
Result<Facts> infer(const StringNormalizer& op, std::span<const Fact> in, InferCtx& ctx) {
  const Fact& x = in[0];
  if (!x.has_rank() || op.stopwords.empty()) return Facts{Fact(DType::str, x.shape())};
  if (x.rank() < 1 || x.rank() > 2) return fail("x must be [n] or [1, n], got {}", to_string(x.shape()));
  Shape shape = x.shape();
  shape[x.rank() - 1] = ctx.mint("words");
  return Facts{Fact(DType::str, std::move(shape))};
}
Result<Facts> infer(const StringSplit&, std::span<const Fact> in, InferCtx& ctx) {
  Shape shape = in[0].shape();
  if (shape.has_rank()) shape.dims().push_back(ctx.mint("pieces"));
  return Facts{Fact(DType::str, std::move(shape)), Fact(DType::i64, in[0].shape())};
}
Result<Facts> infer(const RegexFullMatch&, std::span<const Fact> in, InferCtx&) { return Facts{Fact(DType::boolean, in[0].shape())}; }

Result<void> eval(const StringCast& op, std::span<const HostValue> in, std::span<HostValue> out) {
  const Tensor& x = in[0].tensor;
  if ((x.dtype == DType::str) == (op.to == DType::str) || is_complex(x.dtype) || is_complex(op.to))
    return fail("from {} to {}", to_string(x.dtype), to_string(op.to));
  TENON_OK(prepare_output(out[0], op.to, x.dims));
  for (int64_t i = 0; i < x.elems(); ++i) {
    if (op.to == DType::str) {
      out[0].tensor.as<std::string>()[static_cast<size_t>(i)] = text_of(x, i);
      continue;
    }
    TENON_TRY(number, number_of(x.as<std::string>()[static_cast<size_t>(i)], op.to));
    convert_elems(number.dtype, number.data, 0, op.to, out[0].tensor.data, i, 1, Narrow::saturate);
  }
  return {};
}
Result<void> eval(const StringConcat&, std::span<const HostValue> in, std::span<HostValue> out) {
  return broadcast(in, DType::str, out[0],
                   [&](const std::string& a, const std::string& b, size_t i) { out[0].tensor.as<std::string>()[i] = a + b; });
}
Result<void> eval(const StringEqual&, std::span<const HostValue> in, std::span<HostValue> out) {
  return broadcast(in, DType::boolean, out[0],
                   [&](const std::string& a, const std::string& b, size_t i) { out[0].tensor.as<uint8_t>()[i] = a == b; });
}

Result<void> eval(const StringNormalizer& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_strings(in.first(1)));
  const Tensor& x = in[0].tensor;
  if (x.rank() < 1 || x.rank() > 2 || (x.rank() == 2 && x.dims[0] != 1)) return fail("x must be [n] or [1, n], got {}", to_string(x.dims));
  const auto folded = [&](const std::string& word) { return op.case_sensitive ? word : lower(word); };
  std::vector<std::string> kept;
  for (const std::string& word : x.as<std::string>()) {
    const bool stop = std::ranges::any_of(op.stopwords, [&](const std::string& stopword) { return folded(stopword) == folded(word); });
    if (!stop) kept.push_back(op.case_change == CaseChange::lower ? lower(word) : op.case_change == CaseChange::upper ? upper(word) : word);
  }
  // ONNX StringNormalizer-10: where no word is left, one empty string is.
  if (kept.empty() && !op.stopwords.empty()) kept.emplace_back();
  Dims dims = x.dims;
  dims.back() = static_cast<int64_t>(kept.size());
  TENON_OK(prepare_output(out[0], DType::str, dims));
  std::ranges::copy(kept, out[0].tensor.as<std::string>().begin());
  return {};
}

Result<void> eval(const StringSplit& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_strings(in.first(1)));
  const Tensor& x = in[0].tensor;
  std::vector<std::vector<std::string>> all;
  size_t most = 0;
  for (const std::string& text : x.as<std::string>()) {
    all.push_back(pieces_of(op, text));
    most = std::max(most, all.back().size());
  }
  Dims dims = x.dims;
  dims.push_back(static_cast<int64_t>(most));
  TENON_OK(prepare_output(out[0], DType::str, dims));
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = 0; k < most; ++k) out[0].tensor.as<std::string>()[i * most + k] = k < all[i].size() ? all[i][k] : std::string();
  }
  if (out.size() < 2) return {};
  TENON_OK(prepare_output(out[1], DType::i64, x.dims));
  for (size_t i = 0; i < all.size(); ++i) out[1].tensor.as<int64_t>()[i] = static_cast<int64_t>(all[i].size());
  return {};
}

Result<void> eval(const RegexFullMatch& op, std::span<const HostValue> in, std::span<HostValue> out) {
  TENON_OK(check_strings(in.first(1)));
  const Tensor& x = in[0].tensor;
  TENON_OK(prepare_output(out[0], DType::boolean, x.dims));
  try {  // the standard library reports bad patterns, and texts too long for its stack, by exceptions only
    const std::regex pattern(op.pattern);
    for (size_t i = 0; i < x.as<std::string>().size(); ++i)
      out[0].tensor.as<uint8_t>()[i] = std::regex_match(x.as<std::string>()[i], pattern);
  } catch (const std::regex_error& error) {
    return fail("pattern '{}': {}", op.pattern, error.what());
  }
  return {};
}

template OpRow make_row<StringCast>();
template OpRow make_row<StringConcat>();
template OpRow make_row<StringEqual>();
template OpRow make_row<StringNormalizer>();
template OpRow make_row<StringSplit>();
template OpRow make_row<RegexFullMatch>();

}  // namespace tenon::ops
