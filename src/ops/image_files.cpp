#include "ops/image_files.h"

#include <cstring>

namespace tenon::ops {
namespace {

/// Bytes from the front; reading past the end is remembered and gives zeros.
class FileBytes {
 public:
  explicit FileBytes(ByteView bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  void seek(size_t at) { at_ = at; }
  uint8_t byte() {
    if (at_ >= bytes_.size()) {
      ok_ = false;
      return 0;
    }
    return std::to_integer<uint8_t>(bytes_[at_++]);
  }
  /// Little-endian.
  uint32_t number(int bytes) {
    uint32_t out = 0;
    for (int i = 0; i < bytes; ++i) out |= static_cast<uint32_t>(byte()) << (8 * i);
    return out;
  }
  /// A decimal number of a PNM file; blanks and remarks before it are skipped, one byte behind it is taken.
  int64_t decimal() {
    uint8_t next = byte();
    while (ok_ && (next == ' ' || next == '\n' || next == '\r' || next == '\t' || next == '#')) {
      while (ok_ && next == '#')
        while (ok_ && next != '\n') next = byte();
      next = byte();
    }
    int64_t out = 0;
    if (next < '0' || next > '9') ok_ = false;
    for (; next >= '0' && next <= '9' && out < (int64_t{1} << 32); next = at_ < bytes_.size() ? byte() : 0) out = out * 10 + (next - '0');
    return out;
  }

 private:
  ByteView bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

Result<RgbImage> read_bmp(ByteView file) {
  FileBytes in(file);
  in.seek(10);
  const uint32_t data = in.number(4), header = in.number(4);
  const auto width = static_cast<int32_t>(in.number(4));
  const auto height = static_cast<int32_t>(in.number(4));
  (void)in.number(2);  // planes
  const uint32_t bits = in.number(2), compression = in.number(4);
  in.seek(46);
  const uint32_t colors = in.number(4);
  if (!in.ok() || header < 40) return fail("a BMP file with a header of {} bytes", header);
  if ((bits != 8 && bits != 24 && bits != 32) || (compression != 0 && !(compression == 3 && bits == 32)))
    return fail(ErrorKind::unsupported, "a BMP file of {} bits a pixel, compression {}", bits, compression);
  TENON_TRY(image, make_image(width, height < 0 ? -static_cast<int64_t>(height) : height));
  uint8_t palette[256][3] = {};
  if (bits == 8) {
    in.seek(14 + header);
    const uint32_t count = colors == 0 || colors > 256 ? 256 : colors;
    for (uint32_t i = 0; i < count; ++i) {
      for (int c = 2; c >= 0; --c) palette[i][c] = in.byte();
      (void)in.byte();
    }
  }
  const size_t row_bytes = (static_cast<size_t>(image.width) * bits + 31) / 32 * 4;
  for (int64_t y = 0; y < image.height && in.ok(); ++y) {
    const int64_t row = height < 0 ? y : image.height - 1 - y;
    in.seek(data + static_cast<size_t>(y) * row_bytes);
    uint8_t* to = image.pixels.data() + row * image.width * 3;
    for (int64_t x = 0; x < image.width; ++x, to += 3) {
      if (bits == 8) {
        std::memcpy(to, palette[in.byte()], 3);
        continue;
      }
      for (int c = 2; c >= 0; --c) to[c] = in.byte();
      if (bits == 32) (void)in.byte();
    }
  }
  if (!in.ok()) return fail("the BMP file ends within its pixels");
  return std::move(image);
}

Result<RgbImage> read_pnm(ByteView file) {
  FileBytes in(file);
  (void)in.byte();
  const uint8_t kind = in.byte();
  const int64_t width = in.decimal(), height = in.decimal(), most = in.decimal();
  if (!in.ok() || most < 1 || most > 255) return fail("a PNM file with values up to {}, wanted at most 255", most);
  TENON_TRY(image, make_image(width, height));
  const bool gray = kind == '2' || kind == '5', text = kind == '2' || kind == '3';
  const auto value = [&] { return static_cast<uint8_t>((text ? in.decimal() : in.byte()) * 255 / most); };
  for (size_t i = 0; i < image.pixels.size() && in.ok(); i += 3) {
    image.pixels[i] = value();
    for (size_t c = 1; c < 3; ++c) image.pixels[i + c] = gray ? image.pixels[i] : value();
  }
  if (!in.ok()) return fail("the PNM file ends within its pixels");
  return std::move(image);
}

bool starts_with(ByteView file, std::string_view text, size_t at = 0) {
  return file.size() >= at + text.size() && std::memcmp(file.data() + at, text.data(), text.size()) == 0;
}

}  // namespace

Result<RgbImage> make_image(int64_t width, int64_t height) {
  constexpr int64_t kMostSide = 1 << 16, kMostPixels = 1 << 28;
  if (width < 1 || height < 1 || width > kMostSide || height > kMostSide || width * height > kMostPixels)
    return fail("an image of {} by {} pixels", width, height);
  RgbImage out{.width = width, .height = height};
  out.pixels.resize(static_cast<size_t>(width * height * 3));
  return out;
}

Result<RgbImage> read_image(ByteView file) {
  if (starts_with(file, "BM")) return read_bmp(file);
  if (starts_with(file, "P2") || starts_with(file, "P3") || starts_with(file, "P5") || starts_with(file, "P6")) return read_pnm(file);
  if (starts_with(file, "\xff\xd8\xff")) return read_jpeg(file);
  if (starts_with(file, "\x89PNG")) return read_png(file);
  if (starts_with(file, "RIFF") && starts_with(file, "WEBP", 8)) return read_webp(file);
  if (starts_with(file, "II*") || starts_with(file, std::string_view("MM\0*", 4))) return read_tiff(file);
  if (starts_with(file, "jP  ", 4) || starts_with(file, "\xff\x4f\xff\x51")) return read_jpeg2000(file);
  return fail(ErrorKind::unsupported, "the bytes are no image file that is known: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP");
}

}  // namespace tenon::ops
