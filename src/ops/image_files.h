// Image files as pixels. BMP and PNM are read here; the others by the system's libraries, which are opened when the first such file is.
#pragma once
#include "base/bytes.h"
#include "base/result.h"

namespace tenon::ops {

/// Rows from the top, three bytes a pixel.
struct RgbImage {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;
};

/// Room for an image of this size. Errors: sizes no image has (above 2^16, or 2^28 pixels).
Result<RgbImage> make_image(int64_t width, int64_t height);

/// BMP (8, 24 and 32 bits), PNM (P2, P3, P5, P6 up to 255), JPEG, JPEG 2000, PNG, TIFF, WebP. Errors: another format, a broken file, a
/// library that is not installed, and which package has it.
Result<RgbImage> read_image(ByteView file);

Result<RgbImage> read_jpeg(ByteView file);
Result<RgbImage> read_jpeg2000(ByteView file);
Result<RgbImage> read_png(ByteView file);
Result<RgbImage> read_tiff(ByteView file);
Result<RgbImage> read_webp(ByteView file);

}  // namespace tenon::ops
