// Maps that become tensors.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

/// A map → [words]: what it says of each word, 0 or "" where it says nothing. Its keys that are no words are left out.
struct DictVectorizer {
  std::vector<int64_t> ints;         // words: these
  std::vector<std::string> strings;  // or these
  static constexpr std::string_view kName = "DictVectorizer";
  static constexpr auto kFields = Fields{Field{1, "ints", &DictVectorizer::ints}, Field{2, "strings", &DictVectorizer::strings}};
  static constexpr OpTraits kTraits{.containers = true};
};
Result<Facts> infer(const DictVectorizer& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const DictVectorizer& op, std::span<const HostValue> in, std::span<HostValue> out);

/// A map from i64 → [1, n] of another type: its values in order of their keys; with `size`, n = size, each value stands at its key, and
/// keys that are not below `size` are left out. Strings are read and written in C's formats %f and %d.
struct CastMap {
  DType dtype = DType::f32;  // f32, i64 or str
  std::optional<int64_t> size;
  static constexpr std::string_view kName = "CastMap";
  static constexpr auto kFields = Fields{Field{1, "dtype", &CastMap::dtype}, Field{2, "size", &CastMap::size}};
  static constexpr OpTraits kTraits{.containers = true};
};
Result<Facts> infer(const CastMap& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const CastMap& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
