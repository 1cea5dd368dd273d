// ZipMap: x [N, classes] (or [classes]) → a sequence of maps from class labels to numbers.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct ZipMap {
  std::vector<int64_t> ints;         // labels: these
  std::vector<std::string> strings;  // or these
  static constexpr std::string_view kName = "ZipMap";
  static constexpr auto kFields = Fields{Field{1, "ints", &ZipMap::ints}, Field{2, "strings", &ZipMap::strings}};
};
Result<Facts> infer(const ZipMap& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ZipMap& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
