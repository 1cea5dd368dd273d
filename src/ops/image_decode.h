// ImageDecode: the bytes of an image file, u8 [n] → its pixels, u8 [height, width, channels]: RGB, BGR or gray (one channel).
#pragma once
#include "ops/row.h"

namespace tenon::ops {

enum class PixelFormat : uint8_t { rgb, bgr, grayscale };
constexpr auto enum_names(PixelFormat) { return std::array<std::string_view, 3>{"RGB", "BGR", "Grayscale"}; }

struct ImageDecode {
  PixelFormat pixel_format = PixelFormat::rgb;
  static constexpr std::string_view kName = "ImageDecode";
  static constexpr auto kFields = Fields{Field{1, "pixel_format", &ImageDecode::pixel_format}};
};
Result<Facts> infer(const ImageDecode& op, std::span<const Fact> in, InferCtx& ctx);
Result<void> eval(const ImageDecode& op, std::span<const HostValue> in, std::span<HostValue> out);

}  // namespace tenon::ops
