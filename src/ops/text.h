// Strings: what has no numbers in it.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class CaseChange : uint8_t { none, lower, upper };
constexpr auto enum_names(CaseChange) { return std::array<std::string_view, 3>{"none", "lower", "upper"}; }

/// Strings to numbers, or real numbers to strings (ONNX Cast).
struct StringCast {
  DType to = DType::str;
  static constexpr std::string_view kName = "StringCast";
  static constexpr auto kFields = Fields{Field{1, "to", &StringCast::to}};
};
Result<Facts> infer(const StringCast& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const StringCast& op, std::span<const HostValue> in, std::span<HostValue> out);

/// Element by element, broadcast.
struct StringConcat {
  static constexpr std::string_view kName = "StringConcat";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const StringConcat& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const StringConcat& op, std::span<const HostValue> in, std::span<HostValue> out);

struct StringEqual {
  static constexpr std::string_view kName = "StringEqual";
  static constexpr OpTraits kTraits{.operands = 2};
  static constexpr auto kFields = Fields{};
};
Result<Facts> infer(const StringEqual& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const StringEqual& op, std::span<const HostValue> in, std::span<HostValue> out);

/// x [n] or [1, n]
struct StringNormalizer {
  CaseChange case_change = CaseChange::none;
  bool case_sensitive = false;         // of stopwords
  std::vector<std::string> stopwords;  // removed
  static constexpr std::string_view kName = "StringNormalizer";
  static constexpr auto kFields =
      Fields{Field{1, "case_change", &StringNormalizer::case_change}, Field{2, "case_sensitive", &StringNormalizer::case_sensitive},
             Field{3, "stopwords", &StringNormalizer::stopwords}};
};
Result<Facts> infer(const StringNormalizer& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const StringNormalizer& op, std::span<const HostValue> in, std::span<HostValue> out);

/// Pieces along a new last dim, padded with empty strings; a second output counts them.
struct StringSplit {
  std::optional<std::string> delimiter;  // none: white space
  std::optional<int64_t> maxsplit;
  static constexpr std::string_view kName = "StringSplit";
  static constexpr auto kFields = Fields{Field{1, "delimiter", &StringSplit::delimiter}, Field{2, "maxsplit", &StringSplit::maxsplit}};
};
Result<Facts> infer(const StringSplit& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const StringSplit& op, std::span<const HostValue> in, std::span<HostValue> out);

struct RegexFullMatch {
  std::string pattern;
  static constexpr std::string_view kName = "RegexFullMatch";
  static constexpr auto kFields = Fields{Field{1, "pattern", &RegexFullMatch::pattern}};
};
Result<Facts> infer(const RegexFullMatch& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const RegexFullMatch& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
