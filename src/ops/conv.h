// Conv and ConvTranspose: x [N, C, spatial...], w, bias [M] → [N, M, spatial...]. Conv with channels_last: x [N, spatial..., C],
// w [M, kernel..., C / groups] → [N, spatial..., M].
#pragma once
#include "ops/row.h"
#include "ops/window.h"

namespace tenon::ops {

struct Conv {
  std::vector<int64_t> strides, dilations, pads;  // empty: 1, 1, 0; pads: begins, then ends
  int64_t groups = 1;
  AutoPad auto_pad = AutoPad::notset;
  bool channels_last = false;
  static constexpr std::string_view kName = "Conv";
  static constexpr auto kFields =
      Fields{Field{1, "strides", &Conv::strides}, Field{2, "dilations", &Conv::dilations}, Field{3, "pads", &Conv::pads},
             Field{4, "groups", &Conv::groups},   Field{5, "auto_pad", &Conv::auto_pad},   Field{6, "channels_last", &Conv::channels_last}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const Conv& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const Conv& op, std::span<const Fact> in, std::span<const Fact> out);

struct ConvTranspose {
  std::vector<int64_t> strides, dilations, pads, output_padding, output_shape;
  int64_t groups = 1;
  AutoPad auto_pad = AutoPad::notset;
  static constexpr std::string_view kName = "ConvTranspose";
  static constexpr auto kFields = Fields{Field{1, "strides", &ConvTranspose::strides},
                                         Field{2, "dilations", &ConvTranspose::dilations},
                                         Field{3, "pads", &ConvTranspose::pads},
                                         Field{4, "output_padding", &ConvTranspose::output_padding},
                                         Field{5, "output_shape", &ConvTranspose::output_shape},
                                         Field{6, "groups", &ConvTranspose::groups},
                                         Field{7, "auto_pad", &ConvTranspose::auto_pad}};
  static constexpr OpTraits kTraits = {.anchor = true};
};
Result<Facts> infer(const ConvTranspose& op, std::span<const Fact> in, InferCtx& ctx);
Result<engine::Problem> problem(const ConvTranspose& op, std::span<const Fact> in, std::span<const Fact> out);

}  // namespace tenon::ops
