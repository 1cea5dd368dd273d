#include "ops/image_decode.h"

#include "ops/image_files.h"
#include "ops/move.h"

namespace tenon::ops {

Result<Facts> infer(const ImageDecode& op, std::span<const Fact> in, InferCtx& ctx) {
  if (in[0].dtype() != DType::u8) return fail("wants bytes, u8, got {}", to_string(in[0].dtype()));
  if (in[0].has_rank() && in[0].rank() != 1) return fail("wants the bytes of a file, u8 [n], got {}", to_string(in[0].shape()));
  return Facts{Fact(DType::u8, Shape{ctx.mint("height"), ctx.mint("width"), Dim(op.pixel_format == PixelFormat::grayscale ? 1 : 3)})};
}

Result<void> eval(const ImageDecode& op, std::span<const HostValue> in, std::span<HostValue> out) {
  if (in[0].tensor.dtype != DType::u8) return fail("wants bytes, u8, got {}", to_string(in[0].tensor.dtype));
  TENON_TRY(image, read_image(in[0].tensor.view()));
  const bool gray = op.pixel_format == PixelFormat::grayscale;
  TENON_OK(prepare_output(out[0], DType::u8, {image.height, image.width, gray ? 1 : 3}));
  uint8_t* to = out[0].tensor.as<uint8_t>().data();
  const uint8_t* from = image.pixels.data();
  for (int64_t i = 0; i < image.height * image.width; ++i, from += 3) {
    if (gray) {
      // ITU-R BT.601 luma with weights in 1/65536.
      *to++ = static_cast<uint8_t>((from[0] * 19595 + from[1] * 38470 + from[2] * 7471 + 0x8000) >> 16);
    } else {
      const bool bgr = op.pixel_format == PixelFormat::bgr;
      *to++ = from[bgr ? 2 : 0];
      *to++ = from[1];
      *to++ = from[bgr ? 0 : 2];
    }
  }
  return {};
}

template OpRow make_row<ImageDecode>();

}  // namespace tenon::ops
