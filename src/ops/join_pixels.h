// JoinPixels: images as convolutions of few channels read them. x [n, c, h, w] → [n, h, (before + w + after) / pixels, pixels · channels],
// lines with zeros before and behind, channels last, zeros behind the channels of x, and `pixels` neighbours of a line as one.
#pragma once
#include "ops/row.h"

namespace tenon::ops {

struct JoinPixels {
  int64_t channels = 0;           // of a pixel of the result
  int64_t pixels = 1;             // that become one; what is left of a line is dropped
  int64_t before = 0, after = 0;  // pixels of zeros; after < 0: the last ones are not read
  DType to = DType::none;         // the result's type, where it is another float type
  static constexpr std::string_view kName = "JoinPixels";
  static constexpr auto kFields =
      Fields{Field{1, "channels", &JoinPixels::channels}, Field{2, "pixels", &JoinPixels::pixels}, Field{3, "before", &JoinPixels::before},
             Field{4, "after", &JoinPixels::after}, Field{5, "to", &JoinPixels::to}};
};
Result<Facts> infer(const JoinPixels& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const JoinPixels& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
